"""The weights in a `.keras` file, read straight from its archive, without Keras and without executing code from it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from firekeras.channels.graph import ChannelGraph, LayerInfo
from firekeras.keras_models import archive
from firekeras.keras_models.loss_names import has_binary_loss
from firekeras.keras_models.model_file import check_path

FEW = 1 << 18  # weights of a layer: opening a large model stays instant


class ModelWeights:
    """The contents of a `.keras` file, layer by layer.

    Args:
        path: The file.

    Attributes:
        input_shape: The shape of one image that the model takes, None for sizes that may vary; `None` if it is not
            said, or there are several inputs.
        inputs: The names of the model's inputs; empty if it is not said.
        outputs: The layers that compute the model's outputs; empty if it is not said.
        compiled: Whether it was compiled.
        loss: The name of the loss that it was compiled with; empty without one, if there are several, or if it ends in
            a softmax: then it tells classes apart, whatever its loss.
        tells_two_apart: Whether one output of one score is that of two classes: by the loss, or without one, a sigmoid.

    Raises:
        ValueError: If there is no such file, or it is of another format or damaged.
    """

    def __init__(self, path):
        self.path = Path(path)
        check_path(self.path)
        with contextlib.ExitStack() as files:
            content, file = files.enter_context(archive.opened(self.path))
            archive.count_stored(content, file)
            config = _said(archive.read_config, content)
            self.input_shape = _said(_said_input_shape, config)
            self.inputs: list[str] = _said(_said_inputs, config) or []
            self.outputs: list[str] = _said(_said_outputs, config) or []
            self.compiled: bool = _said(_said_compiled, config) or False
            self.loss: str = _said(_said_loss, config) or ""
            self.tells_two_apart: bool = _said(_said_two_classes, config) or False
            weights = archive.member(content, file, archive.WEIGHTS)
            self._variables = dict(_variables(files.enter_context(h5py.File(weights, "r")), ()))
            self._files = files.pop_all()
        self._written = _written(self.path)

    def close(self):
        """Closes the file, so it can be replaced or deleted; a window that is closed too may ask, and finds nothing."""
        self._files.close()
        self._variables = {}

    def check_unchanged(self):
        """Raises `ValueError` if the file was removed or written again: what was chosen is of the opened one."""
        if not self.path.exists():
            raise ValueError(f"{self.path} is no longer there. Put it back, or open another model.")
        if _written(self.path) != self._written:
            raise ValueError(
                f"{self.path.name} was written again since it was opened, and may hold other weights. Save your "
                "choices if you need them, and open it again."
            )

    @property
    def params(self) -> int:
        """The number of parameters, as `model.count_params()` returns it."""
        return sum(math.prod(v.shape) for variables in self._variables.values() for v in variables)

    def mismatch(self, graph: ChannelGraph) -> str:
        """The layer in which it differs from the network of the graph; empty if they are the same."""
        for name, layer in graph.layers.items():
            expected = sorted(w.factor * math.prod(graph.axes[a].size for a in w.axes) for w in layer.weights)
            own = [variable for part in self._parts(name) for variable in part] if expected else []
            if expected and not own:
                return f"it has no layer {name!r}"
            if expected != sorted(math.prod(v.shape) for v in own):
                return f"its layer {name!r} has weights of other sizes"
        return ""

    def _parts(self, layer):
        """The variables of a layer, and of each one that it consists of, as a GRU of its cell."""
        return [each for name, each in self._variables.items() if name == layer or name.startswith(f"{layer}/")]

    def norms(self, graph: ChannelGraph) -> Iterator[tuple[str, np.ndarray]]:
        """Yields the layers with few weights, and the l1 norms of their filters: enough to recognise a training."""
        for name in graph.filter_layers:
            for variable, where in self._filters(graph.layers[name]):
                if variable.size <= FEW:
                    kernel = where.by_filter(np.abs(variable[()].astype("float64")))
                    yield name, kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)

    def kernel(self, layer: LayerInfo, filter: int) -> np.ndarray | None:
        """The kernel of one filter, `(*taps, inputs)`; `None` if it cannot be told from the others'.

        Args:
            layer: The layer, which says where its filters lie.
            filter: Which of them.
        """
        kernels = (where.by_filter(variable[()]) for variable, where in self._filters(layer))
        return next((kernel[..., filter].astype("float64") for kernel in kernels), None)

    def _filters(self, layer):
        """Yields the variable in which the filters of a layer lie, if it can be told, and how they lie in it."""
        parts, where = self._parts(layer.name), layer.kernel
        variables = parts[0] if len(parts) == 1 else ()  # the file has several in another order than the layer
        if where is not None and where.weight < len(variables):
            variable = variables[where.weight]
            if -min(where.axes) <= variable.ndim:  # a stranger's profile may say anything
                yield variable, where


def _written(path):
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size


def _said(read, source):
    """What a function reads in an archive or its config; None if it is not there."""
    with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):  # a stranger's file may say anything
        return read(source)
    return None


def _input_layers(config):
    layers = config.get("config", {}).get("layers", ())
    return [layer["config"] for layer in layers if layer.get("class_name") == "InputLayer"]


def _said_inputs(config):
    return [str(layer["name"]) for layer in _input_layers(config)]


def _said_input_shape(config):
    shapes = [layer.get("batch_shape") or layer.get("batch_input_shape") for layer in _input_layers(config)]
    return tuple(shapes[0][1:]) if len(shapes) == 1 and shapes[0] else None


def _said_outputs(config):
    config = config["config"]
    if "output_layers" not in config:  # of a Sequential model
        return [config["layers"][-1]["config"]["name"]]
    outputs = config["output_layers"]
    if isinstance(outputs, list) and isinstance(outputs[0], str):
        return [outputs[0]]
    return [str(output[0]) for output in (outputs.values() if isinstance(outputs, dict) else outputs)]


def _said_compiled(config):
    return bool(config.get("compile_config"))


def _said_two_classes(config):
    compiled = config.get("compile_config")
    if compiled:
        return has_binary_loss(_name_of(compiled["loss"]))
    return _said_activation(config) == "sigmoid"


def _said_loss(config):
    compiled = config.get("compile_config")
    name = _name_of(compiled["loss"]) if compiled else ""
    return name if isinstance(name, str) and _said_activation(config) != "softmax" else ""


def _said_activation(config):
    last = _said_outputs(config)[0]
    layers = {layer["config"]["name"]: layer["config"] for layer in config["config"]["layers"]}
    return layers[last].get("activation")


def _name_of(loss):
    """The name of a loss as Keras writes it: a string, a class, or a function."""
    if isinstance(loss, dict):
        return loss["config"] if loss["class_name"] == "function" else loss["class_name"]
    return loss


def _variables(group, path):
    """Yields (layer, its variables) of a group and those below: Keras writes each layer's name beside its variables."""
    for key, below in group.items():
        if key in ("optimizer", "metrics") or not isinstance(below, h5py.Group):
            continue
        named = below.get("vars")
        inner = path
        if isinstance(named, h5py.Group) and "name" in named.attrs and key != "layers":
            inner = (*path, str(named.attrs["name"]))
            variables = [_dataset(named, number) for number in sorted(named, key=int)]
            if variables:
                yield "/".join(inner), variables
        if key != "vars":
            yield from _variables(below, inner)


def _dataset(group, name):
    if not isinstance(group[name], h5py.Dataset):
        raise ValueError(f"{group.name}/{name} in its weights is not an array")
    return group[name]
