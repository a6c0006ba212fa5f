"""Out of Keras and onto the device: exported files, run and compared; int8; TF-MOT for Keras 3 models.

Names are imported when first used, so that nothing loads TensorFlow before an export needs it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firekeras.export.bridge import to_tf_keras
    from firekeras.export.clustering import cluster
    from firekeras.export.exporting import Export, export_model
    from firekeras.export.quantization_aware import quantize_aware
    from firekeras.export.sparsity import sparsify

_HOME = {
    "Export": "exporting",
    "cluster": "clustering",
    "export_model": "exporting",
    "quantize_aware": "quantization_aware",
    "sparsify": "sparsity",
    "to_tf_keras": "bridge",
}

__all__ = ["Export", "cluster", "export_model", "quantize_aware", "sparsify", "to_tf_keras"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'firekeras.export' has no attribute {name!r}. It has: {', '.join(__all__)}.")
    return getattr(importlib.import_module(f"firekeras.export.{_HOME[name]}"), name)


def __dir__():
    return __all__
