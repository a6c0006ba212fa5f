"""Which units go, in a few array operations: the same as `firekeras.plan.selection.Selection`, without its reasons."""

from __future__ import annotations

import functools

import numpy as np

from firekeras.plan.selection import Limits, Ranking, Selection
from firekeras.plan.widening import narrowest_cut


class QuickSelection:
    """Answers again and again for one ranking, while only the budget and the limits change.

    Units that hold the same number of filters in the same layers, and share these layers with no others, go one
    after the other until the tightest of their layers is at its limit: so many of them that is known at once.
    If layers are shared otherwise, or read in parts, or widths are rounded, `Selection` itself answers.

    Args:
        ranking: What may go, in order.
    """

    def __init__(self, ranking: Ranking):
        self.ranking = ranking
        order = ranking.order.tolist()
        limited = ranking.graph.limited_by
        kinds = {held: number for number, held in enumerate(dict.fromkeys(limited[u] for u in order))}
        self._kinds = list(kinds)
        self._kind = np.array([kinds[limited[unit]] for unit in order], "int64")
        self._place_in_kind = _place_in_kind(self._kind)
        self._sizes = ranking.graph.unit_sizes[ranking.order]
        layers = [layer for held in self._kinds for layer, _ in held]
        self.applies = ranking.round_to == 1 and len(layers) == len(set(layers))

    def gone_at_once(self, limits: Limits, budget: int, max_cut: float) -> np.ndarray:
        """The units that go where no layer loses more than a share at once, unless the budget needs it."""
        graph, step = self.ranking.graph, self.ranking.round_to
        gone = functools.cache(lambda cut: self.gone(limits.at_once(graph, cut, step), budget))
        return gone(narrowest_cut(lambda cut: int(graph.unit_sizes[gone(cut)].sum()), max_cut, budget))

    def gone(self, limits: Limits, budget: int) -> np.ndarray:
        """The units that go, a mask `(num_units,)`."""
        if not self.applies:
            return Selection(self.ranking, limits, budget).gone
        fits = self._place_in_kind < self._most(limits)[self._kind] if self._kinds else np.zeros(0, bool)
        taken = fits & (np.cumsum(self._sizes * fits) <= budget)
        self._fill(taken, fits, budget)
        gone = np.zeros(self.ranking.graph.num_units, bool)
        gone[self.ranking.order[taken]] = True
        return gone

    def _most(self, limits):
        """For each kind, how many of its units may go."""
        allowed = limits.allowed.tolist()
        return np.array([min(allowed[layer] // count for layer, count in held) for held in self._kinds])

    def _fill(self, taken, fits, budget):
        """Spends what is left of the budget behind the first unit that would overshoot it, on smaller ones."""
        left = budget - int(self._sizes[taken].sum())
        while left:
            smaller = np.flatnonzero(fits & ~taken & (self._sizes <= left))
            behind = smaller[smaller > self._first_missed(taken, fits)]
            if not behind.size:
                return
            taken[behind[0]] = True
            left -= int(self._sizes[behind[0]])

    @staticmethod
    def _first_missed(taken, fits):
        missed = np.flatnonzero(fits & ~taken)
        return missed[0] if missed.size else fits.size


def _place_in_kind(kind):
    """For each unit, how many of the same kind come before it."""
    by_kind = np.argsort(kind, kind="stable")
    starts = np.searchsorted(kind[by_kind], np.arange(kind.max(initial=-1) + 1))
    place = np.empty(kind.size, "int64")
    place[by_kind] = np.arange(kind.size) - starts[kind[by_kind]]
    return place
