"""What a run shall come down to: MACs, parameters, or latency measured on this machine, in Keras or in LiteRT."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from firekeras.costs import Costs
from firekeras.latency import measure_latency
from firekeras.plan.planning import COSTS, PruningPlan, checked_target, plan_pruning
from firekeras.profile import FilterScores

LATENCY, LITERT_LATENCY = "latency", "litert_latency"
LATENCIES = (LATENCY, LITERT_LATENCY)
MEASURES = (*COSTS, *LATENCIES)


@dataclasses.dataclass(frozen=True)
class Target:
    """A cost, and how much of it there may be at the end.

    Args:
        measure: `"conv_macs"`, `"macs"`, `"params"`; `"latency"` of a pass in Keras; or `"litert_latency"`,
            that of the file which `firekeras.export_model` makes of the network, on one thread.
        share: Share of what the run began with, above 0, up to 1.
        goal: The same as an amount: MACs, parameters, or seconds.
    """

    measure: str
    share: float
    goal: float

    @classmethod
    def of(cls, target: Mapping[str, float], model, costs: Costs) -> Target:
        """The target `{measure: share}` of a run that begins with `model`.

        Raises:
            ValueError: If the measure is unknown or the share out of range.
        """
        measure, share = checked_target(target, MEASURES)
        before = _amount(measure, model, costs)
        return cls(measure, share, share * before)

    def amount(self, model, costs: Costs) -> float:
        """What there is of the cost now."""
        return _amount(self.measure, model, costs)

    def reached(self, model, costs: Costs) -> bool:
        """Whether a network is down at the goal."""
        return self.amount(model, costs) <= self.goal

    def plan(self, graph, scores, **limits) -> PruningPlan:
        """A plan for one round: what the limits let go, but no more than the goal needs."""
        plan = plan_pruning(graph, scores, **limits)
        if self.measure in LATENCIES or getattr(plan.costs_after, self.measure) > self.goal:
            return plan
        now = getattr(plan.costs_before, self.measure)
        return plan_pruning(graph, scores, target={self.measure: min(1, self.goal / now)}, **limits)

    def check_feasible(self, model, graph, **limits):
        """Raises `ValueError`, with the best that can be, where even the smallest network does not reach the goal."""
        smallest = plan_pruning(graph, _all_alike(graph), **{**limits, "pruning_ratio": 1 - 1e-9})
        least = self._amount_after(smallest, model)
        if least > self.goal:
            raise ValueError(
                f"target {{{self.measure!r}: {self.share}}} cannot be reached: with these caps, round_to and min_keep "
                f"the least is {least / self.goal * self.share:.3f}. Loosen the caps, lower min_keep, or ask for less."
            )

    def _amount_after(self, plan, model):
        if self.measure not in LATENCIES:
            return getattr(plan.costs_after, self.measure)
        from firekeras.surgery import prune

        return _amount(self.measure, prune(model, plan), plan.costs_after)


def _amount(measure, model, costs):
    if measure not in LATENCIES:
        return getattr(costs, measure)
    return (measure_latency(model) if measure == LATENCY else _exported_latency(model)).median


def _exported_latency(model):
    """What LiteRT takes for a network."""
    from firekeras.export.exporting import momentary_file

    with momentary_file(model) as path:
        return measure_latency(path, threads=1)


def _all_alike(graph) -> FilterScores:
    return FilterScores({name: [0.0] * width for name, width in graph.widths.items()}, criterion="none")
