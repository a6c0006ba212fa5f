"""How much each round cuts, and how long it trains: down to a target, or for as long as the tolerance allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Protocol

CUTTING = 0.6  # share of the epochs in which rounds within a tolerance may cut; the rest is training
LEAST_LEFT, MOST_LEFT = 0.7, 0.95  # share of the MACs that one round leaves
DEPTH = 0.1  # share of the MACs that are left if every round is kept
NEGLIGIBLE = 0.01  # a cut that saves less than this share of the MACs is not worth a round
ONE_CUT_LEAVES = 0.35  # share of the MACs: without half of each layer's filters, a quarter would be left


@dataclasses.dataclass(frozen=True)
class Step:
    """What a round has to do.

    Args:
        epochs: How many epochs the network trains after the cut.
        ratio: The share of the prunable filters that go; None if a cost decides.
        goal: `{measure: amount}`: the costs to cut down to; None if a ratio decides.
        cuts: Whether the round cuts; if not, it only trains. Defaults to True.
        undoes: Whether the round is undone if the metric falls below the tolerance. Defaults to True.
        last: Whether the run ends with this round, so that the better state is kept: the one after the cut, or
            after training. Defaults to False.
    """

    epochs: int
    ratio: float | None = None
    goal: Mapping[str, float] | None = None
    cuts: bool = True
    undoes: bool = True
    last: bool = False


class Pace(Protocol):
    """Decides what comes next in a run."""

    @property
    def epochs(self) -> int | None:
        """Epochs of the whole run; None for no limit."""

    def next(self, run) -> Step | str:
        """The next step; or a sentence that says why there is none."""

    def epochs_after(self, run, step: Step, arrived: bool) -> int:
        """How many epochs a network trains after a cut, given whether that cut arrives at the target."""


def pace_of(settings, target, epochs: int | None, method) -> Pace:
    """The pace of a run.

    Args:
        settings: `RunSettings`.
        target: The `Target`, or None.
        epochs: How many epochs there are; None for no limit.
        method: The `Method`, which may do all in one cut.
    """
    if target is not None and epochs is not None:
        return ToTarget(target, epochs, settings.epochs_per_round, settings.max_rounds)
    if method.one_shot(target):
        return OneShot(epochs, settings.epochs_per_round)
    return WithinTolerance(settings, target, epochs)


def _to_the_end(run, epochs: int | None) -> Step | None:
    """The step that trains what was cut for the epochs that are left; None if there is nothing to train."""
    left = 0 if epochs is None else epochs - run.epochs_spent
    return Step(left, cuts=False, undoes=False) if left > 0 and run.has_cut and not run.finished else None


class ToTarget:
    """A few cuts in the first part of the epochs, spaced evenly in the target's cost; then training to the end.

    Args:
        target: The `Target`.
        epochs: Epochs of the whole run.
        between: Epochs between two cuts. Defaults to None: a twelfth of all epochs, but at least one.
        most: How many cuts there may be. Defaults to 100.
    """

    def __init__(self, target, epochs: int, between: int | None = None, most: int = 100):
        self.target, self.epochs, self.most = target, epochs, most
        self.between = max(1, epochs // 12) if between is None else between
        self.cuts = self._number_of_cuts()

    def _number_of_cuts(self):
        needed = math.ceil(math.log(min(self.target.share, 1)) / math.log(ONE_CUT_LEAVES))
        return min(self.most, max(1, needed, 1 + sum(self.epochs >= enough for enough in (4, 12, 24))))

    def next(self, run) -> Step | str:
        if run.arrived or run.exhausted:
            reason = self.target.reached_because if run.arrived else run.exhausted
            return _to_the_end(run, self.epochs) or reason
        number = min(run.cuts_kept + 1, self.cuts)
        amounts = self.target.stage(number / self.cuts, run.start_amounts)
        return Step(0, goal=amounts, undoes=False)

    def epochs_after(self, run, step, arrived) -> int:
        left = max(0, self.epochs - run.epochs_spent)
        if arrived:
            return left
        return max(0, min(self.between, left - math.ceil(self.epochs * (1 - CUTTING))))


class OneShot:
    """One cut, as far as the method goes, and training after it; no tolerance undoes it.

    Args:
        epochs: Epochs of the whole run; None for those of a round.
        per_round: Epochs of a round. Defaults to None: one.
    """

    def __init__(self, epochs: int | None, per_round: int | None = None):
        self.epochs = epochs
        self.training = epochs if epochs is not None else 1 if per_round is None else per_round

    def next(self, run) -> Step | str:
        if run.exhausted:
            return run.exhausted
        if not run.leg:
            return Step(self.training, undoes=False, last=True)
        return "All went in one cut." if run.leg[-1].accepted else run.undone_because()

    def epochs_after(self, run, step, arrived) -> int:
        return step.epochs


class WithinTolerance:
    """Rounds of cutting and training; a round below the tolerance is undone, and tried again with half the ratio.

    After a round that is kept the ratio doubles again, up to its first value. Rounds cut in the first part of the
    epochs; the rest of the epochs train the result to the end.

    Args:
        settings: `RunSettings`.
        target: The `Target` at which to stop cutting, or None.
        epochs: Epochs of the whole run; None for no limit, and no training at the end.
    """

    def __init__(self, settings, target, epochs: int | None):
        self.settings, self.target, self.epochs = settings, target, epochs
        per_round = settings.epochs_per_round
        self.per_round = max(1, (epochs or 0) // 20) if per_round is None else per_round
        self.cutting = math.inf if epochs is None else max(self.per_round, math.floor(CUTTING * epochs))
        self.left_by_round = self._left_by_round()

    def _left_by_round(self):
        """The share of the MACs that a round leaves, sized so that the rounds lead far enough."""
        if math.isinf(self.cutting):
            return MOST_LEFT
        rounds = max(1, self.cutting // max(1, self.per_round))
        return min(MOST_LEFT, max(LEAST_LEFT, DEPTH ** (1 / rounds)))

    def next(self, run) -> Step | str:
        reason = self._why_not_cut(run)
        return (_to_the_end(run, self.epochs) or reason) if reason else self._cut(run)

    def _why_not_cut(self, run) -> str:
        if run.exhausted:
            return run.exhausted
        if run.arrived:
            return self.target.reached_because
        if run.undone_in_a_row > self.settings.backtracks:
            return run.undone_because()
        if run.epochs_spent + self.per_round > self.cutting:
            return "The epoch is used up." if self.epochs == 1 else f"The {self.epochs} epochs are used up."
        return ""

    def _cut(self, run) -> Step:
        share = 0.5**run.halvings
        if self.settings.pruning_ratio is not None:
            return Step(self.per_round, ratio=self.settings.pruning_ratio * share)
        left = 1 - (1 - self.left_by_round) * share
        return Step(self.per_round, goal={"macs": left * run.costs.macs})

    def epochs_after(self, run, step, arrived) -> int:
        return step.epochs
