"""The channel graph as plain data: which filters are coupled, which are locked, and why. Free of Keras."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np

from firekeras.arguments import short, typed
from firekeras.channels.consistency import check_consistent
from firekeras.channels.program import Product, Program, Term
from firekeras.refusals import listed
from firekeras.strict_json import LARGEST, Count, Meta, convert, parse

FIXED_UNIT = -1  # marks channels that come from no filter, and always stay
Unit = Annotated[int, Meta(ge=FIXED_UNIT, le=LARGEST)]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """Where the filters of a layer lie among its weights, as a file holds them.

    Args:
        weight: Which of the layer's own weights holds them, from 0.
        axes: The axes of that weight along which they lie, counted from its end; of a depthwise kernel its last two.
    """

    weight: Count
    axes: Annotated[tuple[int, ...], Meta(min_length=1, max_length=16)]

    def by_filter(self, value: np.ndarray) -> np.ndarray:
        """The weight with its filters last, `(*taps, inputs, filters)`."""
        count = len(self.axes)
        moved = np.moveaxis(value, self.axes, range(-count, 0))
        return moved.reshape(*moved.shape[:-count], *(1,) * (count - 1), -1)


@dataclasses.dataclass(frozen=True)
class LayerInfo:
    """What planning needs to know about one layer, and where a viewer of files finds its filters.

    Args:
        name: The layer's name; for a layer in a nested model its path, `"backbone/conv1"`.
        kind: The name of its class.
        output_shape: The output shape of its first call, batch included.
        filters: The index into `ChannelGraph.axes` of its filters; None without filters.
        weights: The size of each of its weights.
        macs: The multiply-accumulates of each of its calls.
        is_conv: Whether its MACs count as convolution MACs.
        uncounted: Whether it multiplies by weights in an unknown way, so MACs are missing.
        needs_cap: Whether its filters are removed only if a layer cap names it: recurrent units, attention heads.
        kernel: Where its filters lie; None if in no single weight of its own, or in files of earlier releases.
        calls: The number of its calls.
    """

    name: str
    kind: str
    output_shape: tuple[Count | None, ...]
    filters: Count | None
    weights: tuple[Product, ...]
    macs: tuple[Product, ...]
    is_conv: bool
    uncounted: bool = False
    needs_cap: bool = False
    kernel: Kernel | None = None
    calls: Count = 1

    @property
    def hides_weights(self) -> bool:
        """Whether it multiplies by weights but shows no filters."""
        multiplies = self.uncounted or any(product.factor for product in self.macs)
        return bool(self.filters is None and self.weights and multiplies)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of some layers' channels that is read on its own, so at least one channel of it has to stay.

    Args:
        name: The operation that makes the part: `"split[1]"` is its second output.
        axis: The index into `ChannelGraph.axes`.
    """

    name: str
    axis: Count


@dataclasses.dataclass(frozen=True)
class Fields:
    """A `ChannelGraph` as a file holds it; locks by unit."""

    layers: list[LayerInfo]
    axes: list[list[Unit]]
    locks: dict[int, str]
    notes: list[str]
    parts: list[Part] = dataclasses.field(default_factory=list)
    program: Program | None = None


class ChannelGraph:
    """Which filters of a network are coupled, which cannot be removed and why, and what each costs.

    A *unit* is a set of filters that can only be removed together: usually one filter, but in a
    residual stage one filter of each layer that is added.

    Args:
        layers: `LayerInfo` of each layer that has weights or costs, in topological order.
        axes: Arrays of unit numbers, one per channel; `-1` for channels that come from no filter.
            Every size in the network that depends on filters is the length of one of these.
        locks: For each unit that must stay, the reason.
        notes: Sentences on what a user should know about this network.
        parts: `Part`s of layers that splits, slices and branches read. Defaults to none.
        program: The `Program` of the exported network, by which RAM and file size are counted. Defaults to None, as in
            files of earlier releases.

    Attributes:
        times: How long its layers take on a device, by name, as a `LatencyTable` says. Empty without one; files do not
            hold it.

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
        program: Program | None = None,
    ):
        self.layers = {layer.name: layer for layer in layers}
        self.axes = [np.asarray(axis, "int64") for axis in axes]
        self.locks = dict(locks)
        self.notes = list(notes)
        self.parts = list(parts)
        self.program = program
        self.times: dict[str, tuple[Term, ...]] = {}

    def copy(self) -> ChannelGraph:
        """A copy that can be changed without changing this graph."""
        copy = ChannelGraph(self.layers.values(), self.axes, self.locks, self.notes, self.parts, self.program)
        copy.times = dict(self.times)
        return copy

    def filters(self, layer: str) -> np.ndarray:
        """The unit of each filter of a layer.

        Args:
            layer: The name of a layer with filters.

        Returns:
            int64 array `(filters,)`, values from 0 to `num_units - 1`.

        Raises:
            ValueError: If there is no layer with filters of this name.
        """
        index = self.layers[layer].filters if isinstance(layer, str) and layer in self.layers else None
        if index is None:
            raise ValueError(f"Expected a layer with filters: one of {self.filter_layers}. Received: {short(layer)}.")
        return self.axes[index]

    @functools.cached_property
    def filter_layers(self) -> list[str]:
        """The names of the layers that have filters, in topological order."""
        return [layer.name for layer in self.layers.values() if layer.filters is not None]

    @property
    def widths(self) -> dict[str, int]:
        """The number of filters of each layer that has some."""
        return {name: self.filters(name).size for name in self.filter_layers}

    @functools.cached_property
    def num_units(self) -> int:
        """The number of units."""
        return 1 + max((int(self.filters(name).max()) for name in self.filter_layers), default=-1)

    @functools.cached_property
    def unit_sizes(self) -> np.ndarray:
        """The number of filters in each unit, over all layers, `(num_units,)`."""
        units = [self.filters(name) for name in self.filter_layers]
        return np.bincount(np.concatenate([*units, np.zeros(0, "int64")]), minlength=self.num_units)

    @functools.cached_property
    def held_in(self) -> list[tuple[tuple[int, int], ...]]:
        """The layers that hold filters of each unit: (index into `filter_layers`, number of filters)."""
        return _held(self.num_units, [self.filters(name) for name in self.filter_layers])

    @functools.cached_property
    def most_held(self) -> list[int]:
        """The most filters of each layer that go together with one unit, in the order of `filter_layers`."""
        most = [0] * len(self.filter_layers)
        for layer, count in set(itertools.chain.from_iterable(self.held_in)):
            most[layer] = max(most[layer], count)
        return most

    @functools.cached_property
    def limited_by(self) -> list[tuple[tuple[int, int], ...]]:
        """The layers, then the parts, that each unit is in: (index into `sizes`, number of channels)."""
        if not self.parts:
            return self.held_in
        return _held(self.num_units, [*map(self.filters, self.filter_layers), *(self.axes[p.axis] for p in self.parts)])

    @property
    def sizes(self) -> dict[str, int]:
        """The number of channels of each layer with filters, then of each part: none of them may become empty."""
        return {**self.widths, **{part.name: self.axes[part.axis].size for part in self.parts}}

    def emptied(self, gone: np.ndarray) -> Part | None:
        """A part that would be empty without the units in a mask; None if there is none."""
        return next((part for part in self.parts if gone[self.axes[part.axis]].all()), None)

    @typed
    def lock(self, layer: str, filter: int) -> str | None:
        """Why a filter must stay.

        Args:
            layer: The name of a layer with filters.
            filter: The index of a filter, from 0.

        Returns:
            The reason; None if the filter may be removed.

        Raises:
            ValueError: If there is no such layer or filter.
        """
        return self.locks.get(self._unit(layer, filter))

    @typed
    def coupled(self, layer: str, filter: int) -> list[tuple[str, int]]:
        """All filters that can only be removed together with a filter.

        Args:
            layer: The name of a layer with filters.
            filter: The index of a filter, from 0.

        Returns:
            Pairs (layer, filter), the filter itself included.

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

    @typed
    def why_none(self, most: int = 3) -> str:
        """The first reasons why no filter may go; completes "no filter may go: "."""
        reasons = list(dict.fromkeys(self.locks.values()))[:most]
        hiding = [f"{layer.name} ({layer.kind})" for layer in self.layers.values() if layer.hides_weights]
        if hiding:
            reasons.append(f"what is inside {listed(hiding, most)} cannot be seen or pruned")
        return "; ".join(reasons) or "it has no layer with filters, such as Conv2D or Dense"

    @functools.cached_property
    def groups(self) -> list[list[str]]:
        """Groups of layers that share units and so are pruned together, in topological order."""
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

    @typed
    def units_in(self, layers: Iterable[str]) -> np.ndarray:
        """The units of some layers, each once, ascending, `(units,)`."""
        return np.unique(np.concatenate([self.filters(name) for name in layers]))

    def padded(self, values: np.ndarray, fill: float) -> np.ndarray:
        """Values per unit, `(num_units,)`, with one more for `FIXED_UNIT`: -1 finds the last."""
        return np.append(values, np.asarray(fill, np.asarray(values).dtype))

    @typed
    def removed_filters(self, gone: np.ndarray) -> dict[str, np.ndarray]:
        """The filters that each layer loses without some units; the inverse of `units_of`.

        Args:
            gone: A mask over units, bool `(num_units,)`.

        Returns:
            For each layer that loses filters, their indices, ascending.
        """
        self._check_per_unit(gone)
        lost = {name: np.flatnonzero(gone[self.filters(name)]) for name in self.filter_layers}
        return {name: filters for name, filters in lost.items() if filters.size}

    @typed
    def by_layer(self, of_units: np.ndarray) -> dict[str, np.ndarray]:
        """Values per unit as values per filter.

        Args:
            of_units: One value per unit, `(num_units,)`.

        Returns:
            For each layer with filters, one value per filter, `(filters,)`.
        """
        self._check_per_unit(of_units)
        return {name: of_units[self.filters(name)] for name in self.filter_layers}

    def _check_per_unit(self, values):
        if values.shape[:1] not in ((self.num_units,), (self.num_units + 1,)):  # the latter padded
            raise ValueError(f"Expected one value per unit, {self.num_units}. Received: {short(values)}.")

    @typed
    def units_of(self, removed: Mapping[str, Iterable[int]]) -> np.ndarray:
        """The units that some filters belong to; the inverse of `removed_filters`.

        Args:
            removed: Indices of filters, by layer name.

        Returns:
            A mask over units, bool `(num_units,)`.

        Raises:
            ValueError: If there is no layer with filters of a name.
            IndexError: If there is no filter of an index.
        """
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
        """The graph as plain lists and dicts, for JSON; `from_dict` reads them."""
        return {
            "layers": [dataclasses.asdict(layer) for layer in self.layers.values()],
            "axes": [axis.tolist() for axis in self.axes],
            "locks": {str(unit): reason for unit, reason in self.locks.items()},
            "notes": self.notes,
            "parts": [dataclasses.asdict(part) for part in self.parts],
            "program": self.program and dataclasses.asdict(self.program),
        }

    @classmethod
    def from_dict(cls, data: Mapping) -> ChannelGraph:
        """The graph that `to_dict` wrote.

        Raises:
            ValueError: If it is none, or contradicts itself.
        """
        return cls._of(convert(data, Fields, "this", _WHAT))

    @classmethod
    def from_json(cls, text: str, where: str, advice: str = "") -> ChannelGraph:
        """The graph in a file, JSON of `to_dict`.

        Args:
            text: The JSON.
            where: Where it stands, for errors: `"the graph in net.fire.h5"`.
            advice: What to do about a damaged one, a sentence. Defaults to none.

        Raises:
            ValueError: If it is none, or contradicts itself.
        """
        return cls._of(parse(text, Fields, where, _WHAT, advice), where, advice)

    @classmethod
    def _of(cls, fields, where="this", advice=""):
        try:
            graph = cls(fields.layers, fields.axes, fields.locks, fields.notes, fields.parts, fields.program)
            check_consistent(graph, [layer.name for layer in fields.layers])
        except ValueError as error:
            raise ValueError(f"{where} is not {_WHAT}: {error}. {advice}".rstrip()) from error
        return graph


_WHAT = "a whole channel graph"


def _held(num_units, arrays):
    """For each unit the arrays that contain it: (index of the array, how often)."""
    held: list[list[tuple[int, int]]] = [[] for _ in range(num_units)]
    for place, array in enumerate(arrays):
        units, counts = np.unique(array, return_counts=True)
        for unit, count in zip(units.tolist(), counts.tolist(), strict=True):
            held[unit].append((place, count))
    return [tuple(pairs) for pairs in held]
