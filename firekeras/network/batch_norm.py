"""BatchNormalization as in training: which layers can run that way, and the output of one on its own batch."""

from __future__ import annotations

import keras
from keras import ops

from firekeras.channels.registry import find_rule
from firekeras.channels.rules.normalization import batch_normalization
from firekeras.channels.walk import leaf_layers, visits
from firekeras.keras_models.internals import all_layers, is_masked
from firekeras.network.observing import moments


def normalised_by_batch(layer, x):
    """The layer's output in training, and the moments of its input."""
    x = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    rows = moments(x, layer.axis)
    _, mean, variance = (row[0] for row in rows)
    normalised = ops.batch_normalization(
        x, mean, variance, axis=layer.axis, offset=layer.beta, scale=layer.gamma, epsilon=layer.epsilon
    )
    return ops.cast(normalised, layer.compute_dtype), rows


def norms_to_measure(model):
    """The BatchNormalization layers whose statistics can be measured, and why others keep theirs, both by path."""
    masked = {visit.path for visit in visits(model) if is_masked(visit.node)}
    layers, kept = {}, {}
    for path, layer in leaf_layers(model):
        reason = _reason_to_keep(layer) or ("masked" if path in masked else None)
        if reason and _holds_batch_norm(layer):
            kept[path] = reason
        elif not reason:
            layers[path] = layer
    return layers, kept


def _holds_batch_norm(layer):
    return any(isinstance(part, keras.layers.BatchNormalization) for part in all_layers(layer))


def _reason_to_keep(layer):
    if not isinstance(layer, keras.layers.BatchNormalization):
        return "inside another layer"
    if find_rule(layer) is not batch_normalization or getattr(layer, "renorm", False):
        return "no plain BatchNormalization"
    return None if layer.trainable else "frozen (trainable=False)"
