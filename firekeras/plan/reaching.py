"""Down to targets: the fewest filters whose removal reaches all of them, cut where it helps."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Mapping

import numpy as np

from firekeras.channels.costs import COSTS, cost_without, costs_of_units, in_the_way, kept_lengths, saved_by_units
from firekeras.channels.graph import ChannelGraph
from firekeras.channels.lite.arena import FLOAT32, INT8, aligned, peak
from firekeras.plan.goals import in_words, is_share
from firekeras.plan.selection import Limits, Ranking, Selection
from firekeras.plan.widening import STEPS
from firekeras.scores.profile import FilterScores

WIDTHS = {"ram": INT8, "ram_float32": FLOAT32}  # the costs that are a maximum over steps, not a sum over layers
TRIES = 200  # steps of a network, each crowded for a while
CUTS = 64  # that are tried if RAM may rise by a cut, since buffers are laid otherwise then


def go_on():
    """What happens between the steps of a search that nobody ends early: nothing."""


class Reaching:
    """Finds the units that go for some goals.

    The costs that are sums take the filters that rank highest among all that save some of it. RAM is the
    height of a stack of buffers: only what lies in it is cut, until another stack is the highest. For latency, filters
    of layers that take more time go earlier: at equal loss by rank, a layer whose filters take four times as long
    loses twice the share. That is the geometric mean of equal shares for all layers, which waste no layer, and of the
    most time per lost rank, which empties the slowest ones first. With `balance=0` the scores alone decide.

    Args:
        graph: The channel graph.
        scores: The scores.
        limits: How many channels each layer and part may lose.
        goals: The amount of each cost that may be left.
        round_to, balance, measure: As in `Ranking`.
        between: A function that is called between steps, which may take a while; what it raises ends the search.
    """

    def __init__(
        self,
        graph: ChannelGraph,
        scores: FilterScores,
        limits: Limits,
        goals: Mapping[str, float],
        round_to: int = 1,
        balance: float = 0.0,
        measure: str | None = None,
        between: Callable[[], object] = go_on,
    ):
        self.graph, self.scores, self.limits, self.round_to = graph, scores, limits, round_to
        self._between = between
        self.goals = dict(sorted(goals.items(), key=lambda goal: goal[0] not in WIDTHS))  # RAM asks for certain layers
        saves = " and ".join(COSTS[name].title for name in goals)
        self._ranking = functools.partial(
            Ranking, graph, scores, round_to, balance, measure, saves=saves, worth=self._seconds_of_filters(balance)
        )
        self._cuts: list[Selection] = []

    def _seconds_of_filters(self, balance):
        """The time that goes with a filter of each unit, `(num_units,)`; None if it must not count, or is no goal."""
        if "latency" not in self.goals or not balance:
            return None
        return costs_of_units(self.graph, "latency") / np.maximum(self.graph.unit_sizes, 1)

    def selection(self, max_cut: float) -> tuple[Selection, float] | None:
        """The selection that reaches all goals, and the share of its filters that a layer may lose for it.

        Args:
            max_cut: The share to start with.

        Returns:
            None if the goals are out of reach.
        """
        for cut in (max_cut, *(share for share in STEPS if share > max_cut)):
            limits = self.limits.at_once(self.graph, cut, self.round_to)
            gone = self._reached(limits)
            if gone is not None:
                return self._as_selection(gone, limits), cut
        return None

    def _reached(self, limits) -> np.ndarray | None:
        self._helped, self._cuts = self._saves_something(), []
        gone = np.zeros(self.graph.num_units, bool)
        for measure, goal in self.goals.items():
            further = self._ram_down_to if measure in WIDTHS else self._down_to
            found = further(measure, goal, gone, limits)
            if found is None:
                return None
            gone = found
        return gone

    def _saves_something(self):
        """The units whose removal brings some goal nearer, as long as nothing is gone."""
        return np.logical_or.reduce([costs_of_units(self.graph, measure) > 0 for measure in self.goals])

    def _as_selection(self, gone, limits):
        """These units as a selection of all that help; if steps of `round_to` keep it from that, as they were cut."""
        cut = next((cut for cut in reversed(self._cuts) if np.array_equal(cut.gone, gone)), None)
        if cut is not None and len(self._cuts) == 1:
            return cut
        ranking = self._ranking(helps=self._helped | gone, first=gone)
        selection = Selection(ranking, limits, int(self.graph.unit_sizes[gone].sum()))
        return selection if cut is None or np.array_equal(selection.gone, gone) else cut

    def _down_to(self, measure, goal, gone, limits):
        """The units that are gone once a cost is down to its goal; None if it cannot be."""
        return self._cut(costs_of_units(self.graph, measure, gone) > 0, gone, limits,
                         lambda mask: cost_without(self.graph, measure, mask), goal)  # fmt: skip

    def _ram_down_to(self, measure, goal, gone, limits):
        """The units that are gone once RAM is down to its goal; None if it cannot be."""
        if self.graph.program is None:  # then there was no amount to begin with
            return None
        begun = gone
        for _ in range(TRIES):
            self._between()
            now = peak(self.graph.program, kept_lengths(self.graph, gone), WIDTHS[measure])
            if now.planned <= goal:
                return self._given_back(begun, gone, measure, goal)
            further = self._crowd_down_to(now, measure, goal, gone, limits)
            if further is None:
                break
            gone = further
        gone = self._first(np.ones(self.graph.num_units, bool), gone, limits, measure, goal)
        return None if gone is None else self._given_back(begun, gone, measure, goal)

    def _crowd_down_to(self, now, measure, goal, gone, limits):
        """Fewer bytes in the most crowded step; if all that is alive at once fits, buffers that are laid lower.

        Args:
            now: The `Peak` of what is left.
            measure, goal, gone, limits: As in `_down_to`.
        """
        if now.alive > goal:
            return self._lowered(now.crowd, gone, limits, goal)
        anywhere = np.ones(self.graph.num_units, bool)
        tried = [
            self._first(helps, gone, limits, measure, goal) for helps in (self._units_of(now.stack, gone), anywhere)
        ]
        found = [self._given_back(gone, cut, measure, goal) for cut in tried if cut is not None]
        if not found:
            return self._lowered(now.stack, gone, limits, goal)
        return max(found, key=lambda mask: cost_without(self.graph, "macs", mask))

    def _lowered(self, buffers, gone, limits, goal):
        return self._cut(self._units_of(buffers, gone), gone, limits, self._height(buffers), goal)

    def _units_of(self, buffers, gone):
        """The units whose removal makes some of these buffers smaller."""
        return saved_by_units(self.graph, buffers, kept_lengths(self.graph, gone)) > 0

    def _first(self, helps, gone, limits, measure, goal):
        """The first of some further cuts, each larger, with which RAM is down to a goal; None without one.

        RAM may rise by a cut, since buffers are laid otherwise then: bisection would miss what is enough.
        """
        ranking = self._ranking(helps=helps | gone, first=gone)
        budgets = np.linspace(self.graph.unit_sizes[gone].sum(), ranking.filters, 1 + CUTS)[1:]
        for budget in np.unique(np.ceil(budgets).astype(int)):
            self._between()
            selection = Selection(ranking, limits, int(budget))
            if cost_without(self.graph, measure, selection.gone) <= goal:
                return self._taken(selection, helps)
        return None

    def _taken(self, selection, helps):
        self._helped |= helps
        self._cuts.append(selection)
        return selection.gone

    def _height(self, stack) -> Callable:
        """The height of a stack of buffers, as a function of what is gone."""

        def height(mask):
            kept = kept_lengths(self.graph, mask)
            return sum(aligned(product.of(kept)) for product in stack)

        return height

    def _cut(self, helps, gone, limits, amount, goal):
        """The fewest further units with which an amount is down to a goal, by bisection; None if it cannot be."""
        if amount(gone) <= goal:
            return gone
        ranking = self._ranking(helps=helps | gone, first=gone)
        sizes = self.graph.unit_sizes
        low, high = int(sizes[gone].sum()), ranking.filters
        after = functools.cache(lambda budget: Selection(ranking, limits, budget))
        if amount(after(high).gone) > goal:
            return None
        while low < high:
            self._between()
            middle = (low + high) // 2
            low, high = (low, middle) if amount(after(middle).gone) <= goal else (middle + 1, high)
        return self._taken(after(low), helps)

    def _given_back(self, begun, gone, measure, goal):
        """What is gone, without what turns out not to matter: of several cuts, the later may do an earlier one's work.

        Args:
            begun: What was gone before the cuts.
            gone: What is gone after them.
            measure, goal: A cost, and the amount of it that may be left.
        """
        if self.round_to > 1:  # a selection is made of whole steps, in the order of the ranking
            return gone
        ranks = self._ranking(helps=gone).places()
        macs = costs_of_units(self.graph, "macs", begun)
        layers = collections.defaultdict(list)
        for unit in np.flatnonzero(gone & ~begun):
            layers[self.graph.limited_by[unit]].append(unit)
        for units in sorted(layers.values(), key=lambda units: -macs[units].sum()):
            best_first = sorted(units, key=lambda unit: -ranks[unit])
            gone = self._without_the_best(best_first, gone, measure, goal)
        return gone

    def _without_the_best(self, units, gone, measure, goal):
        """What is gone, without as many of a layer's units as can stay, the best first."""
        low, high = 0, len(units)
        while low < high:
            middle = (low + high + 1) // 2
            fits = cost_without(self.graph, measure, _but(gone, units[:middle])) <= goal
            low, high = (middle, high) if fits else (low, middle - 1)
        return _but(gone, units[:low])

    def least(self, measure: str) -> tuple[float, str]:
        """The least of a cost that there can be, and which layer is in the way."""
        ranking = self._ranking()
        gone = Selection(ranking, self.limits, ranking.filters).gone
        return cost_without(self.graph, measure, gone), in_the_way(self.graph, measure, gone)

    def refused(self, target: Mapping[str, float | str]) -> ValueError:
        """The error for goals that are out of reach: what can be had, and the layer in the way."""
        missed = {measure: self.least(measure) for measure in self.goals}
        missed = {m: found for m, found in missed.items() if found[0] > self.goals[m]} or missed
        said = ", ".join(self._in_words(measure, target[measure], *found) for measure, found in missed.items())
        return ValueError(
            f"target {dict(target)} cannot be reached: with these caps and min_keep the least is {said}. Loosen the "
            "caps, lower min_keep, or ask for less."
        )

    def _in_words(self, measure, asked, least, why):
        share = f"{least / (cost_without(self.graph, measure) or 1):.3f}"
        return f"{measure}={share if is_share(asked) else in_words(measure, least)} ({why})"


def _but(gone, units):
    """What is gone, but for these units."""
    left = gone.copy()
    left[units] = False
    return left
