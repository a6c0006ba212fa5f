"""What a round did, and what a run came to."""

from __future__ import annotations

import dataclasses
import math

import keras

from firekeras.costs import Costs


@dataclasses.dataclass
class RoundRecord:
    """What one round did.

    Args:
        number: From 1.
        accepted: Whether accuracy stayed within the tolerance.
        criterion: What filters were ranked by: `"fire"` where measured, `"fire_predicted"` after.
        filters_removed: By this round.
        accuracy_after_cut: Of the monitored metric, after recovery and before fine-tuning.
        accuracy: After fine-tuning, on the validation data.
        baseline: Of the model that the run began with.
        conv_macs, macs, params: Of this round's model.
        seconds: How long the round took.
        notes: What the plan and the recovery had to say.
        model: The best model so far: this round's where accepted, else the last accepted one.
        pruning_ratio: The share of the prunable filters that this round went for.
        details: What the method has to say of the round, by name, such as how far predictions drifted.
    """

    number: int
    accepted: bool
    criterion: str
    filters_removed: int
    accuracy_after_cut: float
    accuracy: float
    baseline: float
    conv_macs: int
    macs: int
    params: int
    seconds: float
    notes: list[str]
    model: keras.Model = dataclasses.field(repr=False)
    pruning_ratio: float = math.nan
    details: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, plan, **fields) -> RoundRecord:
        """The record of a round that carried out `plan`."""
        return cls(
            criterion=plan.criterion,
            filters_removed=plan.num_removed,
            conv_macs=plan.costs_after.conv_macs,
            macs=plan.costs_after.macs,
            params=plan.costs_after.params,
            notes=plan.notes,
            **fields,
        )

    @classmethod
    def from_event(cls, event, model) -> RoundRecord:
        """The record that a line of `events.jsonl` holds."""
        fields = {field.name: event[field.name] for field in dataclasses.fields(cls) if field.name != "model"}
        numbers = ("accuracy_after_cut", "accuracy", "baseline", "pruning_ratio")  # null stands for NaN
        return cls(**{**fields, **{name: _number(fields[name]) for name in numbers}}, model=model)

    def to_dict(self) -> dict:
        """The record without its model: plain numbers, for JSON."""
        fields = (field.name for field in dataclasses.fields(self) if field.name != "model")
        return {name: getattr(self, name) for name in fields}


def _number(value) -> float:
    return math.nan if value is None else value


@dataclasses.dataclass
class CompressionResult:
    """What a run came to.

    Args:
        model: The smallest model within the tolerance: that of the last accepted round.
        baseline: The monitored metric of the model that the run began with.
        accuracy: The same of `model`.
        rounds: A `RoundRecord` per round, rejected ones included.
        costs_before, costs_after: `Costs` before the run and of `model`.
        stopped_because: Why there was no further round, in words.
    """

    model: keras.Model = dataclasses.field(repr=False)
    baseline: float
    accuracy: float
    rounds: list[RoundRecord]
    costs_before: Costs
    costs_after: Costs
    stopped_because: str


def undone_because(record, monitor, tolerance) -> str:
    """Why a rejected round ended the run, in words."""
    return (
        f"Round {record.number} ended at {monitor} {record.accuracy:.4f}, more than the tolerance of "
        f"{tolerance} from {record.baseline:.4f}, and was undone."
    )
