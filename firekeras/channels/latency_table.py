"""How long the layers of a network take on a device, at a few widths: a table that plans use, and that travels.

A layer's time is read from its measured points as a sum of products of its widths with coefficients of at least 0,
fitted by least squares: `a + b*in + c*out + d*in*out` for a convolution, in which the number of filters is rounded up
to as many as the device computes at a time. So less width never costs more, and latency is a cost like any other.
What is not in single layers (normalization, additions, activations, moving data) is fitted to the times of whole
networks, as a share of the layers' times and a time per number that a tensor holds.

Free of Keras: `firekeras.export.layer_times` measures.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from firekeras.arguments import typed
from firekeras.atomic import write_text
from firekeras.channels.graph import ChannelGraph, LayerInfo
from firekeras.channels.program import Term
from firekeras.refusals import listed
from firekeras.strict_json import Count, Meta, Positive, read

if TYPE_CHECKING:
    import keras

FORMAT, VERSION = "firekeras.latency", 1
MOST = 1 << 24  # bytes
ADVICE = "Measure again: firekeras.latency_table(model).save(...), or firekeras latency."
WHOLE = ""  # under this name: what a pass takes whatever is pruned
STEPS = ((1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 4), (16, 8), (32, 16))  # `step` and `narrow` that are tried
BETTER = 0.9  # a larger step must bring the error down to this share
TRUST = 0.3  # how strongly the times of layers count as they were measured alone, beside the times of whole networks

Seconds = Annotated[float, Meta(ge=0, le=1e6)]
Width = Annotated[int, Meta(ge=1, le=1 << 24)]
Widths = Annotated[list[Width], Meta(max_length=16)]


@dataclasses.dataclass(frozen=True)
class LayerTimes:
    """The times of one layer.

    Args:
        widths: For each measured network, how many channels the layer has along each of its axes: those that it
            reads, then its filters.
        seconds: For each, the time of all its calls in a pass, `(networks,)`.
        macs: The MACs of each of its calls for one channel along each axis: they tell kernels, strides and sizes of
            feature maps apart. Empty if pruning changes them, as in some grouped convolutions.
    """

    widths: list[Widths]
    seconds: list[Seconds]
    macs: list[Count]


@dataclasses.dataclass(frozen=True, repr=False)
class LatencyTable:
    """The times of a network's layers on a device, and of the whole network, at several widths.

    Args:
        device: The name of the device.
        runtime: What ran the layers: `"LiteRT"`, `"ONNX Runtime"`, `"Keras (tensorflow)"`.
        threads: The number of threads; None if the runtime decides.
        batch_size: The number of samples per pass.
        layers: `LayerTimes` of each layer that multiplies, by name.
        others: Layers that multiply but were not timed by themselves.
        numbers: How many numbers the tensors of each measured network hold, `(networks,)`.
        seconds: The time of a pass of each network, `(networks,)`; the first is the unpruned one.
        step: How many filters the runtime computes at a time there, which `round_to` should be a multiple of.
        narrow: As many filters it computes at a time if a layer has no more; 0 if that is no other number.

    Raises:
        ValueError: If its parts contradict each other.

    Example:
    >>> table.save("board.json")          # from firekeras.latency_table(model)
    >>> table = firekeras.LatencyTable.load("board.json")
    >>> plan = firekeras.plan_pruning(model, scores, target={"latency": 0.9}, latency=table)
    >>> plan.costs_after.latency <= 0.9 * table.predict(model)
    True
    """

    device: str
    runtime: str
    threads: Positive | None
    batch_size: Positive
    layers: dict[str, LayerTimes]
    others: list[str]
    numbers: list[Count]
    seconds: Annotated[list[Seconds], Meta(min_length=1)]
    step: Annotated[int, Meta(ge=1, le=64)] = 1
    narrow: Annotated[int, Meta(ge=0, le=64)] = 0

    def __post_init__(self):
        count = len(self.seconds)
        if len(self.numbers) != count:
            raise ValueError(f"it has {count} times of networks, but {len(self.numbers)} sizes of them")
        for name, times in self.layers.items():
            if not len(times.widths) == len(times.seconds) == count or len(set(map(len, times.widths))) > 1:
                raise ValueError(f"the points of layer {name!r} do not belong together")

    def __repr__(self):
        where = f"{self.runtime} on {self.device}"
        return f"<{type(self).__name__}: {len(self.layers)} layers, {1e3 * self.seconds[0]:.4g} ms in {where}>"

    @property
    def fingerprint(self) -> str:
        """A short hash of all that is in the table, by which a run that is continued knows it again."""
        return hashlib.sha256(repr(dataclasses.astuple(self)).encode()).hexdigest()[:16]

    @typed
    def save(self, path: str | os.PathLike) -> None:
        """Writes the table as JSON, whole or not at all.

        Args:
            path: The file, such as `board.json`.

        Raises:
            ValueError: If its folder does not exist.
        """
        fields = dataclasses.asdict(self)
        write_text(path, json.dumps({"format": FORMAT, "version": VERSION, **fields}, allow_nan=False))

    @classmethod
    @typed
    def load(cls, path: str | os.PathLike) -> LatencyTable:
        """Reads a table that `save` wrote.

        Args:
            path: The file.

        Returns:
            The `LatencyTable`.

        Raises:
            ValueError: If there is no such file, or it is not a table, of another version, or damaged.
        """
        head = read(path, _Head, "a latency table, or is damaged", ADVICE, most=MOST)
        if head.format != FORMAT:
            raise ValueError(f'{path} is not a latency table: expected JSON with "format": {FORMAT!r}.')
        if type(head.version) is not int or head.version != VERSION:
            raise ValueError(
                f"{path} is a latency table of another version, {head.version!r}; this firekeras reads version "
                f"{VERSION}. {ADVICE}"
            )
        return read(path, cls, "a whole latency table", ADVICE, most=MOST)

    @typed
    def predict(self, model_or_graph: keras.Model | ChannelGraph) -> float:
        """The time of a pass of this network, or of it pruned, on the device.

        Args:
            model_or_graph: The network that was measured, or a pruned one; or its `ChannelGraph`.

        Returns:
            Seconds: an estimate from the table; nothing is run.

        Raises:
            ValueError: If the table is of another network.

        Example:
        >>> table.predict(pruned) <= table.predict(model)
        True
        """
        from firekeras.channels.costs import as_graph, cost_without

        return cost_without(self.on(as_graph(model_or_graph)), "latency")

    def on(self, graph: ChannelGraph) -> ChannelGraph:
        """A copy of a graph that knows how long its layers take.

        Raises:
            ValueError: If the table is of another network.
        """
        self._check_suits(graph)
        fixed, share, per_number = self._whole
        times: dict[str, list[Term]] = {WHOLE: [Term(fixed)]}
        for layer in multiplying(graph):
            terms = self._terms(layer) if layer.name in self.layers else []
            times[layer.name] = [dataclasses.replace(term, factor=share * term.factor) for term in terms]
        for name, term in _moved(graph, per_number):
            times.setdefault(name, []).append(term)
        timed = graph.copy()
        timed.times = {name: tuple(terms) for name, terms in times.items()}
        return timed

    def notes(self, round_to: int) -> list[str]:
        """What a user should know who rounds widths to a multiple of this."""
        if round_to % self.step == 0:
            return []
        return [
            f"The device of the latency table computes {self.step} filters at a time, so widths between multiples of "
            f"that take as long as the next one: pass round_to={self.step}."
        ]

    def _check_suits(self, graph):
        names = {layer.name for layer in multiplying(graph)}
        strange = sorted(names.symmetric_difference([*self.layers, *self.others]))
        if strange:
            which = "it" if strange[0] in names else "this one"
            raise ValueError(f"The latency table is of another network: {which} lacks {listed(strange)}. {ADVICE}")
        for layer in multiplying(graph):
            self._check_layer(layer, [graph.axes[axis].size for axis in axes_of(layer)])

    def _check_layer(self, layer, widths):
        if layer.name not in self.layers:
            return
        times = self.layers[layer.name]
        if times.macs and times.macs != macs_of(layer):
            raise ValueError(
                f"The latency table is of another network: layer {layer.name!r} has kernels, strides or feature maps "
                f"of another size. {ADVICE}"
            )
        most = np.max(times.widths, axis=0).tolist() if widths else []
        if len(times.widths[0]) != len(widths) or any(np.greater(widths, most)):
            raise ValueError(
                f"The latency table is of another network: layer {layer.name!r} has widths {widths}, and was measured "
                f"up to {times.widths[0]}. {ADVICE}"
            )

    def _terms(self, layer: LayerInfo) -> list[Term]:
        """The time of a layer as a sum of products."""
        times, terms = self.layers[layer.name], self._shapes(layer)
        columns = [[term.of(widths) for term in terms] for widths in self._widths(layer)]
        factors = _fitted(np.array(columns, "float64"), times.seconds)
        pairs = zip(factors, terms, strict=True)
        return [dataclasses.replace(term, factor=factor) for factor, term in pairs if factor]

    def _widths(self, layer) -> list[dict[int, int]]:
        """The kept length of each of a layer's axes in each network that was measured."""
        return [dict(zip(axes_of(layer), widths, strict=True)) for widths in self.layers[layer.name].widths]

    def _shapes(self, layer) -> list[Term]:
        """The products that a layer's time may depend on: none, each width alone, and those that its MACs are."""
        whole = [product.axes for product in layer.macs]
        single = [(axis,) for axis in axes_of(layer)]
        return [Term(1.0, axes, self._steps(layer, axes), self.narrow) for axes in dict.fromkeys([(), *single, *whole])]

    def _steps(self, layer, axes):
        """What each length is rounded up to: that of the filters to the step, if twice in a product, then once."""
        place = max((k for k, axis in enumerate(axes) if axis == layer.filters), default=-1)
        return tuple(self.step if k == place else 1 for k in range(len(axes)))

    def error(self, graph: ChannelGraph) -> float:
        """How far the fitted times of layers are from the measured ones, all together, as a share of these."""
        apart = total = 0.0
        for layer in multiplying(graph):
            if layer.name in self.layers:
                terms, seconds = self._terms(layer), self.layers[layer.name].seconds
                pairs = zip(self._widths(layer), seconds, strict=True)
                apart += sum(abs(sum(term.of(kept) for term in terms) - time) for kept, time in pairs)
                total += sum(seconds)
        return apart / (total or 1.0)

    def with_step(self, graph: ChannelGraph) -> LatencyTable:
        """The table with the step that fits its points best; a larger one must fit clearly better."""
        best, least = self, math.inf
        for step, narrow in STEPS:
            tried = dataclasses.replace(self, step=step, narrow=narrow)
            error = tried.error(graph)
            if error < BETTER * least:
                best, least = tried, error
        return best

    @functools.cached_property
    def _whole(self) -> tuple[float, float, float]:
        """What a pass takes in any case; the share of the layers' times that counts; and what a number takes."""
        alone = np.sum([times.seconds for times in self.layers.values()], axis=0) if self.layers else 0.0
        columns = np.stack([np.ones(len(self.seconds)), alone + np.zeros(len(self.seconds)), self.numbers], axis=1)
        fixed, share, per_number = _fitted(columns, self.seconds, near={1: 1.0})
        return fixed, share, per_number


@dataclasses.dataclass
class _Head:
    """What says whether a file is a table."""

    format: Any = None
    version: Any = None


def multiplying(graph: ChannelGraph) -> list[LayerInfo]:
    """The layers that multiply, in topological order: those whose times depend on widths one by one."""
    return [layer for layer in graph.layers.values() if any(product.factor for product in layer.macs)]


def axes_of(layer: LayerInfo) -> list[int]:
    """The axes of the graph that a layer's MACs depend on, each once."""
    return list(dict.fromkeys(axis for product in layer.macs for axis in product.axes))


def macs_of(layer: LayerInfo) -> list[int]:
    """The MACs of each of a layer's calls for one channel along each axis."""
    return [product.factor for product in layer.macs]


def numbers_in(graph: ChannelGraph, kept: Sequence[int]) -> int:
    """How many numbers the tensors of the exported network hold if so many channels are kept along each axis."""
    return sum(tensor.size.of(kept) for tensor in graph.program.tensors) if graph.program else 0


def _moved(graph, per_number):
    """The time for the tensors that each layer makes, as pairs (layer, term)."""
    for step in graph.program.steps if graph.program and per_number else ():
        for k in step.makes:
            size = graph.program.tensors[k].size
            yield step.layer, Term(per_number * size.factor, size.axes)


def _fitted(columns: np.ndarray, seconds, near=None) -> list[float]:
    """Coefficients of at least 0 with the smallest squares of relative errors.

    Args:
        columns: One row per point, `(points, coefficients)`.
        seconds: The times, `(points,)`.
        near: The value that a coefficient is held to, by its place. Defaults to none.
    """
    from scipy.optimize import nnls  # takes long to import

    times = np.array(seconds, "float64")
    weights = 1 / np.maximum(times, 1e-3 * times.max(initial=0) or 1.0)
    rows, values = columns * weights[:, None], times * weights
    held = [(place, value) for place, value in (near or {}).items() if columns[:, place].any()]
    for place, value in held:
        rows = np.vstack([rows, TRUST * (np.arange(columns.shape[1]) == place)])
        values = np.append(values, TRUST * value)
    scales = np.maximum(np.abs(rows).max(axis=0), 1e-300)  # the columns differ by many powers of ten
    try:
        return (nnls(rows / scales, values)[0] / scales).tolist()
    except RuntimeError as error:  # it did not converge
        raise ValueError(f"The times in the latency table contradict each other. {ADVICE}") from error
