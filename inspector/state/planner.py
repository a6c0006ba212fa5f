"""Turns choices into an exact preview in milliseconds, and into a complete plan with its reasons on request."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from firekeras.channels.costs import Costs, cost_without, costs_without
from firekeras.channels.graph import ChannelGraph
from firekeras.plan.caps import without_uncapped
from firekeras.plan.goals import goals_of
from firekeras.plan.planning import BALANCE, MAX_CUT, PruningPlan, plan_pruning
from firekeras.plan.reaching import Reaching, go_on
from firekeras.plan.selection import Limits, Ranking, Selection, selected_at_once
from firekeras.scores.profile import FilterScores
from inspector.state.choices import Choices

ALL = 1 - 1e-9  # as a ratio: everything that may go


@dataclasses.dataclass(frozen=True)
class Missed:
    """A goal that is out of reach.

    Args:
        measure: Of what, a name in `COSTS`.
        least: The least of it that there can be.
        why: What is in the way of less.
    """

    measure: str
    least: float
    why: str


@dataclasses.dataclass(frozen=True)
class Preview:
    """The effect of choices.

    Args:
        units: The units that go, a mask `(num_units,)`.
        gone: The filters that go, of all layers one after the other, a mask `(filters,)`.
        widths: For each layer, how many filters stay.
        costs: `Costs` of what stays, exact.
        choices: The choices of which it is the effect: if their goal is out of reach, to remove all that may go.
        missed: Goals that are out of reach.
        ranks: The rank of each filter in the order of removal, as `Planner.places_under` gives it, and how many have
            one; None if these are the same under any choices.
    """

    units: np.ndarray
    gone: np.ndarray
    widths: dict[str, int]
    costs: Costs
    choices: Choices = dataclasses.field(default_factory=Choices)
    missed: tuple[Missed, ...] = ()
    ranks: tuple[np.ndarray, int] | None = None

    @property
    def num_gone(self) -> int:
        """The number of filters that go."""
        return int(np.count_nonzero(self.gone))


class Planner:
    """Makes plans repeatedly for one network and its scores.

    Args:
        graph: The network's `ChannelGraph`.
        scores: `FilterScores` of its filters.
    """

    def __init__(self, graph: ChannelGraph, scores: FilterScores):
        self.graph, self.scores = graph, scores
        self.widths = graph.widths
        self.costs = costs_without(graph)
        self.units = np.concatenate([graph.filters(name) for name in graph.filter_layers] or [np.zeros(0, "int64")])
        self.starts = np.cumsum([0, *self.widths.values()])
        self._rankings: dict[tuple, Ranking] = {}
        self._most: tuple[tuple, float] | None = None
        self._plan: tuple[Choices, PruningPlan] | None = None

    def preview(self, choices: Choices, between: Callable[[], object] = go_on) -> Preview:
        """A preview of the filters that go, and of the remaining costs.

        Args:
            choices: The choices.
            between: A function that a search for a goal calls between its steps; what it raises ends the search.
        """
        return self._by_ratio(choices) if choices.goal is None else self._by_goal(choices, choices.goal, between)

    def _by_ratio(self, choices, missed=()):
        ranking, limits = self._limited(choices)
        selection, _ = selected_at_once(ranking, limits, ranking.budget(choices.ratio), MAX_CUT)
        return self._without(selection.gone, choices, missed)

    def _by_goal(self, choices, goal, between):
        """The fewest filters whose removal reaches the goal; all that may go if nothing does."""
        ranking, limits = self._limited(choices)
        goals = goals_of(goal.target, {measure: cost_without(self.graph, measure) for measure in goal.target})
        reaching = Reaching(ranking.graph, self.scores, limits, goals, choices.round_to, BALANCE, None, between)
        found = reaching.selection(MAX_CUT)
        if found is not None:
            ranking = found[0].ranking  # of a goal in time it is another one
            ranks = ranking.places()[self.units], ranking.filters
            return dataclasses.replace(self._without(found[0].gone, choices), ranks=ranks)
        least = [Missed(measure, *reaching.least(measure)) for measure in goals]
        missed = tuple(each for each in least if each.least > goals[each.measure]) or tuple(least)
        return self._by_ratio(dataclasses.replace(choices, ratio=ALL, goal=None), missed)

    def _limited(self, choices):
        """The ranking and the limits of some choices."""
        ranking = self._ranking(choices.round_to, choices.layer_caps)
        return ranking, Limits.of(ranking.graph, choices.layer_caps, choices.min_keep, {})

    def share(self, preview: Preview, choices: Choices) -> float:
        """The share of the filters which may go that a preview removes, from 0 to 1."""
        return preview.num_gone / max(1, self._ranking(choices.round_to, choices.layer_caps).filters)

    def most(self, choices: Choices) -> float:
        """The largest ratio that caps, locks and limits allow, from 0 to 1."""
        key = (choices.round_to, choices.min_keep, tuple(sorted(choices.layer_caps.items())))
        if self._most is None or self._most[0] != key:
            self._most = (key, self._largest(choices))
        return self._most[1]

    def _largest(self, choices):
        ranking, limits = self._limited(choices)
        return Selection(ranking, limits, ranking.filters).num_gone / max(1, ranking.filters)

    def cut(self, gone: np.ndarray) -> Preview:
        """A cut that was made already.

        Args:
            gone: The filters that went, of all layers one after the other, a mask `(filters,)`.
        """
        units = np.zeros(self.graph.num_units, bool)
        units[self.units[gone]] = True
        return self._without(units)

    def _without(self, units, choices=None, missed=()):
        gone = units[self.units]
        lost = np.add.reduceat(gone, self.starts[:-1], dtype="int64").tolist() if gone.size else []
        widths = {name: width - less for (name, width), less in zip(self.widths.items(), lost, strict=True)}
        return Preview(units, gone, widths, costs_without(self.graph, units), choices or Choices(), missed)

    def plan(self, choices: Choices) -> PruningPlan:
        """The choices as a `PruningPlan`, which has a reason for each filter."""
        if self._plan is None or self._plan[0] != choices:
            self._plan = (choices, plan_of(self.graph, self.scores, choices))
        return self._plan[1]

    @functools.cached_property
    def places(self) -> np.ndarray:
        """The rank of each filter in the order of removal without caps, from 1; 0 for none, `(filters,)`."""
        return self._ranking(1).places()[self.units]

    def places_under(self, choices: Choices) -> tuple[np.ndarray, int]:
        """The same under the caps of some choices, which some layers need to lose filters; and how many have a rank."""
        ranking = self._ranking(1, choices.layer_caps)
        return ranking.places()[self.units], ranking.filters

    @functools.cached_property
    def fire(self) -> np.ndarray:
        """The score of each filter, NaN for none, `(filters,)`."""
        return np.concatenate([self.scores.get(n, np.full(w, np.nan)) for n, w in self.widths.items()] or [[]])

    @property
    def prunable(self) -> np.ndarray:
        """Which units may go, `(num_units,)`; some of them only under a cap of their layer."""
        return self._ranking(1, self.graph.layers).prunable

    def _ranking(self, round_to, caps=()):
        asked_for = frozenset(name for name in caps if self.graph.layers[name].needs_cap)
        if (round_to, asked_for) not in self._rankings:
            graph = without_uncapped(self.graph, dict.fromkeys(asked_for, 1.0))
            self._rankings[round_to, asked_for] = Ranking(graph, self.scores, round_to, BALANCE)
        return self._rankings[round_to, asked_for]


def plan_of(graph: ChannelGraph, scores: FilterScores, choices: Choices) -> PruningPlan:
    """The plan for some choices, as the command line makes it."""
    size: dict[str, Any] = {"pruning_ratio": choices.ratio} if choices.goal is None else {"target": choices.goal.target}
    return plan_pruning(
        graph,
        scores,
        **size,
        layer_caps=choices.layer_caps,
        round_to=choices.round_to,
        min_keep=choices.min_keep,
    )
