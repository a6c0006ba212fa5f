"""The target of a run: costs that are counted, or latency measured on this machine; one, or several at once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

import keras

from firekeras.channels.costs import Costs, cost_without, in_the_way
from firekeras.export.latency import measure_latency
from firekeras.plan.goals import Value, checked_target, described, goals_of, in_words, is_share
from firekeras.plan.planning import PruningPlan, plan_pruning
from firekeras.plan.pruning import prune
from firekeras.plan.reaching import WIDTHS
from firekeras.plan.units import completed
from firekeras.rounds.settings import LATENCIES, LATENCY, MEASURES
from firekeras.scores.profile import FilterScores

TRIES = 5  # networks that are cut and timed to find how many MACs a latency allows
ALL = 1 - 1e-9  # as a pruning ratio: everything that may go


@dataclasses.dataclass(frozen=True)
class Target:
    """Costs, and how much of each may be left at the end.

    Args:
        asked: As the user gave it, `{measure: share or amount}`. A measure is a name in `COSTS`, of which `"latency"`
            is that of a pass in Keras if there is no table; or `"litert_latency"`, of the file that
            `firekeras.export_model` writes, on one thread.
        before: The amount of each at the start of the run: MACs, parameters, bytes or seconds.
        goals: The amount of each that may be left.
        timed: The measures that are timed on this machine: latencies without a table. All others are counted.
    """

    asked: Mapping[str, Value]
    before: Mapping[str, float]
    goals: Mapping[str, float]
    timed: tuple[str, ...] = ()

    @classmethod
    def of(cls, target: Mapping[str, Value], model: keras.Model, costs: Costs) -> Target:
        """The target of a run.

        Args:
            target: `{measure: share or amount}`.
            model: The model that the run begins with; a latency is measured on it.
            costs: Its `Costs`, with the latency if there is a table.

        Raises:
            ValueError: If a measure is unknown, or a share or amount is out of range.
        """
        asked = checked_target(target, MEASURES)
        timed = tuple(measure for measure in asked if measure in LATENCIES and getattr(costs, measure, None) is None)
        before = {m: _measured(m, model) if m in timed else getattr(costs, m) for m in asked}
        return cls(asked, before, goals_of(asked, before), timed)

    def __str__(self):
        return "{" + ", ".join(f"{measure!r}: {_shown(value)}" for measure, value in self.asked.items()) + "}"

    @property
    def reached_because(self) -> str:
        """The sentence with which a run ends that has reached it."""
        return f"The target of {described(self.asked)} is reached."

    @property
    def missed(self) -> str:
        """The sentence on a run that has ended before it was there."""
        return f"The target of {described(self.asked)} is not reached."

    @property
    def share(self) -> float:
        """The smallest share of a cost that may be left, at most 1."""
        return min([1.0, *(goal / max(1e-12, self.before[measure]) for measure, goal in self.goals.items())])

    @property
    def counted(self) -> str | None:
        """The cost to count by if there is room for one: the first that is counted, not timed; None without any."""
        return next((measure for measure in self.goals if measure not in self.timed), None)

    def stage(self, part: float, before: Mapping[str, float]) -> dict[str, float]:
        """The amounts after a part of the way, from 0 to 1, on a straight line from `before` down to the goals."""
        return {measure: before[measure] - (before[measure] - goal) * part for measure, goal in self.goals.items()}

    def reached(self, model: keras.Model, costs: Costs) -> bool:
        """Whether a network has reached all goals; latencies are measured last."""
        ordered = sorted(self.goals, key=lambda measure: measure in self.timed)
        return all(self._amount(measure, model, costs) <= self.goals[measure] for measure in ordered)

    def _amount(self, measure, model, costs):
        return _measured(measure, model) if measure in self.timed else getattr(costs, measure)

    def down_to(self, amounts: Mapping[str, float], model, graph, scores, **limits) -> PruningPlan:
        """A plan that cuts down to these amounts, as far as the limits allow."""
        if any(measure in self.timed for measure in amounts):
            return self._by_timing(amounts, model, graph, scores, limits)
        return down_to(amounts, graph, scores, **limits)

    def _by_timing(self, amounts, model, graph, scores, limits) -> PruningPlan:
        """Without a table latency has no formula: times a few cut networks, and takes the largest that is fast."""
        macs, costs = cost_without(graph, "macs"), {m: a for m, a in amounts.items() if m not in self.timed}
        times = {measure: amount for measure, amount in amounts.items() if measure in self.timed}
        low, high, best = 0.0, 1.0, None
        share = min([1.0, *(amount / _measured(measure, model) for measure, amount in times.items())])
        for _ in range(TRIES):
            wanted = {**costs, "macs": min(share * macs, costs.get("macs", macs))}
            plan = down_to(wanted, graph, scores, **limits)
            smaller = prune(model, plan)
            fast = all(_measured(measure, smaller) <= amount for measure, amount in times.items())
            low, high, best = (share, high, plan) if fast else (low, share, best)
            share = (low + high) / 2 if low else share * 0.8
        return best or plan

    def plan(self, graph, scores, **limits) -> PruningPlan:
        """A plan for one round: as much as the limits allow, but no more than the goals need."""
        plan = plan_pruning(graph, scores, **limits)
        if self.timed or any(getattr(plan.costs_after, measure) > goal for measure, goal in self.goals.items()):
            return plan
        return down_to(self.goals, graph, scores, **limits)

    def check_feasible(self, model, graph, **limits):
        """Raises `ValueError`, with the best that can be had and the layer in the way, if a goal is out of reach."""
        plan = smallest(graph, **limits)
        least = {measure: self._amount_after(measure, plan, model) for measure in self.goals}
        missed = [measure for measure, goal in self.goals.items() if least[measure] > goal]
        if missed:
            graph, gone = with_times(graph, limits), graph.units_of(plan.removed)
            said = ", ".join(self._least_in_words(measure, least[measure], graph, gone) for measure in missed)
            raise ValueError(
                f"target {self} cannot be reached: with these caps, round_to and min_keep the least is {said}. Loosen "
                "the caps, lower min_keep, or ask for less."
            )

    def _least_in_words(self, measure, least, graph, gone):
        """The least of a cost, as it was asked for, and the layer in the way."""
        share = f"{least / self.before[measure]:.3f}"
        amount = share if is_share(self.asked[measure]) else in_words(measure, least)
        named = f"{measure} {amount}" if len(self.goals) > 1 else amount
        if measure in self.timed:
            return named
        return f"{named} ({in_the_way(graph, measure, gone)})"

    def _amount_after(self, measure, plan, model):
        return self._amount(measure, prune(model, plan) if self.timed else model, plan.costs_after)


def _shown(value):
    return repr(value) if isinstance(value, str) else f"{value:g}"


def with_times(graph, limits):
    """The graph with the times of its layers, if there is a latency table among the limits of a plan."""
    table = limits.get("latency")
    return graph if table is None else table.on(graph)


def down_to(amounts: Mapping[str, float], graph, scores, **limits) -> PruningPlan:
    """A plan that cuts down to amounts of costs, or takes everything that may go if it must."""
    limits = {name: value for name, value in limits.items() if name != "pruning_ratio"}
    timed = with_times(graph, limits)
    before = {measure: cost_without(timed, measure) for measure in amounts}
    shares = {m: min(1.0, max(1e-9, amount / (before[m] or 1))) for m, amount in amounts.items()}
    with contextlib.suppress(ValueError):  # scores are missing: not every filter that may go can be ranked
        return plan_pruning(graph, scores, target=shares, **limits)
    if set(shares) & set(WIDTHS):  # what has no score may lie at the peak, which would stay whatever else went
        with contextlib.suppress(ValueError):
            plan = plan_pruning(graph, completed(scores, graph), target=shares, **limits)
            plan.notes.append("Filters without a score are ranked by l1 norms, or RAM would stay.")
            return plan
    return plan_pruning(graph, scores, pruning_ratio=ALL, **limits)


def smallest(graph, **limits) -> PruningPlan:
    """The plan that takes everything that may go."""
    limits = {**limits, "pruning_ratio": ALL, "balance": 0.0, "max_cut": 1.0}
    scores = FilterScores({name: [0.0] * width for name, width in graph.widths.items()}, criterion="none")
    return plan_pruning(graph, scores, **limits)


def _measured(measure, model):
    """A latency, in seconds."""
    return (measure_latency(model) if measure == LATENCY else _exported_latency(model)).median


def _exported_latency(model):
    """The latency of a network in LiteRT, in seconds."""
    from firekeras.export.exporting import momentary_file

    with momentary_file(model) as path:
        return measure_latency(path, threads=1)
