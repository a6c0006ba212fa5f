"""Layers that move channels, or change the other axes."""

import math
from fractions import Fraction

import numpy as np
from keras import layers

from firekeras.channels.call import Count
from firekeras.channels.labels import Channels, compress
from firekeras.channels.registry import rule
from firekeras.channels.rules.mixing import channel_axis
from firekeras.keras_models.internals import image_ops, nn_ops, numpy_ops


@rule(
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.AdaptiveAveragePooling1D,
    layers.AdaptiveAveragePooling2D,
    layers.AdaptiveAveragePooling3D,
    layers.AdaptiveMaxPooling1D,
    layers.AdaptiveMaxPooling2D,
    layers.AdaptiveMaxPooling3D,
    layers.CenterCrop,
    layers.RandomCrop,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.Resizing,
    image_ops.Resize,
    nn_ops.AdaptiveAveragePool,
    nn_ops.AdaptiveMaxPool,
    nn_ops.AveragePool,
    nn_ops.MaxPool,
)
def spatial(call, x, **kwargs):
    """Layers that change positions, each channel separately."""
    axis = channel_axis(call.layer)
    return call.output(axis, call.vector(x, axis))


@rule(
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)
def global_pooling(call, x, **kwargs):
    """Pooling over all positions; without `keepdims` only the channels remain."""
    axis = channel_axis(call.layer)
    return call.output(axis if call.layer.keepdims else -1, call.vector(x, axis))


@rule(layers.Flatten)
def flatten(call, x):
    """Flatten: each channel becomes as many features as it has positions."""
    labels = x.full()
    if call.layer.data_format == "channels_first":
        labels = np.moveaxis(labels, 0, -1)  # Keras flattens in the order of channels_last
    return compress(call.output_shape, labels.ravel())


@rule(layers.Reshape)
def reshape(call, x):
    """Reshape: values keep their order."""
    return reshaped(call, x, "target_shape", (None, *call.layer.target_shape))


@rule(numpy_ops.Reshape)
def reshape_op(call, x):
    """`keras.ops.reshape`, which may turn positions into samples, or the other way round."""
    call.gives_samples(_samples_per_sample(call.node))
    return reshaped(call, x, "newshape", tuple(call.layer.newshape))


def reshaped(call, x, setting, target):
    """A reshape to `target`, batch included; `setting` is the name of the layer's setting."""
    sizes = call.output_shape[1:]
    if call.output_shape[-1] == x.shape[-1] and x.varies_only_along(x.rank - 1):
        return _with_channels_last(call, x, setting, target)
    if None in sizes or np.prod(sizes) != np.prod(x.shape[1:]) or len(target) != len(call.output_shape):
        return call.refuse((x,), {}, "moves values between samples and positions")[0]
    moved = rectangular(call, compress(call.output_shape, x.full().reshape(sizes)))
    for axis in moved.axes():
        if target[axis] != -1:
            changed = (*target[:axis], Count(moved.vector(axis)), *target[axis + 1 :])
            call.setting(**{setting: changed[1:] if target[0] is None else changed})
    return moved


def _samples_per_sample(node):
    """How many samples a reshape returns per input sample; 1 if sizes are open."""
    before, after = node.input_tensors[0].shape[1:], node.outputs[0].shape[1:]
    known = None not in (*before, *after) and 0 not in after
    return Fraction(math.prod(before), math.prod(after)) if known else 1


def _with_channels_last(call, x, setting, target):
    """Channels along the last axis stay there, whatever happens to positions and samples."""
    channels = x.vector(x.rank - 1)
    if target[-1] != -1:
        changed = (*target[:-1], Count(channels))
        call.setting(**{setting: changed[1:] if target[0] is None else changed})
    return call.output(-1, channels)


def rectangular(call, x):
    """Ties labels that vary along several axes, so that the rest is still rectangular.

    If channels are split into groups (as before a channel shuffle), the same channel of every group
    is removed together: the longest axis stays free, the others are tied.
    """
    free = max(x.axes(), key=lambda axis: (x.shape[axis], axis), default=None)
    for axis in x.axes():
        if axis != free:
            first = np.take(x.labels, [0], axis=axis)
            call.tie(x.labels, first, "splits these channels into groups, some of which are fixed")
            x = Channels(x.shape, first)
    return x


@rule(layers.Permute)
def permute(call, x):
    """Permute: labels move with their axes."""
    return Channels(call.output_shape, np.transpose(x.labels, (0, *call.layer.dims)))


@rule(layers.RepeatVector)
def repeat_vector(call, x):
    """RepeatVector: the same features at every step."""
    return Channels(call.output_shape, x.labels[:, None])


@rule(numpy_ops.Transpose)
def transpose(call, x):
    """`keras.ops.transpose`, if samples stay first."""
    axes = call.layer.axes or tuple(reversed(range(x.rank)))
    return moved_axes(call, x, [axis % x.rank for axis in axes])


@rule(numpy_ops.Swapaxes)
def swapaxes(call, x):
    """`keras.ops.swapaxes`."""
    order = list(range(x.rank))
    one, other = call.layer.axis1 % x.rank, call.layer.axis2 % x.rank
    order[one], order[other] = other, one
    return moved_axes(call, x, order)


@rule(numpy_ops.Moveaxis)
def moveaxis(call, x):
    """`keras.ops.moveaxis`."""
    source, destination = ([axis % x.rank for axis in axes] for axes in (call.layer.source, call.layer.destination))
    order = [axis for axis in range(x.rank) if axis not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return moved_axes(call, x, order)


def moved_axes(call, x, order):
    """`x` with its axes in another order, in which samples stay first."""
    if order[0] != 0:
        return call.refuse((x,), {}, "moves samples to another axis")[0]
    return Channels(call.output_shape, np.transpose(x.labels, order))


@rule(numpy_ops.ExpandDims)
def expand_dims(call, x):
    """`keras.ops.expand_dims`, behind the samples."""
    axes = [call.layer.axis] if isinstance(call.layer.axis, int) else call.layer.axis
    axes = [axis % len(call.output_shape) for axis in axes]
    if 0 in axes:
        return call.refuse((x,), {}, "adds an axis before samples")[0]
    return Channels(call.output_shape, np.expand_dims(x.labels, tuple(axes)))


@rule(numpy_ops.Squeeze)
def squeeze(call, x):
    """`keras.ops.squeeze`."""
    axes = call.layer.axis
    axes = [k for k in range(1, x.rank) if x.shape[k] == 1] if axes is None else np.atleast_1d(axes).tolist()
    if x.labels.size == 1 and not x.is_fixed:
        return call.refuse((x,), {}, "drops an axis that may be that of a single channel")[0]
    return Channels(call.output_shape, x.labels.squeeze(tuple(axis % x.rank for axis in axes)))


@rule(numpy_ops.Flip)
def flip(call, x):
    """`keras.ops.flip`: reversed channels stay reversed when some are removed."""
    axes = call.layer.axis
    axes = range(x.rank) if axes is None else np.atleast_1d(axes).tolist()
    return Channels(call.output_shape, np.flip(x.labels, tuple(axis % x.rank for axis in axes)))


@rule(numpy_ops.Pad)
def pad(call, x, constant_values=None):
    """`keras.ops.pad`: along the channels it adds new ones that come from no filter."""
    widths = [tuple(width) for width in call.layer.pad_width]
    widths = widths * x.rank if len(widths) == 1 else widths
    padded = [axis for axis in x.axes() if any(widths[axis])]
    if not padded:
        return call.passed_on(x)
    if call.layer.mode != "constant" or len(x.axes()) > 1:
        return call.refuse((x,), {}, "repeats channels when it pads")[0]
    axis = padded[0]
    before, after = (call.tracer.space.new(width) for width in widths[axis])
    widths[axis] = (Count(before), Count(after))
    call.setting(pad_width=tuple(widths))
    return call.output(axis, np.concatenate([before, x.vector(axis), after]))
