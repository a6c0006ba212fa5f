"""Normalizations: over positions they are exact per channel; over channels they are not, and add a note."""

from functools import partial

import numpy as np
from keras import layers, ops

from firekeras.channels.call import Count
from firekeras.channels.registry import rule


@rule(layers.BatchNormalization)
def batch_normalization(call, x):
    """BatchNormalization, over all axes but the channels'."""
    if not x.varies_only_along(call.layer.axis):
        return call.refuse((x,), {}, "normalises along another axis than these channels")[0]
    labels = x.vector(call.layer.axis % x.rank)
    for variable in (call.layer.gamma, call.layer.beta, call.layer.moving_mean, call.layer.moving_variance):
        call.weight(variable, labels)
    call.normalised(x, call.layer.axis % x.rank, partial(_moments, call.layer))
    return call.passed_on(x)


def _moments(layer):
    """Mean and deviation of a BatchNormalization's output: beta, and |gamma| up to epsilon."""
    variance = _float64(layer.moving_variance)
    gamma = 1.0 if layer.gamma is None else _float64(layer.gamma)
    beta = np.zeros_like(variance) if layer.beta is None else _float64(layer.beta)
    return np.stack([beta, np.abs(gamma) * np.sqrt(variance / (variance + layer.epsilon))])


def _float64(variable):
    return ops.convert_to_numpy(variable).astype("float64")


@rule(layers.LayerNormalization, layers.RMSNormalization)
def layer_normalization(call, x):
    """Layer and RMS normalization: scales per channel; exact only if they do not average over channels.

    If they do, the smaller layer takes its moments over the remaining channels. If the removed channels are zero, the
    original returns `(x - r m) / sqrt(r v + r (1 - r) m^2 + epsilon)`, with r the share of the remaining channels, m
    their mean and v their variance. No setting of Keras's layer does the same, since m changes from position to
    position. Zeros in front and a slice behind (`ops.pad`, the old layer, `x[..., :n]`) would be exact, but cost three
    operations over all the old channels at each such layer, and no round would make them cheaper. For RMS
    normalization it would be free (scale / sqrt(r), epsilon / r), but removed channels are seldom zero in the trained
    network: the others would be scaled up by 1 / sqrt(r) even if the removed ones had been average, while leaving the
    scales alone is nearly right. So weights are only cut, never rescaled, and training compensates.
    """
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    axes = [axis % x.rank for axis in axes]
    along = [x.vector(axis) if axis in x.axes() else None for axis in axes]
    for variable in (getattr(call.layer, "gamma", None), getattr(call.layer, "beta", None), _scale(call.layer)):
        call.weight(variable, *along)
    if any(labels is not None for labels in along):
        call.inexact()
    return call.passed_on(x)


def _scale(layer):
    return layer.scale if isinstance(layer, layers.RMSNormalization) else None


@rule(layers.GroupNormalization)
def group_normalization(call, x):
    """Group normalization: all groups stay equally wide; with one channel per group it is exact."""
    layer = call.layer
    axis = layer.axis % x.rank
    if not x.varies_only_along(axis):
        return call.refuse((x,), {}, "normalises groups along another axis than these channels")[0]
    labels = x.vector(axis)
    for variable in (layer.gamma, layer.beta):
        call.weight(variable, labels)
    if x.is_fixed:
        return call.passed_on(x)
    if layer.groups == labels.size:
        call.setting(groups=Count(labels))
        return call.passed_on(x)
    grouped = labels.reshape(layer.groups, -1)
    call.tie(grouped, grouped[0])
    call.inexact()
    return call.passed_on(x)


@rule(layers.UnitNormalization)
def unit_normalization(call, x):
    """Unit normalization divides by the length over its axes, to which every channel contributes."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    if {axis % x.rank for axis in axes} & set(x.axes()):
        return call.refuse((x,), {}, "scales to unit length over these channels, so each depends on all")[0]
    return call.fresh_like(x)


@rule(layers.Normalization)
def normalization(call, x):
    """Normalization of inputs: its mean and variance are settings, which surgery cannot cut."""
    return call.refuse((x,), {}, "normalises these channels by fixed statistics, which surgery cannot cut")[0]
