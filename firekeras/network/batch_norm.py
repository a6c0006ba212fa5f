"""BatchNormalization as in training: which layers can be run so, and what one gives by its own batch."""

from __future__ import annotations

import keras
from keras import ops

from firekeras.channels.registry import find_rule
from firekeras.channels.rules.normalization import batch_normalization
from firekeras.channels.walk import leaf_layers, visits
from firekeras.keras_models.internals import all_layers
from firekeras.network.observing import moments


def normalised_by_batch(layer, x):
    """What the layer gives in training, and the moments of what comes in."""
    x = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    rows = moments(x, layer.axis)
    _, mean, variance = (row[0] for row in rows)
    given = ops.batch_normalization(
        x, mean, variance, axis=layer.axis, offset=layer.beta, scale=layer.gamma, epsilon=layer.epsilon
    )
    return ops.cast(given, layer.compute_dtype), rows


def norms_to_measure(model):
    """The BatchNormalization layers whose statistics can be measured, by path; and why others keep theirs, by path."""
    masked = {visit.path for visit in visits(model) if _is_masked(visit.node)}
    layers, kept = {}, {}
    for path, layer in leaf_layers(model):
        reason = _reason_to_keep(layer) or ("given a mask" if path in masked else None)
        if reason and _holds_batch_norm(layer):
            kept[path] = reason
        elif not reason:
            layers[path] = layer
    return layers, kept


def _holds_batch_norm(layer):
    return any(isinstance(one, keras.layers.BatchNormalization) for one in all_layers(layer))


def _is_masked(node):
    return any(getattr(tensor, "_keras_mask", None) is not None for tensor in node.input_tensors)


def _reason_to_keep(layer):
    if not isinstance(layer, keras.layers.BatchNormalization):
        return "inside another layer"
    if find_rule(layer) is not batch_normalization or getattr(layer, "renorm", False):
        return "no plain BatchNormalization"
    return None if layer.trainable else "frozen (trainable=False)"
