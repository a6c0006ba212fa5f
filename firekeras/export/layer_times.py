"""Times the layers of a network, and the network itself, at several widths: the latency table of a device."""

from __future__ import annotations

import contextlib
import platform
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels import channel_graph
from firekeras.channels.costs import kept_lengths
from firekeras.channels.graph import ChannelGraph
from firekeras.channels.latency_table import LatencyTable, LayerTimes, axes_of, macs_of, multiplying, numbers_in
from firekeras.channels.walk import Visit, visits
from firekeras.export.formats import FORMATS
from firekeras.export.formats.format import formats_with
from firekeras.export.latency import measure_latencies
from firekeras.keras_models.rebuilding import bare_config
from firekeras.network import Network
from firekeras.plan.planning import AS_SCORED, plan_pruning
from firekeras.quiet import without_retracing_warnings
from firekeras.refusals import check_one_of
from firekeras.scores.profile import FilterScores

KERAS = "keras"
# What a layer keeps of its inputs and of its filters. A little over a half lies between multiples of what is computed
# at a time: it is what shows that step.
SHARES = ((1, 1), (0.53, 0.53), (0.25, 0.25), (0.25, 1), (1, 0.25))
ALL = 1 - 1e-9  # as a pruning ratio: everything that may go


@typed
@without_retracing_warnings()
def latency_table(
    model: keras.Model,
    *,
    runtime: str = "litert",
    batch_size: int = 1,
    runs: int = 30,
    threads: int | None = None,
    device: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> LatencyTable:
    """Measures how long the layers of a model take on this machine, at full width and pruned.

    Each layer that multiplies is exported and timed alone, and so is the whole network: as it is, with about a half and
    with a quarter of its filters, and with a quarter of the filters of every other layer. Layers of equal settings and
    shapes are timed once. What an empty network takes is subtracted. Times are those of the fastest pass, which other
    work on the machine disturbs least.

    Run it on the device; the file then serves anywhere, also without Keras.

    Args:
        model: A built Functional or Sequential model with inputs of fixed size. It is not changed.
        runtime: `"litert"`; another format whose runtime takes a number of threads, such as `"onnx"`; or `"keras"`,
            which times Keras itself: a pass then takes about a millisecond of Python, which hides small layers.
            Defaults to `"litert"`, which needs the TensorFlow backend.
        batch_size: Samples per pass. Defaults to 1.
        runs: Timed passes of each layer. Defaults to 30.
        threads: The number of threads. Defaults to 1. Keras fixes its own.
        device: A name for the device. Defaults to that of its processor.
        on_progress: A function that is called with the number of finished steps and of all: first each layer is
            exported, then each is timed. Defaults to None.

    Returns:
        A `LatencyTable` for this network, and for what pruning makes of it.

    Raises:
        ValueError: If the model's inputs are of open size, or its layers cannot be exported one by one.
        ImportError: If the runtime is not installed.

    Example:
    >>> table = firekeras.latency_table(model, runs=5)
    >>> plan = firekeras.plan_pruning(model, scores, target={"latency": 0.9}, latency=table)
    >>> plan.costs_after.latency <= 0.9 * plan.costs_before.latency
    True
    """
    check_one_of("runtime", runtime, [KERAS, *(known.name for known in formats_with("sets_threads"))])
    network = Network.of(model)
    _check_sizes(model)
    timed = Timed(network.graph)
    for gone in shrunk(network.graph):
        timed.add(network.without(gone, built=False), kept_lengths(network.graph, gone))
    settings = {"batch_size": batch_size, "runs": runs, "threads": threads}
    return timed.table(runtime, device or _processor(), on_progress, **settings)


def _processor():
    return platform.processor() or _model_name() or platform.machine() or "unknown"


def _model_name():
    """The processor as Linux calls it; empty if it does not say."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _check_sizes(model):
    for tensor in model.inputs:
        if None in tensor.shape[1:]:
            raise ValueError(
                "Times are those of one size of the input. Received a model whose input is open, "
                f"{tuple(tensor.shape)}: build it for the size that the device will see."
            )


def shrunk(graph: ChannelGraph) -> Iterator[np.ndarray]:
    """Yields masks over units `(num_units,)`: what goes for each of `SHARES`."""
    equal = FilterScores({name: np.zeros(width) for name, width in graph.widths.items()}, criterion="none")
    colors = _colors(graph)
    for shares in SHARES:
        caps = {name: 1 - shares[colors[name]] for name in graph.filter_layers}
        plan = plan_pruning(graph, equal, pruning_ratio=ALL, layer_caps=caps, min_keep=0, **AS_SCORED)
        yield graph.units_of(plan.removed)


def _colors(graph) -> dict[str, int]:
    """0 or 1 for each layer with filters: that of the layers whose filters it reads is the other, where that can be."""
    group_of = np.full(graph.num_units + 1, -1)  # the last stands for channels of no filter
    for number, names in enumerate(graph.groups):
        group_of[graph.units_in(names)] = number
    color: dict[int, int] = {}
    for layer in graph.layers.values():
        groups = [int(group_of[graph.axes[axis]].max(initial=-1)) for axis in axes_of(layer)]
        known = next((color[group] for group in groups if group in color), None)
        for group in groups:
            if group >= 0 and group not in color:
                color[group] = known = 0 if known is None else 1 - known
    return {name: color.get(number, 0) for number, names in enumerate(graph.groups) for name in names}


class Timed:
    """What is timed: whole networks, and their layers, those of equal settings and shapes once.

    Args:
        graph: The `ChannelGraph` of the unpruned network.
    """

    def __init__(self, graph: ChannelGraph):
        self.graph = graph
        self.names = {layer.name for layer in multiplying(graph)}
        self.models: dict[Any, keras.Model] = {"nothing": _nothing()}
        self.networks: list[int] = []  # keys in `models`
        self.numbers: list[int] = []
        self.calls: list[dict[str, list]] = []  # for each network and layer, the key of each call
        self.kept: list[list[int]] = []
        self.macs: list[dict[str, list[int]]] = []

    def add(self, model: keras.Model, kept: list[int]) -> None:
        """Adds a network, of its own: its layers are used in other models."""
        number = len(self.networks)
        self.models[number] = model
        self.networks.append(number)
        self.numbers.append(numbers_in(self.graph, kept))
        self.kept.append(kept)
        self.macs.append({layer.name: macs_of(layer) for layer in multiplying(channel_graph(model))})
        calls: dict[str, list] = defaultdict(list)
        for visit in list(visits(model)):
            if visit.path in self.names and not visit.is_nested:
                key = _key(visit)
                if key not in self.models:
                    self.models[key] = _alone(visit)
                calls[visit.path].append(key)
        self.calls.append(calls)

    def table(
        self, runtime: str, device: str, on_progress: Callable[[int, int], None] | None = None, **settings: Any
    ) -> LatencyTable:
        """Times everything."""
        steps = Steps(len(self.models), on_progress or (lambda _done, _of: None), exports=runtime != KERAS)
        with contextlib.ExitStack() as momentary:
            files = self._as_run(runtime, momentary, steps.exported)
            latencies = measure_latencies(files, **settings, on_progress=steps.timed)
        seconds = {key: latency.fastest for key, latency in zip(self.models, latencies, strict=True)}
        alone = {key: max(0.0, time - seconds["nothing"]) for key, time in seconds.items()}
        known = [layer for layer in multiplying(self.graph) if layer.name in self.calls[0]]
        table = LatencyTable(
            device=device,
            runtime=latencies[0].runtime,
            threads=latencies[0].threads,
            batch_size=latencies[0].batch_size,
            layers={layer.name: self._times(layer, alone) for layer in known},
            others=sorted(self.names.difference(self.calls[0])),
            numbers=self.numbers,
            seconds=[seconds[number] for number in self.networks],
        )
        return table.with_step(self.graph)

    def _as_run(self, runtime, momentary, on_export) -> list:
        """The models, or the files of them that exist until `momentary` exits."""
        if runtime == KERAS:
            return list(self.models.values())
        chosen = FORMATS[runtime]
        chosen.check(keras.backend.backend())
        folder = Path(momentary.enter_context(tempfile.TemporaryDirectory()))
        paths = [folder / f"{number}{chosen.ending}" for number in range(len(self.models))]
        for number, (model, path) in enumerate(zip(self.models.values(), paths, strict=True), 1):
            chosen.write(model, path)
            on_export(number)
        return paths

    def _times(self, layer, alone):
        return LayerTimes(
            widths=[[kept[axis] for axis in axes_of(layer)] for kept in self.kept],
            seconds=[sum(alone[key] for key in calls[layer.name]) for calls in self.calls],
            macs=macs_of(layer) if all(macs[layer.name] == macs_of(layer) for macs in self.macs) else [],
        )


class Steps:
    """Reports how far a table is: one step for each network that is exported, and one for each that is timed.

    Args:
        networks: How many networks there are.
        report: A function that is called with the number of finished steps and of all.
        exports: Whether they are exported first.
    """

    def __init__(self, networks: int, report: Callable[[int, int], None], *, exports: bool):
        self.networks, self.report = networks, report
        self.before = networks if exports else 0
        self.done = -1

    def exported(self, number: int) -> None:
        """Reports that a number of networks are exported."""
        self._reached(number)

    def timed(self, passes: int, of: int) -> None:
        """Reports how many passes are timed; networks take turns, so none is finished before the others."""
        self._reached(self.before + self.networks * passes // of)

    def _reached(self, done):
        if done > self.done:
            self.done = done
            self.report(done, self.before + self.networks)


def _nothing():
    """A network that does next to nothing: its time is what a pass takes in any case."""
    x = keras.Input((1,))
    return keras.Model(x, keras.layers.Activation("relu")(x))


def _key(visit: Visit):
    """Equal for calls that take equally long: of layers of one type with equal settings and shapes."""
    layer = visit.operation
    settings = {**bare_config(layer), "name": "", "activation": _name(getattr(layer, "activation", None))}
    arguments = keras.tree.map_structure(str, visit.node.arguments.kwargs)
    shapes = [tuple(x.shape) for x in (*visit.node.input_tensors, *getattr(layer, "weights", ()))]
    return repr((type(layer), settings, arguments, shapes))


def _name(activation):
    return getattr(activation, "__name__", activation)


def _alone(visit: Visit) -> keras.Model:
    """A call of a layer as a network of its own."""
    tensors = list({id(tensor): tensor for tensor in visit.node.input_tensors}.values())
    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in tensors]
    args, kwargs = visit.node.arguments.fill_in(dict(zip(map(id, tensors), inputs, strict=True)))
    return keras.Model(inputs, visit.operation(*args, **kwargs))
