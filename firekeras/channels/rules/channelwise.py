"""Layers that work on each channel by itself, and so pass labels on."""

from keras import activations, layers
from keras.src.ops import nn as nn_ops

from firekeras.channels.registry import rule

RECTIFIERS = {activations.relu, activations.relu6}
SMOOTH = {
    getattr(activations, name)
    for name in [
        "celu",
        "elu",
        "exponential",
        "gelu",
        "hard_shrink",
        "hard_sigmoid",
        "hard_silu",
        "hard_tanh",
        "leaky_relu",
        "log_sigmoid",
        "mish",
        "selu",
        "sigmoid",
        "silu",
        "soft_shrink",
        "softplus",
        "softsign",
        "sparse_plus",
        "sparse_sigmoid",
        "squareplus",
        "tanh",
        "tanh_shrink",
        "threshold",
    ]
}


def activate(call, x, activation):
    """What an activation function makes of channels."""
    if activation is None or activation is activations.linear:
        return x
    if activation in RECTIFIERS:
        return call.relu(x)
    if activation in SMOOTH:
        return call.fresh_like(x, f"passes {activation.__name__} in {call.where}, not a ReLU")
    name = getattr(activation, "__name__", repr(activation))
    return call.refuse((x,), {}, f"has the activation {name}, which may mix channels")[0]


@rule(layers.Activation)
def activation(call, x):
    """The Activation layer."""
    return activate(call, x, call.layer.activation)


@rule(layers.ReLU)
def relu(call, x):
    """The ReLU layer: with a slope below zero it is a leaky one, and has no zeros to count."""
    return call.fresh_like(x) if call.layer.negative_slope else call.relu(x)


@rule(nn_ops.Relu, nn_ops.Relu6)
def relu_op(call, x):
    """`keras.ops.relu` and `relu6`."""
    return call.relu(x)


@rule(layers.LeakyReLU, layers.ELU)
def leaky(call, x):
    """Activation layers without weights that are not rectifiers."""
    return call.fresh_like(x)


@rule(layers.PReLU)
def prelu(call, x):
    """PReLU: one slope per position and channel, or shared along some axes."""
    slopes = call.layer.alpha
    axes = [x.vector(k) if x.labels.shape[k] > 1 and slopes.shape[k - 1] > 1 else None for k in range(1, x.rank)]
    call.weight(slopes, *axes)
    return call.fresh_like(x)


@rule(layers.Softmax)
def softmax(call, x):
    """Softmax mixes what lies along its axes."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    if {axis % x.rank for axis in axes} & set(x.axes()):
        return call.refuse((x,), {}, "takes a softmax over these channels, so that each depends on all")[0]
    return call.fresh_like(x)


@rule(layers.BatchNormalization)
def batch_normalization(call, x):
    """BatchNormalization, over all axes but the channels'."""
    labels = call.vector(x, call.layer.axis)
    for variable in (call.layer.gamma, call.layer.beta, call.layer.moving_mean, call.layer.moving_variance):
        call.weight(variable, labels)
    return call.passed_on(x) if x.varies_only_along(call.layer.axis) else call.refuse((x,), {}, "is not per channel")[0]


@rule(
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)
def unchanged(call, x, **kwargs):
    """Layers that do nothing at inference."""
    return call.passed_on(x)


@rule(layers.Rescaling)
def rescaling(call, x):
    """Rescaling by numbers; by arrays, which could hold one value per channel, it is not followed."""
    if isinstance(call.layer.scale, (int, float)) and isinstance(call.layer.offset, (int, float)):
        return call.passed_on(x)
    return call.refuse((x,), {}, "rescales by an array, which surgery cannot cut")[0]


@rule(layers.Normalization)
def normalization(call, x):
    """Normalization of inputs: its mean and variance are settings, which surgery cannot cut."""
    return call.refuse((x,), {}, "normalises these channels by fixed statistics, which surgery cannot cut")[0]
