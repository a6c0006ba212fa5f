"""Layers that bring several tensors together: elementwise, or side by side."""

import keras
import numpy as np
from keras import layers

from firekeras.channels.labels import FIXED, Channels
from firekeras.channels.registry import rule


@rule(layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract)
def elementwise(call, inputs):
    """Layers that combine tensors position by position."""
    return combine(call, keras.tree.flatten(inputs))


def combine(call, inputs):
    """Ties the channels that meet; a single channel that is spread over many must stay."""
    rank = len(call.output_shape)
    if any(x.rank != rank for x in inputs):
        return call.refuse((inputs,), {}, "combines tensors of different rank")[0]
    spread = [x for x in inputs if x.labels.size == 1 and _is_broadcast(call, x)]
    for x in spread:
        call.lock(x, "spreads this one channel over many")
    meeting = [x for x in inputs if not any(x is s for s in spread)]
    if len({axis for x in meeting for axis in x.axes()}) > 1:
        return call.refuse((inputs,), {}, "combines tensors whose channels lie along different axes")[0]
    return _tied(call, meeting)


def _is_broadcast(call, x):
    return any(size == 1 != out for size, out in zip(x.shape[1:], call.output_shape[1:], strict=True))


def _tied(call, inputs):
    """One tensor whose every channel goes together with those that it was made of."""
    sizes = np.broadcast_shapes(*(_grid(x) for x in inputs)) if inputs else (1,) * len(call.output_shape)
    labels = call.tracer.space.new(int(np.prod(sizes))).reshape(sizes)
    if all(x.is_fixed for x in inputs):
        return Channels.fixed(call.output_shape)
    for x in inputs:
        call.tracer.mark_unscored(x, f"meets {call.where} before any ReLU")
        if x.is_fixed and all(x.shape[axis] == 1 for axis in _axes(inputs)):
            continue  # the same number for all channels, such as a gate per position
        call.tie(labels, x.labels, "combines these channels with others that are fixed")
    return Channels(call.output_shape, labels)


def _axes(inputs):
    return {axis for x in inputs for axis in x.axes()}


def _grid(x):
    return x.labels.shape


@rule(layers.Concatenate)
def concatenate(call, inputs):
    """Concatenation: labels side by side along its axis, tied along any other."""
    axis = call.layer.axis % len(call.output_shape)
    if all(x.varies_only_along(axis) for x in inputs):
        return call.output(axis, np.concatenate([x.vector(axis) for x in inputs]))
    if any(len(x.axes()) > 1 or axis in x.axes() for x in inputs):
        return call.refuse((inputs,), {}, "joins tensors whose channels lie along different axes")[0]
    fixed = [x for x in inputs if x.is_fixed]
    joined = _tied(call, [x for x in inputs if not x.is_fixed])
    if fixed:
        call.lock(joined, "joins these channels with others that are fixed")
    return joined


__all__ = ["FIXED", "combine", "concatenate", "elementwise"]
