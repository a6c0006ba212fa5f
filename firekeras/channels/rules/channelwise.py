"""Operations that work on each channel separately, and so pass labels on."""

import numpy as np
from keras import activations, layers

from firekeras.channels.probe import follows_itself, tried
from firekeras.channels.registry import rule
from firekeras.channels.unchanged import UNCHANGED
from firekeras.keras_models.copying import Copier
from firekeras.keras_models.internals import math_ops, nn_ops, numpy_ops

RECTIFIERS = (activations.relu, activations.relu6)
SOFTMAX = (activations.softmax, activations.log_softmax)
SMOOTH = (
    activations.celu,
    activations.elu,
    activations.exponential,
    activations.gelu,
    activations.hard_shrink,
    activations.hard_sigmoid,
    activations.hard_silu,
    activations.hard_tanh,
    activations.leaky_relu,
    activations.log_sigmoid,
    activations.mish,
    activations.selu,
    activations.sigmoid,
    activations.silu,
    activations.soft_shrink,
    activations.softplus,
    activations.softsign,
    activations.sparse_plus,
    activations.sparse_sigmoid,
    activations.squareplus,
    activations.tanh,
    activations.tanh_shrink,
    activations.threshold,
)
GRID = np.linspace(-20, 20, 801, dtype="float32")[None]  # holds zero


def activate(call, x, activation):
    """The output of an activation, a function or a layer."""
    activation = standard(activation)
    if activation is activations.linear:
        return x
    if activation in RECTIFIERS:
        return call.relu(x)
    if activation in SMOOTH:
        return call.fresh_like(x, f"passes {name_of(activation)} in {call.where}, not a ReLU")
    return _tried_out(call, x, activation)


def standard(activation):
    """Keras's own function if an activation computes a ReLU or nothing; else the activation itself."""
    if activation is None:
        return activations.linear
    own = (activations.linear, *RECTIFIERS)
    if activation in (*own, *SMOOTH, *SOFTMAX):
        return activation
    values = _on_grid(activation)
    return next((known for known in own if np.array_equal(values, _on_grid(known))), activation)


def _on_grid(activation):
    try:
        return tried(Copier()(activation), GRID)  # copied, because an unbuilt layer must stay unbuilt
    except Exception:  # it expects something other than a row of numbers
        return None


def name_of(activation):
    """The name of an activation."""
    return getattr(activation, "__name__", None) or getattr(activation, "name", type(activation).__name__)


def _tried_out(call, x, activation):
    """An unknown activation is tracked if it works on each channel separately."""
    reason = why_not_elementwise(activation, x)
    if reason:
        call.tracer.mark_unscored(x, f"passes {name_of(activation)} in {call.where}, not a ReLU")
        return call.refuse((x,), {}, reason)[0]
    if _rectifies(activation):
        return call.relu(x)
    return call.fresh_like(x, f"passes {name_of(activation)} in {call.where}, not a ReLU")


def why_not_elementwise(activation, x):
    """Why an activation mixes channels of `x`, to be read after a layer's name; None if it does not."""
    activation = standard(activation)
    if activation in (activations.linear, *RECTIFIERS, *SMOOTH):
        return None
    if activation in SOFTMAX:
        return "takes a softmax over these channels, so each depends on all"
    copy = Copier()(activation)
    reason = follows_itself(copy, x)
    if getattr(copy, "weights", None):
        reason = "has weights"
    return reason and f"has the activation {name_of(activation)}, which {reason}"


def _rectifies(activation):
    """Whether it returns zero exactly for inputs up to zero, and never less."""
    values = _on_grid(activation)
    return values is not None and np.array_equal(values == 0, GRID <= 0) and bool((values >= 0).all())


@rule(layers.Activation)
def activation(call, x):
    """The Activation layer."""
    return activate(call, x, call.layer.activation)


@rule(layers.ReLU)
def relu(call, x):
    """The ReLU layer: with a slope below zero it is leaky, and has no zeros to count."""
    return call.fresh_like(x) if call.layer.negative_slope else call.relu(x)


@rule(nn_ops.Relu, nn_ops.Relu6)
def relu_op(call, x):
    """`keras.ops.relu` and `relu6`."""
    return call.relu(x)


@rule(
    layers.LeakyReLU,
    layers.ELU,
    math_ops.Erf,
    math_ops.Rsqrt,
    nn_ops.Celu,
    nn_ops.Elu,
    nn_ops.Gelu,
    nn_ops.HardShrink,
    nn_ops.HardSigmoid,
    nn_ops.HardSilu,
    nn_ops.HardTanh,
    nn_ops.LeakyRelu,
    nn_ops.LogSigmoid,
    nn_ops.Selu,
    nn_ops.Sigmoid,
    nn_ops.Silu,
    nn_ops.SoftShrink,
    nn_ops.Softplus,
    nn_ops.Softsign,
    nn_ops.SparsePlus,
    nn_ops.SparseSigmoid,
    nn_ops.Squareplus,
    nn_ops.TanhShrink,
    nn_ops.Threshold,
    numpy_ops.Abs,
    numpy_ops.Absolute,
    numpy_ops.Ceil,
    numpy_ops.Clip,
    numpy_ops.Cos,
    numpy_ops.Exp,
    numpy_ops.Expm1,
    numpy_ops.Floor,
    numpy_ops.Log,
    numpy_ops.Log1p,
    numpy_ops.LogicalNot,
    numpy_ops.Negative,
    numpy_ops.Reciprocal,
    numpy_ops.Round,
    numpy_ops.Sign,
    numpy_ops.Sin,
    numpy_ops.Sqrt,
    numpy_ops.Square,
    numpy_ops.Tanh,
)
def bent(call, x, **kwargs):
    """Activations without weights that are not rectifiers, and other elementwise functions."""
    return call.fresh_like(x)


@rule(layers.PReLU)
def prelu(call, x):
    """PReLU: one slope per position and channel, or shared along some axes."""
    slopes = call.layer.alpha
    axes = [x.vector(k) if x.labels.shape[k] > 1 and slopes.shape[k - 1] > 1 else None for k in range(1, x.rank)]
    call.weight(slopes, *axes)
    return call.fresh_like(x)


@rule(layers.Softmax, nn_ops.Softmax, nn_ops.LogSoftmax)
def softmax(call, x, **kwargs):
    """Softmax mixes the channels along its axes."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    if None in axes or {axis % x.rank for axis in axes} & {0, *x.axes()}:
        return call.refuse((x,), {}, "takes a softmax over these channels, so each depends on all")[0]
    return call.fresh_like(x)


@rule(*UNCHANGED)
def unchanged(call, x, **kwargs):
    """Operations that leave values unchanged at inference."""
    return call.passed_on(x)


@rule(layers.Rescaling)
def rescaling(call, x):
    """Rescaling by numbers; arrays, which could hold one value per channel, are not tracked."""
    if isinstance(call.layer.scale, (int, float)) and isinstance(call.layer.offset, (int, float)):
        return call.passed_on(x)
    return call.refuse((x,), {}, "rescales by an array, which surgery cannot cut")[0]
