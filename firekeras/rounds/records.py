"""What a round did, and what a run achieved."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from firekeras.channels.costs import SHOWN, Costs
from firekeras.plan.planning import PruningPlan
from firekeras.rounds.figures import RoundFigures, figure
from firekeras.rounds.lines import read
from firekeras.rounds.monitor import is_accuracy, lost, lower_is_better, verdict, within_tolerance

if TYPE_CHECKING:
    import keras

NOT_WRITTEN = ("model", "costs")


@dataclasses.dataclass(kw_only=True)
class RoundRecord(RoundFigures):
    """What one round did.

    Args:
        **figures: `number`, `accepted`, `filters_removed`, `accuracy_after_cut`, `accuracy`, `conv_macs`, `macs`,
            `params`, `ram`, `flash`, `latency`, `seconds`, `notes`, `pruning_ratio`, `details`, `epochs`,
            `accuracy_trained` and `kept`, as in `RoundFigures`.
        criterion: What ranked the filters: `"fire"` if FIRE was measured, `"fire_predicted"` if the detector
            predicted it, else the criterion's name; `"none"` if the round cut nothing.
        baseline: The monitored metric of the model that the run began with, settled.
        model: The best model so far: this round's if it was accepted, else the last accepted one.
        costs: The `Costs` of this round's model; None for a round read from a file.

    Example:
    >>> for record in firekeras.compression_rounds(model, train, validation, epochs=1, method="l1"):
    ...     line = f"round {record.number}: {record.accuracy:.4f} with {record.conv_macs:,} conv MACs"
    """

    criterion: str
    baseline: float
    model: keras.Model = dataclasses.field(repr=False)
    epochs: int = 1
    costs: Costs | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def of(cls, plan: PruningPlan, **fields: Any) -> RoundRecord:
        """The record of a round that carried out a plan.

        Args:
            plan: The `PruningPlan`, which gives criterion, costs and notes.
            **fields: The other fields.
        """
        known = {"criterion": plan.criterion, "filters_removed": plan.num_removed, "notes": plan.notes}
        return cls._costing(plan.costs_after, **known, **fields)

    @classmethod
    def of_training(cls, costs: Costs, **fields: Any) -> RoundRecord:
        """The record of a round that cut nothing and trained the network to the end.

        Args:
            costs: The `Costs` of the network.
            **fields: The other fields.
        """
        return cls._costing(costs, criterion="none", filters_removed=0, **fields)

    @classmethod
    def _costing(cls, costs, **fields):
        return cls(**costs.totals, latency=costs.latency, costs=costs, **fields)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], model: keras.Model) -> RoundRecord:
        """The record in a line of `events.jsonl`.

        Args:
            event: The line, parsed.
            model: The model of the record.
        """
        return read(cls, event, model=model, costs=None)

    def to_dict(self) -> dict:
        """The record without its model, as plain values for JSON."""
        fields = (field.name for field in dataclasses.fields(self) if field.name not in NOT_WRITTEN)
        return {name: getattr(self, name) for name in fields}


@dataclasses.dataclass(repr=False)
class CompressionResult:
    """The result of a run.

    Args:
        model: The network of the last accepted round, settled: a plain Keras model.
        baseline: The monitored metric of the model that the run began with, settled.
        accuracy: The same metric of `model`.
        rounds: A `RoundRecord` per round, undone ones included.
        costs_before, costs_after: The `Costs` of the model that the run began with, and of `model`.
        stopped_because: Why there were no more rounds.
        monitor: The name of the metric. Defaults to `"accuracy"`.
        tolerance: How far the metric may fall: absolute points, or a share of the baseline if lower is better.
            Defaults to 0.01.
        target: The target that the run was given, or None.
        time: Seconds by part: `"training"`, `"compiling"`, `"judging"`, `"cutting"`, `"measuring"`.
        notes: What a user should know about the run as a whole.

    Example:
    >>> result.costs_after.macs < result.costs_before.macs
    True
    >>> result.model.save("pruned.keras")
    >>> left = result.costs_after.conv_macs / result.costs_before.conv_macs
    """

    model: keras.Model
    baseline: float
    accuracy: float
    rounds: list[RoundRecord]
    costs_before: Costs
    costs_after: Costs
    stopped_because: str
    monitor: str = "accuracy"
    tolerance: float = 0.01
    target: Mapping[str, float | str] | None = None
    time: dict[str, float] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def within_tolerance(self) -> bool:
        """Whether the metric is within the tolerance of the baseline."""
        return within_tolerance(self.accuracy, self.baseline, self.tolerance, self.monitor)

    @property
    def epochs(self) -> int:
        """Epochs of training in all rounds."""
        return sum(record.epochs for record in self.rounds)

    def __repr__(self):
        return (
            f"<CompressionResult: {self.monitor} {figure(self.baseline)} -> {figure(self.accuracy)}, conv MACs "
            f"{share(self.costs_after.conv_macs, self.costs_before.conv_macs)}, {len(self.rounds)} rounds>"
        )

    def summary(self) -> str:
        """Returns the result in a few lines of at most 80 columns."""
        return "\n".join([*self._figures(), *self._verdict(), self.stopped_because, self._time()]).strip()

    def _figures(self):
        before, after = self.costs_before, self.costs_after
        rows = [(self.monitor, figure(self.baseline), figure(self.accuracy), change(self))]
        for name, title in SHOWN.items():
            old, new = before.totals.get(name), after.totals.get(name)
            if old is None or new is None:
                continue
            rows.append((title, f"{old:,}", f"{new:,}", f"{share(new, old)} left"))
        if before.latency and after.latency is not None:
            first, last = (f"{1e3 * seconds:.4g} ms" for seconds in (before.latency, after.latency))
            rows.append(("latency by the table", first, last, f"{after.latency / before.latency:.1%} left"))
        return [f"{title[:24]:24} {old:>15} -> {new:>15}   {moved}" for title, old, new, moved in rows]

    def _verdict(self):
        line = f"{self.epochs} epochs in {len(self.rounds)} rounds; {verdict(self)}."
        return [line, *self._trained_in_vain()]

    def _trained_in_vain(self):
        rounds = [record for record in self.rounds if record.kept == "cut"]
        if not rounds:
            return []
        last = rounds[-1]
        found = "" if math.isnan(last.trained) else f": {figure(last.trained)} trained"
        return [f"Training did not help in {len(rounds)} of them; round {last.number}{found}{last.instead}."]

    def _time(self):
        parts = sorted(self.time.items(), key=lambda part: -part[1])
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in parts if seconds >= 0.5)
        return f"Time: {spent}." if spent else ""


def share(part: float, whole: float) -> str:
    """A share in percent, with one decimal."""
    return f"{part / max(1, whole):.1%}"


def change(result: CompressionResult) -> str:
    """How far a metric has moved, with its sign: in points, or as a share of the baseline if lower is better."""
    moved = -lost(result.accuracy, result.baseline, result.monitor)
    if math.isnan(moved):
        return ""
    if lower_is_better(result.monitor):
        return f"{-moved:+.1%}"
    return f"{100 * moved:+.2f} points" if is_accuracy(result.monitor) else f"{moved:+.4f}"


def undone_because(record: RoundRecord, monitor: str, tolerance: float) -> str:
    """Why an undone round ended the cutting."""
    unit = " of it" if lower_is_better(monitor) else ""
    return (
        f"Round {record.number} ended at {monitor} {figure(record.accuracy)}, more than the tolerance of "
        f"{tolerance:g}{unit} from {figure(record.baseline)}, and was undone."
    )
