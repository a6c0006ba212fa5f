"""A Keras 3 model as a tf_keras model, as TF-MOT needs it, and weights back again: outputs proven equal."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels.check import check_model
from firekeras.channels.walk import Visit, visits, walk
from firekeras.export.bridge_layers import converted
from firekeras.export.formats.format import needed
from firekeras.export.running import open_runtime, run
from firekeras.export.verification import VERIFIED, difference, samples_of
from firekeras.keras_models.internals import all_layers

TOLERANCE = 1e-4
MERGING = ("Add", "Subtract", "Multiply", "Concatenate")  # operations of keras.ops, as the layers are called


class Bridge:
    """A Keras 3 model, and the same network in tf_keras.

    Args:
        model: A built Functional or Sequential model of standard layers, nested to any depth. It is not changed.
        samples: Inputs to compare both on, as `model.predict` takes them. Defaults to 32 random ones.

    Attributes:
        model: The Keras 3 model.
        legacy: The tf_keras model: flat, a layer of a nested model is named `backbone_conv1`.
        layers: The tf_keras layers for each layer of the model, by its path: `"backbone/conv1"`.
        difference: The `Difference` between the outputs of both.

    Raises:
        ValueError: If a layer has no counterpart (names all such layers), or outputs are not equal.
        ImportError: If tf_keras is not installed.
    """

    def __init__(self, model, samples=None):
        check_model(model)
        needed("tf_keras")
        arrays = [array[:VERIFIED] for array in samples_of(model, samples).values()]
        self.model = model
        self._paths: dict[int, str] = {}
        self.layers = self._converted_layers()
        self.legacy = self._connected()
        self._names = self._copy_weights()
        self.difference = self._checked_equal(arrays)

    def _converted_layers(self):
        """Converts all layers, or names all that cannot be."""
        found, reasons = {}, []
        for visit in visits(self.model):
            operation, path = visit.operation, visit.path
            if visit.is_nested or id(operation) in self._paths:
                continue
            self._paths[id(operation)] = path
            try:
                found[path] = _layers_of(visit.node, path.replace("/", "_"))
            except ValueError as error:
                reasons.append(f"{path!r} ({type(operation).__name__}) {error}")
        reasons += [f"the input {t.name!r} is {t.dtype}" for t in self.model.inputs if t.dtype != _precision()]
        if reasons:
            raise ValueError(f"The model {self.model.name!r} cannot be written in tf_keras: {'; '.join(reasons)}.")
        return found

    def _connected(self):
        import tf_keras

        inputs = [tf_keras.Input(batch_shape=tuple(t.shape), name=t.name, dtype=t.dtype) for t in self.model.inputs]
        return tf_keras.Model(inputs, walk(self.model, inputs, self._call), name=self.model.name)

    def _call(self, visit: Visit, args: Any, kwargs: Any) -> Any:
        tensors = _tensors(visit.node, args, kwargs)
        for layer in self.layers[self._paths[id(visit.operation)]]:
            tensors = layer(tensors)
        return tensors

    def _copy_weights(self):
        """Into the tf_keras layers, where Keras 3 has any; returns their names, by the id of the Keras 3 layer."""
        names = {}
        for layer in all_layers(self.model):
            counterpart = self.layers.get(self._paths.get(id(layer), ""), [None])[0]
            if counterpart is not None and len(layer.weights) == len(counterpart.weights) > 0:
                counterpart.set_weights(layer.get_weights())
                names[id(layer)] = counterpart.name
        return names

    def _checked_equal(self, arrays):
        expected = run(open_runtime(self.model), arrays)
        outputs = self.legacy.predict(arrays if len(arrays) > 1 else arrays[0], batch_size=VERIFIED, verbose=0)
        deviation = difference([np.asarray(y) for y in keras.tree.flatten(outputs)], expected)
        if not deviation.largest <= TOLERANCE:
            raise ValueError(
                f"Written in tf_keras, the outputs of the model {self.model.name!r} differ by {deviation.largest:.2g}"
                f" of the largest output, and {TOLERANCE:g} is allowed. Export it without TF-MOT: "
                "firekeras.export_model."
            )
        return deviation

    def brought_back(self, tuned=None):
        """A copy of the Keras 3 model, with the weights of a tf_keras one.

        Args:
            tuned: A model whose layers have the names of `legacy`. Defaults to `legacy`.
        """
        copy = keras.models.clone_model(self.model)
        copy.set_weights(self.model.get_weights())
        for layer, twin in zip(all_layers(self.model), all_layers(copy), strict=True):
            if id(layer) in self._names:
                twin.set_weights((tuned or self.legacy).get_layer(self._names[id(layer)]).get_weights())
        return copy


@typed
def to_tf_keras(model: keras.Model, samples: Any = None) -> Any:
    """Converts a network to a tf_keras model, for TF-MOT and other Keras 2 tools.

    Args:
        model: A built Functional or Sequential Keras 3 model of standard layers. It is not changed.
        samples: Inputs to compare both on, as `model.predict` takes them. Defaults to 32 random ones.

    Returns:
        A `tf_keras.Model` with the same weights, and outputs equal up to 1e-4 of the largest.

    Raises:
        ValueError: If a layer has no counterpart (names all such layers), or outputs are not equal.
        ImportError: If tf_keras is not installed.

    Example:
    >>> legacy = firekeras.export.to_tf_keras(pruned, x_train)
    >>> legacy.output_shape
    (None, 10)
    """
    return Bridge(model, samples).legacy


def _precision():
    import tf_keras

    return tf_keras.backend.floatx()


def _layers_of(node, name):
    """The tf_keras layers of one call; a sum of two tensors by an operator is an Add layer."""
    operation = node.operation
    kind = type(operation).__name__
    shapes = [tuple(tensor.shape) for tensor in node.input_tensors]
    if not isinstance(operation, keras.Layer) and kind in MERGING:
        return [_merging(operation, kind, shapes, name)]
    return converted(operation, name, shapes[0])


def _merging(operation, kind, shapes, name):
    import tf_keras

    if len(shapes) < 2:
        raise ValueError("takes a number beside a tensor")
    if kind == "Concatenate":
        return tf_keras.layers.Concatenate(operation.axis, name=name)
    return getattr(tf_keras.layers, kind)(name=name)


def _tensors(node, args, kwargs):
    """What tf_keras layers are called with: the tensors alone, one by itself."""
    count = len(node.input_tensors)
    return keras.tree.flatten((args, kwargs))[0] if count == 1 else keras.tree.flatten((args, kwargs))[:count]
