"""How much each layer can lose by itself, as `firekeras sensitivity` writes it. Imports no Keras."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from firekeras.channels.graph import ChannelGraph
from firekeras.paths import read_bytes
from firekeras.rounds.monitor import within_tolerance
from firekeras.strict_json import parse
from inspector.state.criteria import title

ENDING = ".sensitivity.json"
MOST = 1 << 26  # bytes
TOLERANCE = 0.02  # the default of the command line, in absolute points
ADVICE = "Measure the sensitivity again (Shift+F9)."


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """The metric of a network without shares of the filters of one layer at a time, untrained.

    Args:
        monitor: The name of the metric.
        baseline: The metric of the whole network.
        shares: The shares that were removed, ascending.
        values: For each layer that can lose filters, the metric without each share.
        partners: For each of these layers, those that lose filters with it, and itself.
        criterion: What ranked the filters; empty if unknown.
    """

    monitor: str
    baseline: float | None
    shares: list[float]
    values: dict[str, list[float | None]]
    partners: dict[str, list[str]]
    criterion: str = ""

    @classmethod
    def read(cls, path: Path, graph: ChannelGraph) -> Sensitivity:
        """Reads a file, which must be of this network.

        Raises:
            ValueError: If it is none, or of another network.
        """
        found = parse(_with_nulls(read_bytes(path, MOST)), cls, str(path), "a sensitivity analysis", ADVICE)
        layers = {name for names in found.partners.values() for name in names} | found.values.keys()
        strange = layers - set(graph.filter_layers)
        if strange or any(len(values) != len(found.shares) for values in found.values.values()):
            why = f", with a layer {min(strange)!r}" if strange else ""
            raise ValueError(f"{path} is of another model{why}. {ADVICE}")
        return found

    def first_of(self, layer: str) -> str | None:
        """The layer under which the values of a layer are listed; `None` if it cannot lose filters."""
        return next((first for first, names in self.partners.items() if layer in names and first in self.values), None)

    def rate(self, layer: str, tolerance: float = TOLERANCE) -> float | None:
        """The largest share of a layer up to which the metric stays within a tolerance; `None` if unknown."""
        first, baseline = self.first_of(layer), self.baseline
        if first is None or baseline is None:
            return None
        kept = 0.0
        for share, value in zip(self.shares, self.values[first], strict=True):
            if value is None or not within_tolerance(value, baseline, tolerance, self.monitor):
                break
            kept = share
        return kept

    @property
    def uncut(self) -> str:
        """The metric that all others are compared with, and why it may not be that of an accuracy check."""
        return (
            f"The uncut network has {self.monitor} {_metric(self.baseline)} there, on training samples; F9 "
            "takes test samples, so its figure may differ."
        )

    def words(self, layer: str) -> str:
        """All values of a layer, in one sentence."""
        first = self.first_of(layer)
        if first is None:
            return f"{layer} cannot lose filters, or none of them has a score."
        pairs = zip(self.shares, self.values[first], strict=True)
        said = ", ".join(f"{_metric(value)} without {share:.0%}" for share, value in pairs)
        ranked = f", ranked by {title(self.criterion)}" if self.criterion else ""
        return f"{self.monitor} {_metric(self.baseline)}; if only {layer} is cut{ranked}: {said}. Nothing is trained."


def _metric(value):
    return "unknown" if value is None or math.isnan(value) else f"{value:.3f}"


def _with_nulls(text):
    """The same JSON without NaN and infinities, which Python writes and the standard lacks."""
    try:
        return json.dumps(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return text  # what is wrong is said by whoever reads it


def beside(model: Path) -> Path:
    """The path of the analysis of a model."""
    return model.with_name(model.name.removesuffix(".keras") + ENDING)
