"""Parts of layers: channels that a split, slice or branch reads on their own, so some of them must stay."""

from __future__ import annotations

import numpy as np

from firekeras.channels.graph import FIXED_UNIT, Part


def parts_of(axes, layers, made) -> list[Part]:
    """Channels that are read on their own but contain no whole layer, so limits of layers could leave them empty.

    Args:
        axes: The `Axes` of the network.
        layers: Its `LayerInfo`s.
        made: A pair (name of the operation, labels) for each tensor.
    """
    whole = _Whole([axes.axes[layer.filters] for layer in layers if layer.filters is not None])
    known: set[bytes] = set()
    parts: dict[str, Part] = {}
    for name, units in _candidates(axes, layers, made):
        held = _news(units, known)
        if held is None:
            continue
        if not whole.within(held):
            name = _unused(name, parts)
            parts[name] = Part(name, axes.of_units(units))
    return list(parts.values())


def _news(units, known):
    """The distinct units of an axis, if none of its channels is fixed and no earlier axis had the same."""
    if units.tobytes() in known:
        return None
    held = np.unique(units)
    repeated = held.tobytes() in known
    known.update((units.tobytes(), held.tobytes()))
    return None if repeated or not held.size or held[0] == FIXED_UNIT else held


def _candidates(axes, layers, made):
    yield from ((name, axes.unit_of_label[labels]) for name, labels in made)
    for layer in layers:
        for product in (*layer.weights, *layer.macs):
            yield from ((f"input of {layer.name}", axes.axes[axis]) for axis in product.axes)


def _unused(name, names):
    """The name, with primes if it is taken: a layer may be called several times."""
    return name if name not in names else _unused(f"{name}'", names)


class _Whole:
    """Checks whether a set of units contains all units of some layer."""

    def __init__(self, layers):
        own = [np.unique(units) for units in layers]
        units = np.concatenate([*own, np.zeros(0, "int64")])
        places = np.repeat(np.arange(len(own)), [units.size for units in own])
        order = np.argsort(units, kind="stable")
        self.sizes = np.bincount(places, minlength=len(own))
        self._units, self._places = units[order], places[order]

    def within(self, held) -> bool:
        """Whether these units, ascending, contain a whole layer."""
        first, end = (np.searchsorted(self._units, held, side) for side in ("left", "right"))
        layers = np.concatenate([self._places[a:b] for a, b in zip(first.tolist(), end.tolist(), strict=True)])
        return bool((np.bincount(layers, minlength=self.sizes.size) == self.sizes).any())
