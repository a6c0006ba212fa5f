"""Parts of layers: channels that a split, slice or branch reads by themselves, and of which some must stay."""

from __future__ import annotations

import numpy as np

from firekeras.channels.graph import FIXED_UNIT, Part


def parts_of(axes, layers, made) -> list[Part]:
    """What is read by itself and holds no layer whole, so that the limits of layers do not keep it from running empty.

    Args:
        axes: The `Axes` of the network.
        layers: Its `LayerInfo`s.
        made: Pairs (name of what makes it, labels) of every tensor.
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
    """The units of an axis, each once, if none of its channels is fixed and no axis before had the same."""
    if units.tobytes() in known:
        return None
    held = np.unique(units)
    again = held.tobytes() in known
    known.update((units.tobytes(), held.tobytes()))
    return None if again or not held.size or held[0] == FIXED_UNIT else held


def _candidates(axes, layers, made):
    yield from ((name, axes.unit_of_label[labels]) for name, labels in made)
    for layer in layers:
        for product in (*layer.weights, *layer.macs):
            yield from ((f"input of {layer.name}", axes.axes[axis]) for axis in product.axes)


def _unused(name, names):
    """The name, with a number behind it if there is one already: a layer may be called several times."""
    return name if name not in names else _unused(f"{name}'", names)


class _Whole:
    """Knows whether all units of some layer are among others."""

    def __init__(self, layers):
        own = [np.unique(units) for units in layers]
        units = np.concatenate([*own, np.zeros(0, "int64")])
        places = np.repeat(np.arange(len(own)), [one.size for one in own])
        order = np.argsort(units, kind="stable")
        self.sizes = np.bincount(places, minlength=len(own))
        self._units, self._places = units[order], places[order]

    def within(self, held) -> bool:
        """Whether a layer is held whole, by these units, ascending."""
        first, behind = (np.searchsorted(self._units, held, side) for side in ("left", "right"))
        found = np.concatenate([self._places[a:b] for a, b in zip(first.tolist(), behind.tolist(), strict=True)])
        return bool((np.bincount(found, minlength=self.sizes.size) == self.sizes).any())
