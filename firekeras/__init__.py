"""firekeras: structured filter pruning for Keras 3.

Names are imported when first used, so that planning works where Keras is not installed or not wanted.
"""

import importlib
from typing import TYPE_CHECKING

from firekeras.version import __version__

if TYPE_CHECKING:
    from firekeras.callback.fire_callback import FirePruningCallback
    from firekeras.channels import channel_graph
    from firekeras.channels.graph import ChannelGraph
    from firekeras.compressing import compress, compression_rounds
    from firekeras.costs import Costs, count_costs
    from firekeras.criteria import score_filters
    from firekeras.detector.fire_detector import FireDetector
    from firekeras.export.exporting import export_model
    from firekeras.keras2.converting import convert_model
    from firekeras.latency import measure_latency
    from firekeras.measure.measuring import measure_fire
    from firekeras.plan.planning import PruningPlan, plan_pruning
    from firekeras.plan.pruning import prune
    from firekeras.profile import FilterScores, FireProfile
    from firekeras.recovery.batch_statistics import reestimate_batch_norm
    from firekeras.recovery.mean_folding import fold_means

_MODULES = ("channels", "datasets", "export", "methods", "recovery", "zoo")
_HOME = {
    "ChannelGraph": "firekeras.channels.graph",
    "Costs": "firekeras.costs",
    "FilterScores": "firekeras.profile",
    "FireDetector": "firekeras.detector.fire_detector",
    "FireProfile": "firekeras.profile",
    "FirePruningCallback": "firekeras.callback.fire_callback",
    "PruningPlan": "firekeras.plan.planning",
    "channel_graph": "firekeras.channels",
    "convert_model": "firekeras.keras2.converting",
    "compress": "firekeras.compressing",
    "compression_rounds": "firekeras.compressing",
    "count_costs": "firekeras.costs",
    "export_model": "firekeras.export.exporting",
    "fold_means": "firekeras.recovery.mean_folding",
    "measure_fire": "firekeras.measure.measuring",
    "measure_latency": "firekeras.latency",
    "plan_pruning": "firekeras.plan.planning",
    "prune": "firekeras.plan.pruning",
    "reestimate_batch_norm": "firekeras.recovery.batch_statistics",
    "score_filters": "firekeras.criteria",
}

__all__ = [
    "ChannelGraph",
    "Costs",
    "FilterScores",
    "FireDetector",
    "FireProfile",
    "FirePruningCallback",
    "PruningPlan",
    "__version__",
    "channel_graph",
    "compress",
    "compression_rounds",
    "convert_model",
    "count_costs",
    "export_model",
    "fold_means",
    "measure_fire",
    "measure_latency",
    "plan_pruning",
    "prune",
    "reestimate_batch_norm",
    "score_filters",
]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"firekeras.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'firekeras' has no attribute {name!r}. It has: {', '.join(__all__)}.")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__():
    return __all__
