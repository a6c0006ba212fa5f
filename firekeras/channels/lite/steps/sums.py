"""Layers that multiply by a kernel and sum."""

from __future__ import annotations

import dataclasses
import math

from keras import layers

from firekeras.channels.lite.lowering import becomes
from firekeras.channels.lite.steps.activations import ends_with
from firekeras.channels.lite.steps.shapes import put_together
from firekeras.channels.program import Constant
from firekeras.channels.rules.mixing import channel_axis

UNNAMED = 14  # the length of the name of a constant that the converter adds


def kernel_and_bias(lowering, ran, kernel, name):
    """The constants of a layer that sums: a scale for each filter, and whole numbers of four bytes as biases."""
    if not lowering.is_new(ran.layer):
        return []
    made = lowering.channels(ran.outputs[0], channel_axis(ran.layer))
    constants = [Constant(lowering.weight(kernel), made, 1, lowering.length(ran, name), 4)]
    if isinstance(ran.layer, layers.Dense):
        bias = [Constant(made, made, 4, lowering.length(ran, "BiasAdd"))] if ran.layer.use_bias else []
        return [*constants, *bias]
    return [*constants, Constant(made, made, 4, 0 if ran.layer.use_bias else UNNAMED)]


def _sums(lowering, ran, kind, kernel, name, scratch=None, reads=None):
    constants = kernel_and_bias(lowering, ran, kernel, name)
    names = ("BiasAdd", name, "Squeeze") if ran.layer.use_bias else (name,)
    reads = reads or [lowering.tensor(ran.inputs[0])]
    ends_with(
        lowering,
        ran,
        lambda make: lowering.step(ran, kind, reads, make, names=names, constants=constants, scratch=scratch),
    )


@becomes(layers.Conv2D)
def conv(lowering, ran):
    """Convolutions; those with gaps between positions may run between changes of shape."""
    if max(ran.layer.dilation_rate) > 1:
        lowering.unknown.append(ran.name)
    _sums(lowering, ran, "CONV_2D", ran.layer.kernel, "convolution")


@becomes(layers.Conv3D)
def conv3d(lowering, ran):
    """Convolutions of volumes."""
    _sums(lowering, ran, "CONV_3D", ran.layer.kernel, "convolution")


@becomes(layers.DepthwiseConv2D)
def depthwise(lowering, ran):
    """Depthwise convolutions."""
    _sums(lowering, ran, "DEPTHWISE_CONV_2D", ran.layer.kernel, "depthwise")


@becomes(layers.Dense)
def dense(lowering, ran):
    """Dense layers: of more than one position, between changes of shape."""
    if len(ran.inputs[0].shape) > 2:
        lowering.unknown.append(ran.name)
    _sums(lowering, ran, "FULLY_CONNECTED", ran.layer.kernel, "MatMul")


@becomes(layers.Conv2DTranspose)
def transposed(lowering, ran):
    """Transposed convolutions: sums of four bytes each before they become int8."""
    size, x = lowering.size(ran.outputs[0]), ran.inputs[0]
    scratch = dataclasses.replace(size, factor=4 * size.factor)
    shape = put_together(lowering, ran, lowering.tensor(x), 4, 4, "conv_transpose/input_sizes")
    _sums(lowering, ran, "TRANSPOSE_CONV", ran.layer.kernel, "conv_transpose", scratch, [lowering.tensor(x), shape])


@becomes(layers.SeparableConv2D)
def separable(lowering, ran):
    """A depthwise convolution, then one with kernels of one position."""
    layer, axis, out = ran.layer, channel_axis(ran.layer), ran.outputs[0]
    read, made = lowering.channels(ran.inputs[0], axis), lowering.channels(out, axis)
    spread = dataclasses.replace(read, factor=read.factor * layer.depth_multiplier)
    positions = math.prod(size for k, size in enumerate(out.shape) if k not in (0, axis % len(out.shape)))
    between = lowering.new(dataclasses.replace(spread, factor=spread.factor * positions))
    first, second = [], []
    if lowering.is_new(layer):
        first = [Constant(lowering.weight(layer.depthwise_kernel), spread, 1, lowering.length(ran, "depthwise"), 4)]
        first.append(Constant(spread, spread, 4, UNNAMED))
        second = [Constant(lowering.weight(layer.pointwise_kernel), made, 1, lowering.length(ran, "convolution"), 4)]
        second.append(Constant(made, made, 4, 0 if layer.use_bias else UNNAMED))
    reads = [lowering.tensor(ran.inputs[0])]
    lowering.step(ran, "DEPTHWISE_CONV_2D", reads, between, names=("separable_conv2d/depthwise",), constants=first)
    names = (*(("BiasAdd", "Squeeze") if layer.use_bias else ()), "separable_conv2d", "separable_conv2d/depthwise")
    ends_with(
        lowering,
        ran,
        lambda make: lowering.step(ran, "CONV_2D", [between], make, names=names, constants=second),
    )
