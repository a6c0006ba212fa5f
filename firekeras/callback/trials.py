"""The rounds of one `fit`: each is planned, put on trial, and judged when its epochs are over."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

from firekeras.channels import traced
from firekeras.costs import count_costs
from firekeras.plan.planning import AS_SCORED, PruningPlan, plan_pruning
from firekeras.profile import FilterScores
from firekeras.rounds.evaluation import within_tolerance
from firekeras.rounds.records import CompressionResult, RoundRecord, undone_because
from firekeras.rounds.targets import Target
from firekeras.rounds.weighing import weighed


@dataclasses.dataclass
class Trial:
    """A round that is yet to be judged.

    Args:
        trace: The `Trace` of the network before the cut.
        scores: What its filters are ranked by.
        plan: What goes.
        pruning_ratio: The share that was asked for.
        details: What the method has to say of the round.
        before: The network before the cut, once that is made.
        began: When it was made.
        epochs: How many epochs it has trained since.
        rejected: Whether it is going to be undone.
    """

    trace: Any
    scores: FilterScores
    plan: PruningPlan
    pruning_ratio: float
    details: dict
    before: dict = dataclasses.field(default_factory=dict)
    began: float = 0.0
    epochs: int = 0
    rejected: bool = False


class Trials:
    """Says what is cut next, and whether it was too much.

    Args:
        method: Scores filters: `FirePruning`.
        settings: `RunSettings`.
        model: The model as `fit` got it.
        graph: Its `ChannelGraph`.

    Attributes:
        records: A `RoundRecord` per round that was judged.
        baseline: The metric that rounds are compared with.
        value: The metric of the network, as last accepted or trained on without cuts.
        costs: Its `Costs`.
        over: Whether there will be no further round.
        stopped_because: Why, in words.
    """

    def __init__(self, method, settings, model, graph):
        self._method, self._settings = method, settings
        self._ratio, self._rejections = settings.pruning_ratio, 0
        self._original_widths, self._costs_before = graph.widths, count_costs(graph)
        self._target = Target.of(settings.target, model, self._costs_before) if settings.target else None
        self._retry: Trial | None = None
        self.records: list[RoundRecord] = []
        self.baseline = self.value = math.nan
        self.costs = self._costs_before
        self.over = False
        self.stopped_because = "fit had no epochs left for another round."

    def stop(self, reason):
        """There will be no further round."""
        self.over, self.stopped_because = True, reason

    def next(self, model, data) -> Trial | None:
        """The next round; None where there is nothing more to cut.

        Args:
            model: The network as it is now.
            data: What FIRE is measured on anew where the detector has drifted; None for never.
        """
        trial, self._retry = self._retry, None
        if trial is not None or self._target_reached(model):
            return trial
        trace = traced(model)
        scores = self._method.scores(model, data, self._ratio) if self.records else self._method.profile
        plan = self._plan(trace.graph, scores)
        if plan.removed:
            return Trial(trace, scores, plan, self._ratio, dict(self._method.details))
        self.stop(" ".join(plan.notes))
        return None

    def judge(self, trial, value, lost, monitor, model) -> bool:
        """Whether a round is accepted; where it is not, plans it anew, or says why there is none.

        Args:
            trial: The round.
            value: Its metric.
            lost: Why training has lost its way, in words; None where it has not.
            monitor: The name of the metric.
            model: The model.
        """
        accepted = not lost and within_tolerance(value, self.baseline, self._settings.tolerance, monitor)
        if lost:
            trial.plan.notes.append(f"Undone: {lost}")
        self._record(trial, value, accepted, model)
        if accepted:
            self.value, self.costs = value, trial.plan.costs_after
        else:
            self._reject(trial, monitor)
        return accepted

    def result(self, model, interrupted=None) -> CompressionResult:
        """What the rounds came to.

        Args:
            model: The model.
            interrupted: What ended `fit` before its time, in words. Defaults to none.
        """
        return CompressionResult(
            model=model,
            baseline=self.baseline,
            accuracy=self.value,
            rounds=self.records,
            costs_before=self._costs_before,
            costs_after=self.costs,
            stopped_because=interrupted or self.stopped_because,
        )

    def _target_reached(self, model) -> bool:
        reached = self._target is not None and self._target.reached(model, self.costs)
        if reached:
            self.stop(f"The target {dict(self._settings.target)} is reached.")
        return reached

    def _plan(self, graph, scores) -> PruningPlan:
        limits = {
            "pruning_ratio": self._ratio,
            "layer_caps": self._settings.layer_caps,
            "original_widths": self._original_widths,
            **AS_SCORED,
        }
        scores = weighed(scores, graph, self._settings, self._rejections)
        plan = (self._target.plan if self._target else plan_pruning)(graph, scores, **limits)
        plan.notes.extend(self._method.notes())
        return plan

    def _reject(self, trial, monitor):
        trial.rejected = True
        self._rejections += 1
        self._retry = self._smaller(trial) if self._rejections <= self._settings.backtracks else None
        if self._retry is None:
            self.stop(undone_because(self.records[-1], monitor, self._settings.tolerance))

    def _smaller(self, trial) -> Trial | None:
        """The same round with half the ratio, halved again for as long as no fewer filters would go.

        Its scores are those of the network that comes back, so that nothing is measured.
        """
        while self._ratio * trial.plan.ranked >= 0.5:  # below, a plan takes its least already
            self._ratio /= 2
            plan = self._plan(trial.trace.graph, trial.scores)
            if 0 < plan.num_removed < trial.plan.num_removed:
                return Trial(trial.trace, trial.scores, plan, self._ratio, trial.details)
        return None

    def _record(self, trial, value, accepted, model):
        self.records.append(
            RoundRecord.of(
                trial.plan,
                number=len(self.records) + 1,
                accepted=accepted,
                accuracy_after_cut=math.nan,
                accuracy=value,
                baseline=self.baseline,
                seconds=time.monotonic() - trial.began,
                model=model,
                pruning_ratio=trial.pruning_ratio,
                details=trial.details,
            )
        )
