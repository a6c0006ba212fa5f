"""Operations that combine tensors position by position, or concatenate them."""

import keras
import numpy as np
from keras import layers

from firekeras.channels.call import Kept
from firekeras.channels.labels import Channels
from firekeras.channels.registry import rule
from firekeras.keras_models.internals import numpy_ops


@rule(layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply, layers.Subtract)
def elementwise(call, inputs):
    """Layers that combine tensors position by position."""
    return combine(call, keras.tree.flatten(inputs))


@rule(
    numpy_ops.Add,
    numpy_ops.Arctan2,
    numpy_ops.Divide,
    numpy_ops.DivideNoNan,
    numpy_ops.Equal,
    numpy_ops.FloorDivide,
    numpy_ops.Greater,
    numpy_ops.GreaterEqual,
    numpy_ops.Hypot,
    numpy_ops.Less,
    numpy_ops.LessEqual,
    numpy_ops.Logaddexp,
    numpy_ops.LogicalAnd,
    numpy_ops.LogicalOr,
    numpy_ops.Maximum,
    numpy_ops.Minimum,
    numpy_ops.Mod,
    numpy_ops.Multiply,
    numpy_ops.NotEqual,
    numpy_ops.Power,
    numpy_ops.Subtract,
    numpy_ops.TrueDivide,
    numpy_ops.Where,
)
def elementwise_op(call, *operands):
    """`keras.ops` and operators on tensors, numbers and constant arrays: `x * 2 + 1`."""
    tensors = [x for x in operands if isinstance(x, Channels)]
    arrays = {k: np.asarray(x) for k, x in enumerate(operands) if not isinstance(x, Channels) and np.ndim(x)}
    if len(tensors) == 1 and not arrays and tensors[0].shape == call.output_shape:
        return _with_numbers(call, tensors[0])
    axes = sorted({axis for x in tensors for axis in x.axes()})
    return combine(call, [*tensors, *(_constant(call, k, array, axes) for k, array in arrays.items())])


def _with_numbers(call, x):
    """Behind scaling and shifting a ReLU still counts for the filter; anything else may be nonlinear."""
    linear = (numpy_ops.Add, numpy_ops.Subtract, numpy_ops.Multiply, numpy_ops.Divide, numpy_ops.TrueDivide)
    return call.passed_on(x) if isinstance(call.layer, linear) else call.fresh_like(x)


def _constant(call, position, array, axes):
    """A constant array, whose values per channel are cut along with the channels."""
    rank = len(call.output_shape)
    shape = (1,) * (rank - array.ndim) + array.shape
    if len(axes) != 1 or shape[axes[0]] == 1:
        return Channels.fixed(shape)
    axis = axes[0]
    labels = call.tracer.space.new(shape[axis])
    call.argument(position, Kept(array, axis - rank, labels))
    return Channels.along(shape, axis, labels)


def combine(call, inputs):
    """Ties the channels that meet; a single channel that is broadcast over many must stay."""
    if isinstance(call.layer, (layers.Add, numpy_ops.Add)):
        call.adds()
    rank = len(call.output_shape)
    inputs = [x for x in inputs if x.rank]
    if any(x.rank != rank for x in inputs):
        return call.refuse((inputs,), {}, "combines tensors of different rank")[0]
    spread = [x for x in inputs if x.labels.size == 1 and not x.is_fixed and _is_broadcast(call, x)]
    for x in spread:
        call.lock(x, "broadcasts this single channel over many")
    meeting = [x for x in inputs if not any(x is s for s in spread)]
    if len({axis for x in meeting for axis in x.axes()}) > 1:
        return call.refuse((inputs,), {}, "combines tensors whose channels lie along different axes")[0]
    return tied(call, meeting)


def _is_broadcast(call, x):
    return any(size == 1 != out for size, out in zip(x.shape[1:], call.output_shape[1:], strict=True))


def tied(call, inputs):
    """A tensor whose channels are tied to those that they were made of."""
    if all(x.is_fixed for x in inputs):
        return Channels.fixed(call.output_shape)
    axes = {axis for x in inputs for axis in x.axes()}
    sizes = np.broadcast_shapes(*(x.labels.shape for x in inputs))
    labels = call.tracer.space.new(int(np.prod(sizes))).reshape(sizes)
    for x in inputs:
        call.tracer.mark_unscored(x, f"meets {call.where} before any ReLU")
        if x.is_fixed and axes and all(x.shape[axis] == 1 for axis in axes):
            continue  # the same number for all channels, such as a gate per position
        call.tie(labels, x.labels, "combines these channels with others that are fixed")
    return Channels(call.output_shape, labels)


@rule(layers.Concatenate, numpy_ops.Concatenate)
def concatenate(call, inputs):
    """Concatenation: labels side by side along its axis, tied along any other."""
    axis = call.layer.axis % len(call.output_shape)
    if axis and all(x.varies_only_along(axis) for x in inputs):
        return call.output(axis, np.concatenate([x.vector(axis) for x in inputs]))
    if not axis or any(len(x.axes()) > 1 or axis in x.axes() for x in inputs):
        return call.refuse((inputs,), {}, "joins tensors whose channels lie along different axes")[0]
    joined = tied(call, [x for x in inputs if not x.is_fixed])
    if any(x.is_fixed for x in inputs):
        call.lock(joined, "joins these channels with others that are fixed")
    return joined


@rule(numpy_ops.Stack)
def stack(call, inputs):
    """Stacking along a new axis ties the channels of the layers of the stack."""
    axis = call.layer.axis % len(call.output_shape)
    if axis == 0:
        return call.refuse((inputs,), {}, "stacks samples")[0]
    shape = inputs[0].shape
    flat = [Channels((*shape[:axis], 1, *shape[axis:]), np.expand_dims(x.labels, axis)) for x in inputs]
    return tied(call, flat) if any(not x.is_fixed for x in flat) else Channels.fixed(call.output_shape)
