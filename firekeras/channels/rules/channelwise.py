"""Operations that work on each channel by itself, and so pass labels on."""

import numpy as np
from keras import activations, layers

from firekeras.channels.probe import follows_itself, tried
from firekeras.channels.registry import rule
from firekeras.keras_models.copying import Copier
from firekeras.keras_models.internals import core_ops, math_ops, nn_ops, numpy_ops

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
    """What an activation, a function or a layer, makes of channels."""
    activation = standard(activation)
    if activation is activations.linear:
        return x
    if activation in RECTIFIERS:
        return call.relu(x)
    if activation in SMOOTH:
        return call.fresh_like(x, f"passes {name_of(activation)} in {call.where}, not a ReLU")
    return _tried_out(call, x, activation)


def standard(activation):
    """Keras's own function of what an activation computes, if that is a ReLU or nothing; else the activation."""
    if activation is None:
        return activations.linear
    own = (activations.linear, *RECTIFIERS)
    if activation in (*own, *SMOOTH, *SOFTMAX):
        return activation
    given = _on_grid(activation)
    return next((one for one in own if np.array_equal(given, _on_grid(one))), activation)


def _on_grid(activation):
    try:
        return tried(Copier()(activation), GRID)  # a layer that is not built yet must not be built by this
    except Exception:  # it wants something else than a row of numbers
        return None


def name_of(activation):
    """What to call an activation."""
    return getattr(activation, "__name__", None) or getattr(activation, "name", type(activation).__name__)


def _tried_out(call, x, activation):
    """An activation that nobody knows is followed if it works on each channel by itself."""
    reason = why_not_elementwise(activation, x)
    if reason:
        return call.refuse((x,), {}, reason)[0]
    if _rectifies(activation):
        return call.relu(x)
    return call.fresh_like(x, f"passes {name_of(activation)} in {call.where}, not a ReLU")


def why_not_elementwise(activation, x):
    """Why an activation does not take each channel of `x` by itself, to go on after a layer's name; None if it does."""
    activation = standard(activation)
    if activation in (activations.linear, *RECTIFIERS, *SMOOTH):
        return None
    if activation in SOFTMAX:
        return "takes a softmax over these channels, so that each depends on all"
    copy = Copier()(activation)
    reason = follows_itself(copy, x)
    if getattr(copy, "weights", None):
        reason = "has weights"
    return reason and f"has the activation {name_of(activation)}, which {reason}"


def _rectifies(activation):
    """Whether it gives zero exactly where nothing above zero comes in, and never less."""
    given = _on_grid(activation)
    return given is not None and np.array_equal(given == 0, GRID <= 0) and bool((given >= 0).all())


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
    """Activations without weights that are no rectifiers, and other functions of single values."""
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
    """Softmax mixes what lies along its axes."""
    axes = call.layer.axis if isinstance(call.layer.axis, (list, tuple)) else [call.layer.axis]
    if None in axes or {axis % x.rank for axis in axes} & {0, *x.axes()}:
        return call.refuse((x,), {}, "takes a softmax over these channels, so that each depends on all")[0]
    return call.fresh_like(x)


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
    core_ops.Cast,
    core_ops.StopGradient,
    numpy_ops.Copy,
)
def unchanged(call, x, **kwargs):
    """Operations that do nothing to values at inference."""
    return call.passed_on(x)


@rule(layers.Rescaling)
def rescaling(call, x):
    """Rescaling by numbers; by arrays, which could hold one value per channel, it is not followed."""
    if isinstance(call.layer.scale, (int, float)) and isinstance(call.layer.offset, (int, float)):
        return call.passed_on(x)
    return call.refuse((x,), {}, "rescales by an array, which surgery cannot cut")[0]
