"""Operations that take part of a tensor, cut it into parts, or reduce some of its axes."""

import numpy as np

from firekeras.channels.call import Count
from firekeras.channels.labels import Channels, compress
from firekeras.channels.registry import rule
from firekeras.keras_models.internals import numpy_ops


@rule(numpy_ops.GetItem)
def getitem(call, x, key):
    """Slicing: along the channels if it takes a contiguous range of them, or reverses them."""
    parts = _per_axis(x, key)
    if parts is None or parts[0] != slice(None):
        return call.refuse((x,), {}, "selects in a way that channels cannot be tracked through")[0]
    along = [axis for axis in x.axes() if parts[axis] not in (slice(None), slice(None, None, -1))]
    for axis in along:
        stretch = _stretch(x, axis, parts[axis])
        if stretch is None:
            return call.refuse((x,), {}, "selects single channels, or uses a step")[0]
        call.argument(1, _replaced(key, x.rank, axis, stretch))
    full = np.broadcast_to(x.labels, (1, *x.shape[1:]))
    return compress(call.output_shape, full[key][0])


def _per_axis(x, key):
    """The key as one part per axis; None if it holds anything but numbers and slices."""
    key = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, (int, slice, type(Ellipsis))) for part in key):
        return None
    if Ellipsis not in key:
        key = (*key, Ellipsis)
    place = key.index(Ellipsis)
    return [*key[:place], *[slice(None)] * (x.rank - len(key) + 1), *key[place + 1 :]]


def _stretch(x, axis, part):
    """A slice of step 1 whose ends are counted among the remaining channels."""
    if not isinstance(part, slice) or part.step not in (None, 1):
        return None
    start, stop, _ = part.indices(x.shape[axis])
    labels = x.vector(axis)
    return slice(Count(labels[:start]), Count(labels[: max(start, stop)]), None)


def _replaced(key, rank, axis, part):
    key = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in key and axis > key.index(Ellipsis):
        key[axis - rank] = part
    else:
        key[axis] = part
    return tuple(key)


@rule(numpy_ops.Split)
def split(call, x):
    """Splitting: along the channels, each part keeps its own."""
    axis = call.layer.axis % x.rank
    if axis == 0:
        return call.refuse((x,), {}, "splits samples")
    sizes = [shape[axis] for shape in call.output_shapes]
    if axis in x.axes():
        labels = x.vector(axis)
        ends = np.cumsum(sizes)[:-1]
        call.setting(indices_or_sections=tuple(Count(labels[:end]) for end in ends))
        parts = np.split(labels, ends)
        return [Channels.along(shape, axis, part) for shape, part in zip(call.output_shapes, parts, strict=True)]
    return [Channels(shape, x.labels) for shape in call.output_shapes]


@rule(
    numpy_ops.All,
    numpy_ops.Amax,
    numpy_ops.Amin,
    numpy_ops.Any,
    numpy_ops.Max,
    numpy_ops.Mean,
    numpy_ops.Min,
    numpy_ops.Prod,
    numpy_ops.Std,
    numpy_ops.Sum,
    numpy_ops.Var,
)
def reduce(call, x, **kwargs):
    """Reductions over positions; reductions over channels mix them."""
    axes = call.layer.axis
    axes = list(range(x.rank)) if axes is None else [axes] if isinstance(axes, int) else axes
    axes = {axis % x.rank for axis in axes}
    if axes & {0, *x.axes()}:
        return call.refuse((x,), {}, "reduces over these channels, so its result depends on all")[0]
    labels = x.labels if call.layer.keepdims else x.labels.squeeze(tuple(axes))
    passed = Channels(call.output_shape, labels)
    return passed if isinstance(call.layer, (numpy_ops.Mean, numpy_ops.Sum)) else call.fresh_like(passed)
