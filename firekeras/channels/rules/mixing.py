"""Layers that make new channels: each of their filters reads all input channels."""

import math

import numpy as np
from keras import layers, ops

from firekeras.channels.call import Count
from firekeras.channels.reading import squared
from firekeras.channels.registry import rule
from firekeras.channels.rules.channelwise import activate


def channel_axis(layer):
    """The axis of channels of a layer's input, by its data format."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def array(variable):
    """A variable's value as a NumPy array."""
    return ops.convert_to_numpy(variable)


@rule(layers.Dense)
def dense(call, x):
    """Dense, on the last axis."""
    made = read_last_axis(call, x, linear=True)
    call.setting(units=Count(made))
    return activate(call, call.output(-1, made), call.layer.activation)


def read_last_axis(call, x, linear=False):
    """Declares a kernel `(inputs, filters)` that multiplies the last axis; returns the labels of its filters."""
    kernel = call.layer.kernel
    call.reads(-1, (kernel, -2), strengths=lambda: squared(kernel), linear=linear)
    read = call.consume(x, -1)
    made = call.filters(kernel.shape[-1], lambda: array(kernel))
    call.weight(kernel, read, made)
    call.weight(call.layer.bias, made)
    call.cost(call.positions(-1), read, made)
    return made


@rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def conv(call, x):
    """Convolutions; a kernel is (*taps, input channels per group, filters)."""
    layer, axis = call.layer, channel_axis(call.layer)
    read = call.consume(x, axis)
    made = call.filters(layer.filters, lambda: array(layer.kernel))
    taps = math.prod(layer.kernel_size) * call.positions(axis)
    if layer.groups == 1:
        call.reads(axis, (layer.kernel, -2), strengths=lambda: squared(layer.kernel), linear=True)
        call.weight(layer.kernel, *(None,) * layer.rank, read, made)
        call.cost(taps, read, made, conv=True)
    else:
        tie_groups(call, read, made)
        call.weight(layer.kernel, *(None,) * layer.rank, None, made)
        call.cost(taps * (read.size // layer.groups), made, conv=True)
    call.weight(layer.bias, made)
    call.setting(filters=Count(made))
    return activate(call, call.output(axis, made), layer.activation)


def tie_groups(call, read, made):
    """Ties the channels of a grouped convolution: a group, its inputs and its outputs, is removed as a whole.

    Groups have to stay equally wide, so the alternative would be to remove the same channel from
    every group.
    """
    reads, makes = (labels.reshape(call.layer.groups, -1) for labels in (read, made))
    call.tie(reads, reads[:, :1])
    call.tie(makes, reads[:, :1])
    call.setting(groups=Count(reads[:, 0]))


@rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def conv_transpose(call, x):
    """Transposed convolutions; a kernel is (*taps, filters, input channels)."""
    layer, axis = call.layer, channel_axis(call.layer)
    if getattr(layer, "groups", 1) != 1:
        return call.refuse((x,), {}, "is a grouped transposed convolution, which no rule covers")
    read = call.consume(x, axis)
    made = call.filters(layer.filters, lambda: np.swapaxes(array(layer.kernel), -1, -2))
    call.reads(axis, (layer.kernel, -1), strengths=lambda: squared(layer.kernel, -1), linear=True)
    call.weight(layer.kernel, *(None,) * layer.rank, made, read)
    call.weight(layer.bias, made)
    call.setting(filters=Count(made))
    positions = math.prod(size for k, size in enumerate(x.shape) if k not in (0, axis % x.rank))
    call.cost(math.prod(layer.kernel_size) * positions, read, made, conv=True)
    return activate(call, call.output(axis, made), layer.activation)


@rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise_conv(call, x):
    """Depthwise convolutions: each filter is tied to the one channel that it reads."""
    layer, axis = call.layer, channel_axis(call.layer)
    read = call.consume(x, axis)
    made = call.filters(read.size * layer.depth_multiplier, lambda: one_input(array(layer.kernel)))
    call.tie(made.reshape(read.size, -1), read[:, None])
    call.lie_in(layer.kernel, -2, -1)
    call.weight(layer.kernel, *(None,) * layer.rank, read, None)
    call.weight(layer.bias, made)
    call.cost(math.prod(layer.kernel_size) * call.positions(axis), made, conv=True)
    return activate(call, call.output(axis, made), layer.activation)


def one_input(kernel):
    """A depthwise kernel (*taps, channels, multiplier) as filters (*taps, 1, filters)."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


@rule(layers.SeparableConv1D, layers.SeparableConv2D)
def separable_conv(call, x):
    """A depthwise convolution and a pointwise one; the filters are those of the pointwise one."""
    layer, axis = call.layer, channel_axis(call.layer)
    read = call.consume(x, axis)
    spread = np.repeat(read, layer.depth_multiplier)
    made = call.filters(layer.filters, lambda: array(layer.pointwise_kernel))
    kernels = (layer.depthwise_kernel, -2), (layer.pointwise_kernel, -2)
    call.reads(axis, *kernels, strengths=lambda: _squared_in_a_row(layer), linear=True)
    call.weight(layer.depthwise_kernel, *(None,) * layer.rank, read, None)
    call.weight(layer.pointwise_kernel, *(None,) * layer.rank, spread, made)
    call.weight(layer.bias, made)
    call.setting(filters=Count(made))
    call.cost(math.prod(layer.kernel_size) * call.positions(axis), spread, conv=True)
    call.cost(call.positions(axis), spread, made, conv=True)
    return activate(call, call.output(axis, made), layer.activation)


def _squared_in_a_row(layer):
    """How strongly each output of two convolutions in a row depends on each channel, `(channels, outputs)`."""
    depthwise, pointwise = squared(layer.depthwise_kernel), squared(layer.pointwise_kernel)
    return np.einsum("cm,cmf->cf", depthwise, pointwise.reshape(*depthwise.shape, -1))
