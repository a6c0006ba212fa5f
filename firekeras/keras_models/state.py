"""What layers hold beside trained weights: statistics, and constants."""

from __future__ import annotations

import contextlib

import keras
import numpy as np

from firekeras.keras_models.internals import all_layers


def learns(layer) -> bool:
    """Whether training changes anything in a layer: weights, or statistics."""
    return bool(layer.trainable_variables) or isinstance(layer, keras.layers.BatchNormalization)


def copy_state(layer, twin):
    """Gives a layer the state of another one of its kind."""
    twin.set_weights(layer.get_weights())
    if isinstance(layer, keras.layers.Normalization):
        twin.finalize_state()  # it computes with constants made of its weights


@contextlib.contextmanager
def constants_inside(model):
    """Has Normalization hold NumPy arrays: tf2onnx takes tensors from outside the function for further inputs."""
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.Normalization)]
    kept = [(layer.mean, layer.variance) for layer in layers]
    try:
        for layer in layers:
            layer.mean, layer.variance = (
                np.asarray(keras.ops.convert_to_numpy(v)) for v in (layer.mean, layer.variance)
            )
        yield
    finally:
        for layer, (mean, variance) in zip(layers, kept, strict=True):
            layer.mean, layer.variance = mean, variance
