"""The channel graph as plain data: what goes together, what is locked and why. No Keras in here."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from firekeras.refusals import listed

FIXED_UNIT = -1  # on an axis: a channel that comes from no filter, and always stays


@dataclasses.dataclass(frozen=True)
class Product:
    """A size that depends on what is kept: `factor` times the kept length of each of `axes`.

    Args:
        factor: A plain number.
        axes: Indices into `ChannelGraph.axes`.
    """

    factor: int
    axes: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Kernel:
    """Where the filters of a layer lie among its weights, as a file holds them.

    Args:
        weight: Which of the layer's own weights holds them, from 0.
        axes: The axes of that weight along which they lie, counted from its end; of a depthwise kernel its last two.
    """

    weight: int
    axes: tuple[int, ...]

    def by_filter(self, value: np.ndarray) -> np.ndarray:
        """The weight with its filters last, `(*taps, inputs, filters)`."""
        count = len(self.axes)
        moved = np.moveaxis(value, self.axes, range(-count, 0))
        return moved.reshape(*moved.shape[:-count], *(1,) * (count - 1), -1)


@dataclasses.dataclass(frozen=True)
class LayerInfo:
    """What planning needs to know of one layer, and what a viewer of files does.

    Args:
        name: The layer's name; of a layer in a nested model its path, `"backbone/conv1"`.
        kind: The name of its class.
        output_shape: Of its first call, batch included.
        filters: For a layer with filters, which of `ChannelGraph.axes` they are; else None.
        weights: The size of each of its weights.
        macs: The multiply-accumulates of each of its calls.
        is_conv: Whether its MACs count as convolution MACs.
        uncounted: Whether it multiplies by weights in a way that nobody knows, so that MACs are missing.
        needs_cap: Whether its filters go only if a layer cap names it: units of recurrent layers, attention heads.
        kernel: Where its filters lie; None if in no single weight of its own, or in a file of before this was kept.
        calls: How often it is called.
    """

    name: str
    kind: str
    output_shape: tuple
    filters: int | None
    weights: tuple[Product, ...]
    macs: tuple[Product, ...]
    is_conv: bool
    uncounted: bool = False
    needs_cap: bool = False
    kernel: Kernel | None = None
    calls: int = 1

    @property
    def hides_weights(self) -> bool:
        """Whether it multiplies by weights, and has no filters that can be seen."""
        multiplies = self.uncounted or any(product.factor for product in self.macs)
        return bool(self.filters is None and self.weights and multiplies)


@dataclasses.dataclass(frozen=True)
class Part:
    """Channels that are read by themselves, and are only a part of what layers make: of these, too, some must stay.

    Args:
        name: What makes the part: `"split[1]"` is the second output of an operation.
        axis: Which of `ChannelGraph.axes` it is.
    """

    name: str
    axis: int


class ChannelGraph:
    """Which filters of a network go together, which cannot go and why, and what each costs.

    A *unit* is a set of filters that can only be removed together: mostly one filter, but in a
    residual stage one of each layer that is added up.

    Args:
        layers: `LayerInfo` of each layer that has weights or costs, in topological order.
        axes: Arrays of unit numbers, one per channel; `-1` for channels that come from no filter.
            Everything of the network whose size depends on filters is measured along one of these.
        locks: For each unit that must stay, the reason in words.
        notes: What a user should know about this network, in words.
        parts: `Part`s of what layers make that splits, slices and branches read. Defaults to none.

    Example:
    >>> graph = firekeras.channel_graph(model)
    >>> graph.filters("conv1")          # the unit of each of its filters
    array([0, 1, 2, 3, 4, 5, 6, 7])
    >>> graph.lock("conv1", 3)          # None: filter 3 may go; else the reason why not
    >>> graph.coupled("conv1", 3)       # all filters that go together with it
    [('conv1', 3)]
    """

    def __init__(
        self,
        layers: Iterable[LayerInfo],
        axes: Iterable[np.ndarray],
        locks: Mapping[int, str],
        notes: Iterable[str] = (),
        parts: Iterable[Part] = (),
    ):
        self.layers = {layer.name: layer for layer in layers}
        self.axes = [np.asarray(axis, "int64") for axis in axes]
        self.locks = dict(locks)
        self.notes = list(notes)
        self.parts = list(parts)

    def copy(self) -> ChannelGraph:
        """The same graph, which can be changed without changing this one."""
        return ChannelGraph(self.layers.values(), self.axes, self.locks, self.notes, self.parts)

    def filters(self, layer: str) -> np.ndarray:
        """The unit of each filter of a layer, `(filters,)`."""
        index = self.layers[layer].filters if layer in self.layers else None
        if index is None:
            raise ValueError(f"Expected a layer with filters: one of {self.filter_layers}. Received: {layer!r}.")
        return self.axes[index]

    @functools.cached_property
    def filter_layers(self) -> list[str]:
        """The names of the layers that have filters, in topological order."""
        return [layer.name for layer in self.layers.values() if layer.filters is not None]

    @property
    def widths(self) -> dict[str, int]:
        """For each layer with filters, how many."""
        return {name: self.filters(name).size for name in self.filter_layers}

    @functools.cached_property
    def num_units(self) -> int:
        """How many units there are."""
        return 1 + max((int(self.filters(name).max()) for name in self.filter_layers), default=-1)

    @functools.cached_property
    def unit_sizes(self) -> np.ndarray:
        """How many filters each unit holds, over all layers, `(num_units,)`."""
        units = [self.filters(name) for name in self.filter_layers]
        return np.bincount(np.concatenate([*units, np.zeros(0, "int64")]), minlength=self.num_units)

    @functools.cached_property
    def held_in(self) -> list[tuple[tuple[int, int], ...]]:
        """For each unit the layers that hold filters of it: (place in `filter_layers`, how many)."""
        return _held(self.num_units, [self.filters(name) for name in self.filter_layers])

    @functools.cached_property
    def limited_by(self) -> list[tuple[tuple[int, int], ...]]:
        """For each unit the layers, then the parts, that shrink with it: (place in `sizes`, by how many)."""
        if not self.parts:
            return self.held_in
        return _held(self.num_units, [*map(self.filters, self.filter_layers), *(self.axes[p.axis] for p in self.parts)])

    @property
    def sizes(self) -> dict[str, int]:
        """How many channels each layer with filters has, and then each part: none of them may be emptied."""
        return {**self.widths, **{part.name: self.axes[part.axis].size for part in self.parts}}

    def emptied(self, gone: np.ndarray) -> Part | None:
        """A part of which nothing would be left without the units in a mask; None if there is none."""
        return next((part for part in self.parts if gone[self.axes[part.axis]].all()), None)

    def lock(self, layer: str, filter: int) -> str | None:
        """Why this filter must stay; None if it may go.

        Raises:
            ValueError: If there is no such layer or filter.
        """
        return self.locks.get(self._unit(layer, filter))

    def coupled(self, layer: str, filter: int) -> list[tuple[str, int]]:
        """All filters of this filter's unit as (layer, filter), itself included.

        Raises:
            ValueError: If there is no such layer or filter.
        """
        unit = self._unit(layer, filter)
        return [(name, int(k)) for name in self.filter_layers for k in np.flatnonzero(self.filters(name) == unit)]

    def _unit(self, layer, filter):
        units = self.filters(layer)
        if not isinstance(filter, (int, np.integer)) or not 0 <= filter < units.size:
            raise ValueError(f"Layer {layer!r} has filters 0 to {units.size - 1}. Received: filter={filter!r}.")
        return int(units[filter])

    def why_none(self, most=3) -> str:
        """Why no filter may go, to go on after "no filter may go: "; of several reasons the first ones."""
        reasons = list(dict.fromkeys(self.locks.values()))[:most]
        hiding = [f"{layer.name} ({layer.kind})" for layer in self.layers.values() if layer.hides_weights]
        if hiding:
            reasons.append(f"what is inside {listed(hiding, most)} cannot be pruned, nor seen")
        return "; ".join(reasons) or "it has no layer with filters, such as Conv2D or Dense"

    @functools.cached_property
    def groups(self) -> list[list[str]]:
        """Layers that share units, so that they are pruned together, in topological order."""
        owner: dict[int, int] = {}
        groups: list[list[str]] = []
        for name in self.filter_layers:
            units = set(self.filters(name).tolist())
            joined = sorted({owner[unit] for unit in units if unit in owner})
            merged = [other for k in joined for other in groups[k]] + [name]
            for k in joined:
                groups[k] = []
            groups.append(merged)
            owner.update({unit: len(groups) - 1 for other in merged for unit in self.filters(other).tolist()})
        order = {name: k for k, name in enumerate(self.filter_layers)}
        return sorted((sorted(g, key=order.__getitem__) for g in groups if g), key=lambda g: order[g[0]])

    def removed_filters(self, gone: np.ndarray) -> dict[str, np.ndarray]:
        """For each layer that loses filters, which, ascending. `gone` is a mask over units."""
        lost = {name: np.flatnonzero(gone[self.filters(name)]) for name in self.filter_layers}
        return {name: filters for name, filters in lost.items() if filters.size}

    def by_layer(self, of_units: np.ndarray) -> dict[str, np.ndarray]:
        """Values per unit, `(num_units,)`, as values per filter of each layer."""
        return {name: of_units[self.filters(name)] for name in self.filter_layers}

    def units_of(self, removed: Mapping[str, Iterable[int]]) -> np.ndarray:
        """A mask over units, from filters by layer; the inverse of `removed_filters`."""
        gone = np.zeros(self.num_units, bool)
        for name, filters in removed.items():
            gone[self.filters(name)[np.asarray(filters, "int64")]] = True
        return gone

    @property
    def fingerprint(self) -> str:
        """A short hash of the structure: names, kinds and sizes; equal for equal architectures."""
        digest = hashlib.sha256()
        for layer in self.layers.values():
            sizes = [(w.factor, *(self.axes[a].size for a in w.axes)) for w in layer.weights]
            digest.update(repr((layer.name, layer.kind, sizes)).encode())
        return digest.hexdigest()[:16]

    def to_dict(self) -> dict:
        """Plain lists and dicts, for JSON; read back by `from_dict`."""
        return {
            "layers": [dataclasses.asdict(layer) for layer in self.layers.values()],
            "axes": [axis.tolist() for axis in self.axes],
            "locks": {str(unit): reason for unit, reason in self.locks.items()},
            "notes": self.notes,
            "parts": [dataclasses.asdict(part) for part in self.parts],
        }

    @classmethod
    def from_dict(cls, data: Mapping) -> ChannelGraph:
        """The graph that `to_dict` described."""
        locks = {int(unit): reason for unit, reason in data["locks"].items()}
        parts = [Part(**part) for part in data.get("parts", ())]
        return cls([_layer_from_dict(d) for d in data["layers"]], data["axes"], locks, data["notes"], parts)


def _held(num_units, arrays):
    """For each unit the arrays of units that it is in: (number of the array, how often)."""
    held: list[list[tuple[int, int]]] = [[] for _ in range(num_units)]
    for place, array in enumerate(arrays):
        units, counts = np.unique(array, return_counts=True)
        for unit, count in zip(units.tolist(), counts.tolist(), strict=True):
            held[unit].append((place, count))
    return [tuple(pairs) for pairs in held]


def _layer_from_dict(data):
    products = {key: tuple(Product(p["factor"], tuple(p["axes"])) for p in data[key]) for key in ("weights", "macs")}
    where = data.get("kernel")
    kernel = Kernel(where["weight"], tuple(where["axes"])) if where else None
    return LayerInfo(**{**data, "output_shape": tuple(data["output_shape"]), **products, "kernel": kernel})
