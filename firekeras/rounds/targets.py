"""The target of a run: MACs, parameters, or latency measured on this machine, in Keras or in LiteRT."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import keras

from firekeras.channels.costs import Costs, costs_without
from firekeras.export.latency import measure_latency
from firekeras.plan.planning import PruningPlan, checked_target, plan_pruning
from firekeras.plan.pruning import prune
from firekeras.rounds.settings import LATENCIES, LATENCY, MEASURES
from firekeras.scores.profile import FilterScores

TRIES = 5  # networks that are cut and timed to find how many MACs a latency allows
ALL = 1 - 1e-9  # as a pruning ratio: everything that may go


@dataclasses.dataclass(frozen=True)
class Target:
    """A cost, and how much of it may be left at the end.

    Args:
        measure: `"conv_macs"`, `"macs"` or `"params"`; `"latency"`, of a pass in Keras; or `"litert_latency"`,
            of the file that `firekeras.export_model` writes, on one thread.
        share: The share of the cost at the start of the run that may be left, above 0, up to 1.
        goal: The same as an amount: MACs, parameters, or seconds.
    """

    measure: str
    share: float
    goal: float

    @classmethod
    def of(cls, target: Mapping[str, float], model: keras.Model, costs: Costs) -> Target:
        """The target of a run.

        Args:
            target: `{measure: share}`.
            model: The model that the run begins with; a latency is measured on it.
            costs: Its `Costs`.

        Raises:
            ValueError: If the measure is unknown or the share is out of range.
        """
        measure, share = checked_target(target, MEASURES)
        return cls(measure, share, share * _amount(measure, model, costs))

    def __str__(self):
        return f"{{{self.measure!r}: {self.share:g}}}"

    def stage(self, part: float, before: float) -> float:
        """The amount after a part of the way, from 0 to 1, on a straight line from `before` down to the goal."""
        return before - (before - self.goal) * part

    def amount(self, model: keras.Model, costs: Costs) -> float:
        """The amount of the cost in a network."""
        return _amount(self.measure, model, costs)

    def reached(self, model: keras.Model, costs: Costs) -> bool:
        """Whether a network has reached the goal."""
        return self.amount(model, costs) <= self.goal

    def down_to(self, amount: float, model, graph, scores, **limits) -> PruningPlan:
        """A plan that cuts down to an amount of the cost, as far as the limits allow."""
        if self.measure in LATENCIES:
            return self._timed(amount, model, graph, scores, limits)
        return down_to(self.measure, amount, graph, scores, **limits)

    def _timed(self, amount, model, graph, scores, limits) -> PruningPlan:
        """Latency has no formula: cuts and times a few networks, and takes the largest that is fast enough."""
        low, high, best = 0.0, 1.0, None
        share = min(1.0, amount / self.amount(model, costs_without(graph)))
        for _ in range(TRIES):
            plan = down_to("macs", share * costs_without(graph).macs, graph, scores, **limits)
            fast = self._amount_after(plan, model) <= amount
            low, high, best = (share, high, plan) if fast else (low, share, best)
            share = (low + high) / 2 if low else share * 0.8
        return best or plan

    def plan(self, graph, scores, **limits) -> PruningPlan:
        """A plan for one round: as much as the limits allow, but no more than the goal needs."""
        plan = plan_pruning(graph, scores, **limits)
        if self.measure in LATENCIES or getattr(plan.costs_after, self.measure) > self.goal:
            return plan
        return down_to(self.measure, self.goal, graph, scores, **limits)

    def check_feasible(self, model, graph, **limits):
        """Raises `ValueError`, with the smallest possible share, if even the smallest network misses the goal."""
        least = self._amount_after(smallest(graph, **limits), model)
        if least > self.goal:
            raise ValueError(
                f"target {self} cannot be reached: with these caps, round_to and min_keep "
                f"the least is {least / self.goal * self.share:.3f}. Loosen the caps, lower min_keep, or ask for less."
            )

    def _amount_after(self, plan, model):
        if self.measure not in LATENCIES:
            return getattr(plan.costs_after, self.measure)
        return _amount(self.measure, prune(model, plan), plan.costs_after)


def down_to(measure, amount, graph, scores, **limits) -> PruningPlan:
    """A plan that cuts down to an amount of MACs or parameters, or takes everything that may go if it must."""
    limits = {name: value for name, value in limits.items() if name != "pruning_ratio"}
    before = getattr(plan_pruning(graph, scores, pruning_ratio=0.0, **limits).costs_before, measure)
    try:
        return plan_pruning(graph, scores, target={measure: min(1.0, max(1e-9, amount / before))}, **limits)
    except ValueError:  # scores are missing: not every filter that may go can be ranked
        return plan_pruning(graph, scores, pruning_ratio=ALL, **limits)


def smallest(graph, **limits) -> PruningPlan:
    """The plan that takes everything that may go."""
    limits = {**limits, "pruning_ratio": ALL, "balance": 0.0, "max_cut": 1.0}
    scores = FilterScores({name: [0.0] * width for name, width in graph.widths.items()}, criterion="none")
    return plan_pruning(graph, scores, **limits)


def _amount(measure, model, costs):
    if measure not in LATENCIES:
        return getattr(costs, measure)
    return (measure_latency(model) if measure == LATENCY else _exported_latency(model)).median


def _exported_latency(model):
    """The latency of a network in LiteRT, in seconds."""
    from firekeras.export.exporting import momentary_file

    with momentary_file(model) as path:
        return measure_latency(path, threads=1)
