"""The figures of a round, which its record, its event and all reports share. Imports no Keras."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(kw_only=True)
class RoundFigures:
    """The figures of a round.

    Args:
        number: The number of the round, from 1.
        accepted: Whether the metric stayed within the tolerance, so that the round was kept.
        filters_removed: How many filters this round removed; 0 if it only trained the network to the end.
        accuracy_after_cut: The monitored metric on the validation data right after the cut, settled; NaN if it was
            not measured, as inside `fit`, or is not a number.
        accuracy: The metric of the state that is kept, right after the cut or after training.
        accuracy_trained: The metric after training, whichever state is kept; NaN if it diverged, or is unknown.
        kept: `"training"`, or `"cut"` if training did not improve the network, and the state before it is kept.
        conv_macs, macs, params: The costs of this round's model.
        ram, flash: Its RAM and the size of its file in int8, in bytes; None if unknown.
        latency: The seconds of a pass by the run's latency table; None without one.
        seconds: How long the round took; NaN if unknown.
        notes: Notes from the plan and from recovery.
        pruning_ratio: The share of the prunable filters that this round set out to remove; NaN if unknown.
        details: What the method recorded about the round, by name, such as how far predictions drifted.
        epochs: How many epochs the network was trained in this round; None if unknown.
        criterion: What ranked the filters, such as `"l1"`; `"none"` if the round cut nothing, empty if unknown.
    """

    number: int
    accepted: bool
    filters_removed: int
    accuracy_after_cut: float = math.nan
    accuracy: float
    accuracy_trained: float = math.nan
    kept: str = "training"
    conv_macs: int
    macs: int
    params: int
    ram: int | None = None
    flash: int | None = None
    latency: float | None = None
    seconds: float = math.nan
    notes: list[str] = dataclasses.field(default_factory=list)
    pruning_ratio: float = math.nan
    details: dict = dataclasses.field(default_factory=dict)
    epochs: int | None = None
    criterion: str = ""

    @property
    def outcome(self) -> str:
        """`"kept"`, `"undone"`, or `"training"` if the round cut nothing."""
        if not self.accepted:
            return "undone"
        return "kept" if self.filters_removed else "training"

    @property
    def after_cut(self) -> float:
        """The metric right after the cut; NaN if the round cut nothing."""
        return self.accuracy_after_cut if self.filters_removed else math.nan

    @property
    def trained(self) -> float:
        """The metric after training, whichever state is kept; NaN if it diverged, or is unknown."""
        return self.accuracy_trained if self.kept == "cut" else self.accuracy

    @property
    def instead(self) -> str:
        """Which state is kept if not the trained one, in brackets, with a space before it."""
        if self.kept != "cut":
            return ""
        return " (cut kept)" if self.filters_removed else f" ({figure(self.accuracy)} before it kept)"


def ranked_by(criterion: str) -> str:
    """What ranked the filters of a round, for people: `"FIRE measured"`, `"FIRE predicted"`, or the criterion's name.

    Args:
        criterion: As in `RoundFigures`.
    """
    known = {"fire": "FIRE measured", "fire_predicted": "FIRE predicted", "none": "-"}
    named = criterion.removeprefix("balanced ")
    return next((known[word] for word in named.split() if word in known), named or "-")


def figure(value: float) -> str:
    """A metric with four decimals, or with four significant digits if it is below 0.1."""
    return f"{value:.4f}" if abs(value) >= 0.1 or not value else f"{value:.4g}"
