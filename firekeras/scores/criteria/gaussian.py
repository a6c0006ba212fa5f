"""Mean and variance of every channel in closed form: behind a BatchNormalization channels are modelled as Gaussian."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections import defaultdict
from collections.abc import Callable

import keras
import numpy as np
from keras import activations, layers, ops
from scipy.special import ndtr

from firekeras.channels.registry import find_rule
from firekeras.channels.rules import channelwise, elementwise, mixing, normalization, shapes, slicing
from firekeras.channels.trace import NOMINAL_SIZE
from firekeras.channels.walk import Visit, walk
from firekeras.keras_models.internals import at_inference_arguments, nn_ops, numpy_ops
from firekeras.keras_models.rebuilding import bare_config

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
WEIGHTS = WEIGHTS / np.sqrt(2 * np.pi)


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean and variance of each value of a tensor, shaped like one sample of it, `(1, ...)`; NaN where unknown."""

    mean: np.ndarray
    variance: np.ndarray

    def __add__(self, other):
        """Of a sum of independent values."""
        return Spread(self.mean + other.mean, self.variance + other.variance)

    def __mul__(self, other):
        """Of a product of independent values."""
        squares = self.variance * np.square(other.mean) + other.variance * np.square(self.mean)
        return Spread(self.mean * other.mean, squares + self.variance * other.variance)


def variances_read(model, readers, normalised) -> dict[str, np.ndarray]:
    """The variance of each channel where it is read, averaged over positions and calls; NaN if unknown.

    Behind a BatchNormalization a channel's mean is beta and its deviation |gamma|. From there both are
    propagated: through activations as those of a Gaussian, in closed form for rectifiers, by
    quadrature for others; through sums, products and layers without BatchNormalization as if their
    operands were independent; through pooling, reshaping and the like unchanged.

    Args:
        model: A Functional or Sequential model.
        readers: Its `Readers`.
        normalised: The paths of layers directly followed by a BatchNormalization, whose outputs need not
            be computed.

    Returns:
        For each path, the variance of each channel, `(channels,)`.
    """
    variances = defaultdict(list)

    def call(visit: Visit, args, kwargs):
        if visit.path in readers:
            variances[visit.path].append(_by_channel(args[0].variance, readers[visit.path].axis))
        follow = _follower(visit.operation, readers.network.readings.get(visit.path))
        return (_unknown if visit.path in normalised else follow)(visit.operation, args, kwargs)

    walk(model, [_unknown_input(tensor) for tensor in model.inputs], call)
    return {path: np.mean(of_calls, axis=0) for path, of_calls in variances.items()}


def _unknown_input(tensor):
    shape = (1, *(NOMINAL_SIZE if size is None else size for size in tensor.shape[1:]))
    return Spread(np.zeros(shape, tensor.dtype), np.full(shape, np.nan))


def _by_channel(values, axis):
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis]).mean(axis=0)


# What operations make of means and variances

_FOLLOWERS: dict[Callable | type, Callable] = {}


def follows(*operations: Callable | type):
    """Registers how means and variances are followed through operations, `(operation, args, kwargs) -> Spread`s.

    Args:
        operations: The rules of the operations, or their classes if one rule is for several that compute different
            things. What nothing is registered for is unknown, but for layers that are linear by their `Reading`.
    """

    def register(function):
        _FOLLOWERS.update(dict.fromkeys(operations, function))
        return function

    return register


def _follower(operation, reading):
    rule = find_rule(operation)
    if rule is None:
        return _unknown
    linear = _weighted_sums if reading is not None and reading.linear else _unknown
    return _FOLLOWERS.get(type(operation)) or _FOLLOWERS.get(rule, linear)


def _run(operation, args, kwargs):
    """What an operation makes of arrays, in float64."""
    kwargs = at_inference_arguments(operation, kwargs)
    args, kwargs = keras.tree.map_structure(_as_float32, (args, kwargs))
    return keras.tree.map_structure(lambda y: ops.convert_to_numpy(y).astype("float64"), operation(*args, **kwargs))


def _as_float32(x):
    return x.astype("float32") if isinstance(x, np.ndarray) and x.dtype == "float64" else x


def _part(name, args, kwargs):
    """The arguments with the means, or variances, in place of the spreads."""
    return keras.tree.map_structure(lambda x: getattr(x, name) if isinstance(x, Spread) else x, (args, kwargs))


def _unknown(operation, args, kwargs):
    """Whatever comes out: nothing is known of it but its shape."""
    args, kwargs = keras.tree.map_structure(_as_symbol, (args, kwargs))
    shapes = [spec.shape for spec in keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))]
    return [Spread(np.full(shape, np.nan), np.full(shape, np.nan)) for shape in shapes]


def _as_symbol(x):
    if not isinstance(x, Spread):
        return x
    return keras.KerasTensor(x.mean.shape, "float32" if x.mean.dtype == "float64" else str(x.mean.dtype))


@follows(
    *(channelwise.unchanged, elementwise.concatenate, elementwise.stack, slicing.getitem, slicing.split),
    *(shapes.spatial, shapes.global_pooling, shapes.flatten, shapes.reshape, shapes.reshape_op, shapes.permute),
    *(shapes.repeat_vector, shapes.transpose, shapes.swapaxes, shapes.moveaxis, shapes.expand_dims, shapes.squeeze),
    *(shapes.flip, shapes.pad),
)
def _moved(operation, args, kwargs):
    """Values change places, and keep mean and variance; what one that is unknown had a part in is unknown too.

    Unknown values are followed apart: to some backends the largest of NaN is the lowest number there is.
    """
    arguments = (*(_part(name, args, kwargs) for name in ("mean", "variance")), _where_unknown(args, kwargs))
    moved = (_run(operation, *keras.tree.map_structure(_without_nan, part)) for part in arguments)
    return keras.tree.map_structure(_known, *moved)


def _where_unknown(args, kwargs):
    return keras.tree.map_structure(
        lambda x: np.isnan(x.mean + x.variance).astype("float64") if isinstance(x, Spread) else x, (args, kwargs)
    )


def _without_nan(x):
    return np.nan_to_num(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def _known(mean, variance, unknown):
    return Spread(*(np.where(unknown > 0, np.nan, values) for values in (mean, variance)))


@follows(normalization.batch_normalization)
def _normalised(layer, args, kwargs):
    """A BatchNormalization gives each channel the mean beta, and the deviation |gamma| but for epsilon."""
    shape, axis = args[0].mean.shape, layer.axis
    grid = [1] * len(shape)
    grid[axis] = -1
    statistics = mixing.array(layer.moving_variance).astype("float64")
    gamma, beta = (0 if w is None else mixing.array(w).astype("float64") for w in (layer.gamma, layer.beta))
    variance = (1 if layer.gamma is None else np.square(gamma)) * statistics / (statistics + layer.epsilon)
    mean = np.broadcast_to(beta, variance.shape)
    return Spread(*(np.broadcast_to(values.reshape(grid), shape) for values in (mean, variance)))


@follows(mixing.conv, mixing.depthwise_conv)  # grouped ones have no `Reading`
def _weighted_sums(layer, args, kwargs):
    """What a layer makes of independent values."""
    x = args[0]
    if np.isnan(x.variance).all():
        return _unknown(layer, args, kwargs)
    mean = _run(_linear_twin(layer, x.mean.shape, lambda name, value: value), [x.mean], {})
    variance = _run(_linear_twin(layer, x.mean.shape, _squared_weight), [x.variance], {})
    return activated(layer.activation, Spread(mean, variance))


def _linear_twin(layer, shape, change):
    """The layer without activation, its weights changed."""
    twin = type(layer).from_config(bare_config(layer) | {"dtype": "float32"})
    twin.build(shape)
    twin.set_weights([change(weight.name, mixing.array(weight)) for weight in layer.weights])
    return twin


def _squared_weight(name, value):
    return np.zeros_like(value) if name == "bias" else np.square(value)


@follows(layers.Add, numpy_ops.Add)
def _sum(operation, args, kwargs):
    return functools.reduce(operator.add, _operands(args))


@follows(layers.Multiply, numpy_ops.Multiply)
def _product(operation, args, kwargs):
    return functools.reduce(operator.mul, _operands(args))


def _operands(args):
    """Independent values; numbers are values that do not vary."""
    return [x if isinstance(x, Spread) else Spread(np.asarray(x), np.zeros(())) for x in keras.tree.flatten(args)]


@follows(channelwise.activation)
def _activation(layer, args, kwargs):
    return activated(layer.activation, args[0])


@follows(channelwise.relu)
def _relu(layer, args, kwargs):
    if layer.negative_slope or layer.threshold:
        return by_quadrature(layer, args[0])
    return rectified(args[0], np.inf if layer.max_value is None else layer.max_value)


@follows(channelwise.relu_op)
def _relu_op(operation, args, kwargs):
    return rectified(args[0], 6.0 if isinstance(operation, nn_ops.Relu6) else np.inf)


@follows(channelwise.bent, channelwise.prelu)
def _bent(operation, args, kwargs):
    return by_quadrature(lambda x: operation(x, *args[1:], **kwargs), args[0])


def activated(activation, x: Spread) -> Spread:
    """What an activation function makes of Gaussian values."""
    activation = channelwise.standard(activation)
    if activation is activations.linear:
        return x
    if activation in channelwise.RECTIFIERS:
        return rectified(x, 6.0 if activation is activations.relu6 else np.inf)
    if activation in channelwise.SMOOTH:
        return by_quadrature(activation, x)
    return Spread(np.full_like(x.mean, np.nan), np.full_like(x.variance, np.nan))


def rectified(x: Spread, cap=np.inf) -> Spread:
    """Of a Gaussian value, clipped at 0 and `cap`.

    With z = mean + deviation * n, n standard normal with density phi and distribution Phi, and a and b the
    values of n at which z is 0 and `cap`: E[z; 0 < z < cap] is mean * (Phi(b) - Phi(a)) + deviation *
    (phi(a) - phi(b)), E[z^2; 0 < z < cap] is (mean^2 + variance) * (Phi(b) - Phi(a)) + deviation *
    (mean * phi(a) - (mean + cap) * phi(b)), and with probability 1 - Phi(b) it is `cap`.

    Example:
    >>> from firekeras.scores.criteria.gaussian import Spread, rectified
    >>> rectified(Spread(np.array([0.0]), np.array([1.0])))  # 1 / sqrt(2 pi), and 1/2 - 1 / (2 pi)
    Spread(mean=array([0.39894228]), variance=array([0.34084506]))
    """
    mean, deviation = x.mean, np.sqrt(np.maximum(x.variance, 1e-30))  # a constant is a very narrow Gaussian
    low, high = -mean / deviation, (cap - mean) / deviation
    at_low, at_high = _density(low), _density(high)
    inside, above = ndtr(high) - ndtr(low), ndtr(-high)
    clipped, clipped_square = (0.0, 0.0) if np.isinf(cap) else (cap * above, cap * cap * above)
    top = 0.0 if np.isinf(cap) else (mean + cap) * at_high
    first = mean * inside + deviation * (at_low - at_high) + clipped
    second = (mean**2 + x.variance) * inside + deviation * (mean * at_low - top) + clipped_square
    return Spread(first, np.maximum(second - np.square(first), 0))


def _density(n):
    return np.exp(-np.square(n) / 2) / np.sqrt(2 * np.pi)


def by_quadrature(function: Callable, x: Spread) -> Spread:
    """Of what a function makes of Gaussian values, one by one: Gauss-Hermite quadrature at 32 points."""
    deviation = np.sqrt(x.variance)
    first = second = np.zeros(1)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        value = _run(function, [x.mean + node * deviation], {})
        first, second = first + weight * value, second + weight * np.square(value)
    return Spread(first, np.maximum(second - np.square(first), 0))
