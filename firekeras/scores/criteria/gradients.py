"""Criteria that use the loss: how it would change if a unit's channels were slightly weaker."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from firekeras.channels.walk import Visit, functional_graph, walk
from firekeras.data.checks import checked_data
from firekeras.data.ending import Pass, ends
from firekeras.data.samples import batches
from firekeras.keras_models.internals import at_inference_arguments, flat_inputs
from firekeras.scores.criteria.readers import Readers
from firekeras.scores.criteria.registry import criterion

BATCH_SIZE = 32  # all activations of a batch are held at once


@criterion("taylor", needs="data")
def small_taylor(model, data):
    """Minus the mean over samples of |dL/dg|, where g is a gate on all outputs of a filter.

    To first order, |dL/dg| is the effect of closing the gate on the loss. This is the criterion of
    Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning", 3.1, with gates: by the
    chain rule dL/dg is the sum of gradient times value over the filter's outputs, or over its weights.
    Its absolute value is taken for each sample, as in Molchanov et al. 2017, 2.2. Coupled filters have
    one gate, and share its score.
    """
    return _mean_effect(model, data, np.abs, "taylor")


@criterion("fisher", needs="data")
def small_fisher(model, data):
    """Minus half the mean over samples of (dL/dg)^2, where g is a gate on all outputs of a filter.

    Theis et al. 2018, "Faster gaze prediction with dense networks and Fisher pruning", 2.2: to second
    order, the effect of closing the gate on the loss, with the Fisher information for the Hessian.
    Coupled filters have one gate, and share its score.
    """
    return _mean_effect(model, data, lambda effect: np.square(effect) / 2, "fisher")


def _mean_effect(model, data, measure, name):
    _check_loss(model, name)
    checked_data(model, data)
    readers = Readers(model)
    gradient = gradient_of(GatedLoss(model, readers))
    total, samples = np.zeros(readers.graph.num_units), 0
    for x, y, weights in _watched_batches(data):
        if y is None:
            raise ValueError(
                "Expected data with labels, (x, y), since the criterion uses the loss. Received: only samples."
            )
        effects = _effects(gradient, readers.graph.num_units, x, y, weights)
        total += measure(effects).sum(axis=0)
        samples += len(effects)
    if not np.isfinite(total).all():
        raise ValueError(
            f"The gradients for the criterion {name!r} are NaN or infinite. Look for NaN in the data with "
            "np.isfinite(x).all(), and evaluate the model: its loss must be finite."
        )
    return readers.scores(-total / samples / np.maximum(readers.graph.unit_sizes, 1), name)


def _watched_batches(data):
    if ends(data):
        yield from batches(data, BATCH_SIZE)
        return
    with Pass(data, "Measuring gradients") as read:
        for batch in batches(data, BATCH_SIZE):
            read.batch()
            yield batch
        read.end()


def _check_loss(model, name):
    if not model.compiled or model.loss is None:
        raise ValueError(
            f"The criterion {name!r} uses the model's loss: expected a model compiled with one. Received: "
            f"{model.name!r}, which has none. Call model.compile(loss=...) with the loss that it was trained with."
        )


def _effects(gradient, units, x, y, weights):
    """dL/dg of each sample and unit, `(samples, num_units)`, of a loss that is the mean over a batch."""
    samples = len(keras.tree.flatten(x)[0])
    closed = ops.zeros((samples, units), "float32")
    return samples * ops.convert_to_numpy(gradient(closed, x, y, weights)).astype("float64")


class GatedLoss:
    """A model's loss as a function of gates: a unit's output is multiplied by 1 + its gate where it is read.

    The model runs in inference mode, and is not changed.

    Args:
        model: A compiled model.
        readers: Its `Readers`.
    """

    def __init__(self, model, readers):
        self.model, self.readers = model, readers

    def __call__(self, gates, x, y, weights):
        """The loss, a scalar.

        Args:
            gates: One per sample and unit, `(samples, num_units)`.
            x, y, weights: A batch as `keras.utils.unpack_x_y_sample_weight` returns it.
        """
        gates = ops.pad(gates, ((0, 0), (0, 1)))  # the last is for channels of no unit, number -1
        graph = functional_graph(self.model)

        def call(visit: Visit, args, kwargs):
            if visit.path in self.readers:
                args = (_gated(args[0], self.readers[visit.path], gates), *args[1:])
            return visit.operation(*args, **at_inference_arguments(visit.operation, kwargs))

        with keras.StatelessScope(_regularized(self.model), collect_losses=True):
            outputs = walk(self.model, flat_inputs(graph, x), call)
            outputs = keras.tree.pack_sequence_as(graph.output, outputs)
            return self.model.compute_loss(x, y, outputs, weights, training=False)


def _regularized(model):
    """The values of the weights that the loss takes from the scope itself, where it would find none."""
    return [(weight, weight.value) for weight in model.trainable_weights if weight.regularizer is not None]


def _gated(x, reader, gates):
    """What a reader reads, each channel multiplied by 1 + the gate of its unit."""
    shape = [1] * len(x.shape)
    shape[0], shape[reader.axis] = -1, len(reader.units)
    own = ops.take(gates, reader.units % gates.shape[1], axis=1)
    return x * ops.cast(1 + ops.reshape(own, shape), x.dtype)


def gradient_of(loss):
    """The gradient of a scalar function by its first argument, compiled if the backend compiles."""
    return _GRADIENTS[keras.backend.backend()](loss)


def _by_tensorflow(loss):
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def gradient(at, *others):
        with tf.GradientTape() as tape:
            tape.watch(at)
            value = loss(at, *others)
        return tape.gradient(value, at, unconnected_gradients="zero")

    return gradient


def _by_jax(loss):
    import jax

    return jax.jit(jax.grad(loss))


def _by_torch(loss):
    import torch

    def gradient(at, *others):
        at.requires_grad_()
        return torch.autograd.grad(loss(at, *others), at)[0]

    return gradient


_GRADIENTS = {"tensorflow": _by_tensorflow, "jax": _by_jax, "torch": _by_torch}
