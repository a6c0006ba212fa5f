"""Layers that move channels around, or change what lies beside them."""

import numpy as np
from keras import layers
from keras.src.ops import numpy as numpy_ops

from firekeras.channels.labels import Channels, compress
from firekeras.channels.registry import rule
from firekeras.channels.rules.mixing import channel_axis
from firekeras.channels.trace import Count


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
)
def spatial(call, x):
    """Layers that change positions, each channel by itself."""
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
    """Pooling over all positions; without `keepdims` only the channels are left."""
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
    """Reshape: what comes out keeps the order of what went in."""
    moved = rectangular(call, compress(call.output_shape, x.full().reshape(call.output_shape[1:])))
    for axis in moved.axes():
        target = list(call.layer.target_shape)
        if target[axis - 1] != -1:
            target[axis - 1] = Count(moved.vector(axis))
            call.setting(target_shape=tuple(target))
    return moved


def rectangular(call, x):
    """Ties labels that vary along several axes, so that what is left has a shape again.

    Where channels are split into groups (as before a channel shuffle), the same channel of every
    group goes together: the longest axis stays free, the others are tied.
    """
    free = max(x.axes(), key=lambda axis: x.shape[axis], default=None)
    for axis in x.axes():
        if axis != free:
            first = np.take(x.labels, [0], axis=axis)
            call.tie(x.labels, first, "splits these channels into groups, some of which are fixed")
            x = Channels(x.shape, first)
    return x


@rule(layers.Permute)
def permute(call, x):
    """Permute: the axes change places, and their labels with them."""
    return Channels(call.output_shape, np.transpose(x.labels, (0, *call.layer.dims)))


@rule(numpy_ops.Pad)
def pad(call, x, constant_values=None):
    """`keras.ops.pad`: along the channels it makes new ones that come from no filter."""
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
