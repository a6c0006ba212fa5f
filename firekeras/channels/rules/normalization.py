"""Normalisations. Over positions they are exact per channel; over channels they are not, and say so."""

from functools import partial

import numpy as np
from keras import layers, ops

from firekeras.channels.call import Count
from firekeras.channels.registry import rule


@rule(layers.BatchNormalization)
def batch_normalization(call, x):
    """BatchNormalization, over all axes but the channels'."""
    if not x.varies_only_along(call.layer.axis):
        return call.refuse((x,), {}, "normalises each of another axis than these channels")[0]
    labels = x.vector(call.layer.axis % x.rank)
    for variable in (call.layer.gamma, call.layer.beta, call.layer.moving_mean, call.layer.moving_variance):
        call.weight(variable, labels)
    call.normalised(x, call.layer.axis % x.rank, partial(_moments, call.layer))
    return call.passed_on(x)


def _moments(layer):
    """Mean and deviation of what a BatchNormalization gives: beta, and |gamma| but for epsilon."""
    variance = _float64(layer.moving_variance)
    gamma = 1.0 if layer.gamma is None else _float64(layer.gamma)
    beta = np.zeros_like(variance) if layer.beta is None else _float64(layer.beta)
    return np.stack([beta, np.abs(gamma) * np.sqrt(variance / (variance + layer.epsilon))])


def _float64(variable):
    return ops.convert_to_numpy(variable).astype("float64")


@rule(layers.LayerNormalization, layers.RMSNormalization)
def layer_normalization(call, x):
    """Layer and RMS normalisation: scales per channel; exact only where channels are not averaged over.

    If they are, the smaller layer takes its moments over the channels that are left. Beside removed channels that are
    zero, the original gives `(x - r m) / sqrt(r v + r (1 - r) m^2 + epsilon)`, with r the share of channels that are
    left, m their mean and v their variance. No setting of Keras's layer gives that, since m changes from position to
    position. Zeros in front and a slice behind (`ops.pad`, the old layer, `x[..., :n]`) would be exact, but cost three
    operations over all the old channels at each such layer, and no round would make them cheaper. RMS normalisation
    could have it for nothing (scale / sqrt(r), epsilon / r), but what is removed is seldom zero in the network that
    was trained: the others would be scaled up by 1 / sqrt(r) even if those that went had been average ones, when
    leaving the scales alone is nearly right. So weights are only cut, never rescaled, and training makes up for it.
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
    """Group normalisation: all groups stay as wide as each other; with one channel each it is exact."""
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
    """Unit normalisation divides by the length over its axes, to which every channel belongs."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    if {axis % x.rank for axis in axes} & set(x.axes()):
        return call.refuse((x,), {}, "scales to unit length over these channels, so that each depends on all")[0]
    return call.fresh_like(x)


@rule(layers.Normalization)
def normalization(call, x):
    """Normalization of inputs: its mean and variance are settings, which surgery cannot cut."""
    return call.refuse((x,), {}, "normalises these channels by fixed statistics, which surgery cannot cut")[0]
