"""Products of tensors: costs are counted, channels are tracked by probing."""

import math

import numpy as np
from keras import layers

from firekeras.channels.call import Count
from firekeras.channels.labels import Channels
from firekeras.channels.probe import probed
from firekeras.channels.registry import find_rule, rule
from firekeras.channels.rules.channelwise import activate
from firekeras.channels.rules.mixing import channel_axis, read_last_axis
from firekeras.keras_models.internals import nn_ops, numpy_ops


@rule(numpy_ops.Matmul, numpy_ops.Dot, numpy_ops.Inner)
def matmul(call, left, right):
    """`keras.ops.matmul`, `dot` and `inner`: every output is a sum over the last axis of the first operand."""
    return _tried(call, _outputs(call) * _shape(left)[-1], left, right)


@rule(numpy_ops.Tensordot)
def tensordot(call, left, right):
    """`keras.ops.tensordot`."""
    axes, shape = call.layer.axes, _shape(left)
    summed = shape[len(shape) - axes :] if isinstance(axes, int) else [shape[k] for k in np.atleast_1d(axes[0])]
    return _tried(call, _outputs(call) * math.prod(summed), left, right)


@rule(layers.Dot)
def dot(call, inputs):
    """The Dot layer: products along one axis of each."""
    axes = call.layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    call.cost(_outputs(call) * inputs[0].shape[axis])
    return probed(call, inputs)


@rule(numpy_ops.Einsum)
def einsum(call, *operands):
    """`keras.ops.einsum` of two operands; for more, the cost depends on the order."""
    if len(operands) == 2:
        call.cost(einsum_macs(call.layer.subscripts, *map(_shape, operands)))
    else:
        call.uncounted()
    return probed(call, *operands)


@rule(layers.EinsumDense)
def einsum_dense(call, x):
    """EinsumDense: tracked if it is a dense layer on the last axis, such as `"abc,cd->abd"`."""
    layer = call.layer
    if not is_dense(layer):
        call.cost(einsum_macs(layer.equation, x.shape, layer.kernel.shape))
        return call.refuse((x,), {}, f"multiplies by {layer.equation!r}; only products over the last axis are tracked")
    made = read_last_axis(call, x)
    call.setting(output_shape=(*layer.partial_output_shape[:-1], Count(made)))
    return activate(call, call.output(-1, made), layer.activation)


def is_dense(layer) -> bool:
    """Whether a layer is an EinsumDense that computes what a dense layer does."""
    if find_rule(layer) is not einsum_dense:
        return False
    inputs, kernel, outputs = layer.equation.replace("->", ",").split(",")
    reads, makes = kernel if len(kernel) == 2 else ("", "")
    alone = reads and reads not in inputs[:-1] and makes not in inputs
    return bool(
        alone and inputs.endswith(reads) and outputs == inputs[:-1] + makes and layer.bias_axes in (None, makes)
    )


@rule(layers.Embedding)
def embedding(call, ids):
    """Embedding: rows are looked up, nothing is multiplied."""
    call.cost(0)
    return probed(call, ids)


@rule(nn_ops.Conv, nn_ops.DepthwiseConv)
def conv_op(call, x, kernel):
    """`keras.ops.conv` and `depthwise_conv` with a kernel that does not belong to a layer."""
    call.cost(_positions(call, call.output_shape) * math.prod(_shape(kernel)), conv=True)
    return probed(call, x, kernel)


@rule(nn_ops.ConvTranspose)
def conv_transpose_op(call, x, kernel):
    """`keras.ops.conv_transpose`."""
    call.cost(_positions(call, x.shape) * math.prod(_shape(kernel)), conv=True)
    return probed(call, x, kernel)


@rule(nn_ops.SeparableConv)
def separable_conv_op(call, x, depthwise_kernel, pointwise_kernel):
    """`keras.ops.separable_conv`."""
    kernels = math.prod(_shape(depthwise_kernel)) + math.prod(_shape(pointwise_kernel))
    call.cost(_positions(call, call.output_shape) * kernels, conv=True)
    return probed(call, x, depthwise_kernel, pointwise_kernel)


@rule(nn_ops.DotProductAttention)
def dot_product_attention(call, query, key, value, *args, **kwargs):
    """`keras.ops.dot_product_attention`: (batch, positions, heads, channels)."""
    heads, channels = query.shape[2:]
    call.cost(query.shape[1] * key.shape[1] * heads * (channels + value.shape[-1]))
    return probed(call, query, key, value, *args, **kwargs)


def einsum_macs(equation, *shapes) -> int:
    """Multiply-accumulates per sample of an einsum of two operands: the product of all sizes but the batch's.

    Args:
        equation: Such as `"...x,xy->...y"`.
        shapes: The shapes of the operands; the batch is None.
    """
    sizes: dict = {}
    for term, shape in zip(equation.replace(" ", "").split("->")[0].split(","), shapes, strict=True):
        before, _, after = term.partition("...")
        free = len(shape) - len(before) - len(after)
        letters = [*before, *(k - free for k in range(free)), *after]  # axes under the dots count from the last one
        for letter, size in zip(letters, shape, strict=True):
            sizes[letter] = max(sizes.get(letter, 1), size or 1)
    return math.prod(sizes.values())


def _tried(call, macs, *operands):
    call.cost(macs)
    return probed(call, *operands)


def _outputs(call):
    """The number of output values per sample."""
    return math.prod(size or 1 for size in call.output_shape)


def _positions(call, shape):
    axis = channel_axis(call.layer) % len(shape)
    return math.prod(size for k, size in enumerate(shape) if k not in (0, axis))


def _shape(operand):
    return operand.shape if isinstance(operand, Channels) else tuple(np.shape(operand))
