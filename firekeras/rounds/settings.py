"""The settings of a run: checked before anything long begins."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from firekeras.names import nearest
from firekeras.plan.planning import check_limits, checked_target
from firekeras.rounds.targets import MEASURES

NOT_FOR_FIT = {"x", "y", "sample_weight", "epochs", "validation_data", "validation_split"}


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """How a run goes about its rounds.

    Args:
        pruning_ratio: Share of the remaining prunable filters that go in a round, from 0 to below 1.
            Defaults to 0.05.
        tolerance: By how much the metric may fall below that of the first model, in absolute points
            (0.01 is one point; with 1, or infinity, every round is kept). Defaults to 0.01.
        layer_caps: Which share of the original filters of some layers may go, over the whole run; by
            name, pattern or type, as in `plan_pruning`. Defaults to none.
        target: Where to stop: `{"macs": 0.5}`, or `"conv_macs"`, `"params"`, `"latency"` as measured on this
            machine, or `"litert_latency"`, of the exported file; shares of what the run began with.
            Defaults to none: the tolerance decides.
        round_to, min_keep: As in `plan_pruning`. Default to 1 and 0.1.
        balance, favour_macs: For methods that rank all filters together, how much a filter's place within
            its own layer counts, so that no layer is starved (`firekeras.plan.balance`), and the MACs that
            go with it (`firekeras.plan.macs`); each from 0 to 1. Default to 0; once a round was undone,
            `balance` is 0.5 at least.
        epochs_per_round: Epochs of fine-tuning. Defaults to 1.
        max_rounds: Defaults to 100.
        backtracks: How many rounds may fall below the tolerance in all: each is undone, and tried
            again with half the ratio, and balanced. Defaults to 3; with 0 the first such round ends the run.
        monitor: Which of the model's metrics to watch. Defaults to `"accuracy"`.
        recovery: What is done to a network right after a cut, before fine-tuning, by name; see
            `firekeras.recovery`. Defaults to `("fold_means", "batch_norm")`.
        distill: Whether fine-tuning also follows what the first model gives
            (`firekeras.recovery.distill`). Defaults to False.
        fine_tune: A function that trains a network in place, `fine_tune(model)`, instead of
            `model.fit`. Defaults to none.
        evaluate: A function that measures a network, `evaluate(model) -> float`, instead of
            `model.evaluate`. Defaults to none.
        seed: Decides all that is drawn at random, by round, so that a resumed run is as one that
            was not interrupted. Defaults to 0.
        fit: Arguments for `model.fit`, such as `batch_size` or `callbacks`.
    """

    pruning_ratio: float = 0.05
    tolerance: float = 0.01
    layer_caps: Mapping[str, float] = dataclasses.field(default_factory=dict)
    target: Mapping[str, float] | None = None
    round_to: int = 1
    min_keep: float = 0.1
    balance: float = 0.0
    favour_macs: float = 0.0
    epochs_per_round: int = 1
    max_rounds: int = 100
    backtracks: int = 3
    monitor: str = "accuracy"
    recovery: tuple[str, ...] = ("fold_means", "batch_norm")
    distill: bool = False
    fine_tune: Callable | None = None
    evaluate: Callable | None = None
    seed: int = 0
    fit: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, model, given: Mapping) -> RunSettings:
        """Settings by name; those that are none of ours are for `model.fit`.

        Raises:
            ValueError: If neither takes one of them, or a number is out of its range.
        """
        own = {field.name for field in dataclasses.fields(cls)} - {"fit"}
        fit = {name: value for name, value in given.items() if name not in own}
        _check_fit_arguments(model, fit, own)
        settings = cls(**{name: given[name] for name in own & set(given)}, fit=fit)
        settings.check()
        return settings

    def check(self):
        """Raises `ValueError` for numbers out of their range, and for settings that contradict each other."""
        check_numbers(self.tolerance, self.epochs_per_round, self.max_rounds)
        if "acc" in self.monitor and 1 < self.tolerance < math.inf:
            raise ValueError(
                f"tolerance is a share of 1 where {self.monitor!r} is: 0.01 is one point. Received: {self.tolerance}. "
                "With 1 every round is kept."
            )
        check_whole("backtracks", self.backtracks, 0)
        check_whole("seed", self.seed, 0)
        check_limits(self.pruning_ratio, self.round_to, self.min_keep)
        check_share("balance", self.balance)
        check_share("favour_macs", self.favour_macs)
        if self.target is not None:
            checked_target(self.target, MEASURES)
        if self.fine_tune is not None and (self.distill or self.fit):
            unused = ", ".join([*self.fit, *(["distill"] if self.distill else [])])
            raise ValueError(f"fine_tune trains by itself: {unused} would not be used. Leave out one of them.")

    @property
    def trains_by_itself(self) -> bool:
        """Whether functions of the user's train and measure, so that no model need be compiled."""
        return self.fine_tune is not None and self.evaluate is not None

    @property
    def batch_size(self) -> int | None:
        """Of fine-tuning; `None` for Keras's own."""
        return self.fit.get("batch_size")

    def to_dict(self) -> dict:
        """All settings, shallowly."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def check_numbers(tolerance, epochs_per_round, max_rounds):
    """Raises `ValueError` for numbers out of their range."""
    if not tolerance >= 0:
        raise ValueError(f"tolerance is in absolute points from 0 on (0.01 is one point). Received: {tolerance}.")
    check_whole("epochs_per_round", epochs_per_round, 0)
    check_whole("max_rounds", max_rounds, 1)


def check_whole(name, value, least):
    """Raises `ValueError` unless `value` is a whole number, at least `least`."""
    if int(value) != value or value < least:
        raise ValueError(f"{name} is a whole number from {least} on. Received: {value}.")


def check_share(name, value):
    """Raises `ValueError` unless `value` is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is from 0 to 1. Received: {value}.")


def _check_fit_arguments(model, fit, own):
    known = set(inspect.signature(model.fit).parameters) - NOT_FOR_FIT if hasattr(model, "fit") else set()
    for name in fit:
        if name not in known:
            raise ValueError(
                f"Unknown setting {name!r}: neither compress nor model.fit takes it here. Did you mean "
                f"{nearest(name, sorted(own | known))!r}?"
            )
