"""SavedModel folders of Keras 2: config and weights are read; the graph, which is a program, is never run."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import h5py
import keras
import numpy as np

from firekeras.keras2.config import MODELS, Mender
from firekeras.keras2.h5 import load_mended
from firekeras.paths import read_bytes
from firekeras.refusals import cause

KEPT = "variables/variables"
DESCRIPTION, GRAPH = 1 << 28, 1 << 31  # bytes at most
LONGEST_NUMBER = 10  # bytes: protocol buffers have none of more


def is_saved_model(path: Path) -> bool:
    """Whether a folder is a SavedModel."""
    return (path / "saved_model.pb").is_file()


def read_saved_model(path: Path) -> tuple[keras.Model, list[str]]:
    """The model in a folder, and notes for the user.

    Raises:
        ValueError: If Keras did not write it, it is subclassed, holds code or third-party classes, or is damaged.
        ImportError: If TensorFlow, which reads its weights, is not installed.
    """
    with _readable(path):
        metadata = _metadata(path)
        variables = _Variables(path / KEPT)
    mender = Mender()
    try:
        config = mender.model({"class_name": metadata["class_name"], "config": metadata["config"]})
    except ValueError as error:
        raise ValueError(f"{path} cannot be converted: {error}") from error
    content, stored = _as_h5(path, config, variables, metadata.get("training_config"), mender)
    model, notes = load_mended(content, path, stored)
    return model, [*mender.notes, *notes]


def _as_h5(path, config, variables, training, mender):
    """The bytes of an `.h5` file of the model, and how many numbers its weights hold."""
    copy = io.BytesIO()
    with h5py.File(copy, "w") as file:
        file.attrs.update(model_config=json.dumps(config), keras_version="2", backend="tensorflow")
        if training:
            file.attrs["training_config"] = json.dumps(mender.training(training))
        with _readable(path):
            stored = _write_weights(file.create_group("model_weights"), config, variables)
    return copy.getvalue(), stored


@contextlib.contextmanager
def _readable(path):
    """Puts into words whatever TensorFlow or the structure of a damaged folder raises."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a SavedModel that Keras wrote: {cause(error, 400)}") from error


def _write_weights(group, config, variables) -> int:
    """Writes the weights of all layers; returns how many numbers they hold."""
    names, count = [], 0
    for number, layer in enumerate(_layers(config)):
        names.append(layer["config"]["name"])
        own = group.create_group(names[-1])
        values = variables.of_layer(number)
        own.attrs["weight_names"] = [f"weight_{k}".encode() for k in range(len(values))]
        for k, value in enumerate(values):
            own[f"weight_{k}"] = value
            count += np.size(value)
    group.attrs["layer_names"] = [name.encode() for name in names]
    group.attrs.update(keras_version="2", backend="tensorflow")
    return count


def _layers(config):
    """The layers in the checkpoint's order: a Sequential model does not count its input."""
    layers = config["config"]["layers"]
    sequential = config["class_name"] == "Sequential"
    return [layer for layer in layers if not (sequential and layer["class_name"] == "InputLayer")]


def _metadata(path) -> dict:
    """Keras's description of the model's structure."""
    texts = _texts_beside(path) or _texts_inside(path)
    metadata = json.loads(texts[0]) if texts else {}
    if metadata.get("class_name") not in MODELS or not isinstance(metadata.get("config"), dict):
        kind = metadata.get("class_name")
        raise ValueError(
            "it holds no functional or Sequential model, "
            + (f"but a {kind!r}. " if kind else "only a graph. ")
            + "A graph is a program: it is not run here. Build the model in Python, and load the weights into it."
        )
    return metadata


def _texts_beside(path):
    file = path / "keras_metadata.pb"
    if not file.is_file():
        return []
    objects = [content for number, content in _fields(read_bytes(file, DESCRIPTION)) if number == 1]
    return [content.decode() for node in objects for number, content in _fields(node) if number == 5]


def _texts_inside(path):
    """In older files: beside the graph, of which nothing else is read."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(read_bytes(path / "saved_model.pb", GRAPH))
    except Exception as error:
        raise ValueError("its saved_model.pb is damaged.") from error
    nodes = [node for graph in saved.meta_graphs for node in graph.object_graph_def.nodes]
    return [node.user_object.metadata for node in nodes[:1] if node.user_object.metadata]


def _fields(data):
    """Yields (number, content) of the fields of a protocol buffer that have a length."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        size, place = _varint(data, place) if kind in (0, 2) else ({1: 8, 5: 4}[kind], place)
        if kind == 2:
            yield key >> 3, data[place : place + size]
        place += size if kind else 0


def _varint(data, place):
    value = shift = 0
    for byte in data[place : place + LONGEST_NUMBER]:
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
    raise ValueError("its description is damaged.")


class _Variables:
    """The weights of a SavedModel, by layer."""

    def __init__(self, prefix):
        import tensorflow as tf
        from tensorflow.core.protobuf import trackable_object_graph_pb2

        try:
            self._values = tf.train.load_checkpoint(str(prefix))
            text = self._values.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
        except (tf.errors.OpError, RuntimeError) as error:
            raise ValueError(f"its weights are damaged or missing: {error}") from error
        graph = trackable_object_graph_pb2.TrackableObjectGraph()
        graph.ParseFromString(text)
        self._nodes = list(graph.nodes)

    def of_layer(self, number) -> list[np.ndarray]:
        """The values of a layer's weights, in the order of `.h5` files: trainable ones first."""
        layer = self._child(self._nodes[0], f"layer-{number}")
        if layer is None:
            raise ValueError(f"its checkpoint lacks layer {number}.")
        keys, trained = (self._keys(layer, name) for name in ("variables", "trainable_variables"))
        ordered = [*trained, *(key for key in keys if key not in trained)]
        return [self._values.get_tensor(key) for key in ordered]

    def _child(self, node, name):
        return next((self._nodes[child.node_id] for child in node.children if child.local_name == name), None)

    def _keys(self, layer, name):
        """The keys under which the variables in one of a layer's lists are stored, in order."""
        node = self._child(layer, name)
        numbered = [] if node is None else sorted((int(c.local_name), c.node_id) for c in node.children)
        return [self._nodes[number].attributes[0].checkpoint_key for _, number in numbered]
