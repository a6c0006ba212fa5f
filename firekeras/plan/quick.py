"""Selects units in a few array operations: possible if each layer holds units of one kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Kinds:
    """The units of a ranking by kind: those of one kind take the same number of channels from the same layers.

    If no layer holds units of two kinds, those of a kind are removed one by one until the tightest of their layers
    reaches its limit: their number is known in advance, and only the budget connects the kinds.

    Args:
        held: For each unit, in the order of removal, the layers that hold it, as pairs (layer, count).
        sizes: For each unit, in that order, the number of its filters, `(units,)`.

    Attributes:
        apart: Whether no layer holds units of two kinds.
    """

    def __init__(self, held: list[tuple], sizes: np.ndarray):
        number = {layers: k for k, layers in enumerate(dict.fromkeys(held))}
        self._layers, self._sizes = list(number), sizes
        self._kind = np.array([number[layers] for layers in held], "int64")
        self._place = _place_in_kind(self._kind)
        layers = [layer for pairs in self._layers for layer, _ in pairs]
        self.apart = len(layers) == len(set(layers))

    def taken(self, allowed: list[int], budget: int) -> np.ndarray:
        """The units to remove, a mask over the order `(units,)`.

        Args:
            allowed: How many channels each layer may lose.
            budget: How many filters to remove in total.
        """
        fits = self._fits(allowed)
        taken = fits & (np.cumsum(self._sizes * fits) <= budget)
        self._fill(taken, fits, budget)
        return taken

    def _fits(self, allowed):
        """The units that the limits allow, whatever the budget."""
        return self._place < np.array(self._most(allowed), "int64")[self._kind]

    def _most(self, allowed):
        """How many units of each kind may be removed."""
        return [min(allowed[layer] // count for layer, count in pairs) for pairs in self._layers]

    def _fill(self, taken, fits, budget):
        """Spends the rest of the budget on smaller units behind the first one that would overshoot it."""
        left = budget - int(self._sizes[taken].sum())
        while left:
            smaller = np.flatnonzero(fits & ~taken & (self._sizes <= left))
            behind = smaller[smaller > _first(fits & ~taken)]
            if not behind.size:
                return
            taken[behind[0]] = True
            left -= int(self._sizes[behind[0]])

    def kept(self, allowed: list[int], budget: int, taken: np.ndarray) -> Iterator[tuple[int, int | None]]:
        """Yields the place in the order of each unit that stays though its turn came, and the layer at its limit.

        `None` in place of the layer if the unit would have overshot the budget.

        Args:
            allowed: As in `taken`.
            budget: As in `taken`.
            taken: What `taken` gave.
        """
        spent = np.cumsum(self._sizes * taken)
        left = budget - spent + self._sizes * taken  # before each unit's turn
        full = [self._full(pairs, most, allowed) for pairs, most in zip(self._layers, self._most(allowed), strict=True)]
        places = np.flatnonzero(~taken & (left > 0))
        for place, overshoots in zip(places.tolist(), (self._sizes > left)[places].tolist(), strict=True):
            yield place, None if overshoots else full[self._kind[place]]

    @staticmethod
    def _full(pairs, most, allowed):
        """The first layer that is at its limit once so many units of a kind are gone."""
        return next(layer for layer, count in pairs if count > allowed[layer] - most * count)


def _first(marked):
    """The first true place; the end if there is none."""
    places = np.flatnonzero(marked)
    return places[0] if places.size else marked.size


def _place_in_kind(kind):
    """For each unit, how many of the same kind come before it."""
    by_kind = np.argsort(kind, kind="stable")
    starts = np.searchsorted(kind[by_kind], np.arange(kind.max(initial=-1) + 1))
    place = np.empty(kind.size, "int64")
    place[by_kind] = np.arange(kind.size) - starts[kind[by_kind]]
    return place
