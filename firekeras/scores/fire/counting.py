"""Counts zeros on the device: exact integers; only small sums ever leave it."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

# Counts are kept as two 32-bit words, since float32 cannot count past 16.7 million and JAX has no
# 64-bit integers by default: value = high * WORD + low, with low < WORD after every batch.
WORD = 1 << 15
ITS = "its"  # the key of the only ReLU of a ZeroCounter


class ZeroCount(NamedTuple):
    """The zeros that a ReLU gave.

    Args:
        zeros: By channel, int64 `(channels,)`; of the shape of a sample if counted per position.
        seen: The number of values per channel: samples times positions.
        samples: The number of samples.
        axis: The channel axis.
        per_position: Whether zeros were counted for each position separately.
        squares: By channel, the sum over samples of the squared rate of values that are not zero, `(channels,)`;
            None unless asked for.
    """

    zeros: np.ndarray
    seen: int
    samples: int
    axis: int
    per_position: bool = False
    squares: np.ndarray | None = None

    def by_channel(self) -> np.ndarray:
        """The zeros with the channels first, `(channels,)`, or per position `(channels, *positions)`."""
        return np.moveaxis(self.zeros, self.axis - 1, 0) if self.per_position else self.zeros

    def rates(self) -> np.ndarray:
        """The share of zeros of each channel, over all positions, `(channels,)`."""
        counts = self.by_channel()
        return counts.reshape(len(counts), -1).sum(axis=1) / max(1, self.seen)

    def deviation(self) -> np.ndarray:
        """The standard deviation of each channel's rate over samples, `(channels,)`; needs `squares`."""
        mean = 1 - self.rates()
        squares = np.zeros_like(mean) if self.squares is None else self.squares
        return np.sqrt(np.maximum(squares / max(1, self.samples) - mean**2, 0))


class Glance(NamedTuple):
    """What a batch adds to the count of a ReLU, in sums over its samples."""

    shape: tuple
    samples: Any
    positions: Any
    low: Any  # the values that are not zero, of each channel or position; modulo WORD if there is a high word
    high: Any = None
    squares: Any = None


class ZeroCounters(keras.layers.Layer):
    """Counts the zeros that several ReLUs give, in one set of variables: each step costs, whatever its size.

    The outputs of the ReLUs must not contain negative values.

    Up to 2^31 values per sample and 32,768 samples per batch are counted exactly, and 2^46 in all.

    Args:
        axes: The channel axis of each ReLU, by a key of its own.
        per_position: Whether to count each position separately. Defaults to False.
        spread: Whether to also record how much each channel's rate varies from sample to sample.
            Defaults to False.
    """

    def __init__(self, axes, per_position=False, spread=False, **kwargs):
        super().__init__(trainable=False, autocast=False, **kwargs)
        self.axes, self.per_position, self.spread = axes, per_position, spread
        self.counted: dict[Any, tuple] = {}

    def build_for(self, shapes) -> None:
        """Makes the counters, if the shapes say how many: what makes variables is traced twice.

        Args:
            shapes: The shape of each ReLU's output, by key.
        """
        counted = {key: shape[1:] if self.per_position else (shape[self.axes[key]],) for key, shape in shapes.items()}
        if self.counted or any(None in shape for shape in counted.values()):
            return
        self.counted = counted
        values, channels = sum(map(math.prod, counted.values())), sum(self._channels())
        self.low, self.high = (self._counter((values,), name) for name in ("low", "high"))
        self.seen_low, self.seen_high = (self._counter((2, len(counted)), name) for name in ("seen_low", "seen_high"))
        if self.spread:
            self.squares = self._counter((channels,), "squares", "float32")
        self.built = True

    def _channels(self):
        """The number of channels of each ReLU."""
        return [shape[self.axes[key] - 1 if self.per_position else 0] for key, shape in self.counted.items()]

    def _counter(self, shape, name, dtype="int32"):
        """Under a TensorFlow strategy each replica counts separately, and reading sums over the replicas."""
        zeros = keras.initializers.Zeros()
        kind = {"aggregation": "sum", "synchronization": "on_read"}
        return keras.Variable(zeros, shape, dtype, trainable=False, autocast=False, name=name, **kind)

    def glance(self, key, x) -> Glance:
        """Sums up what a ReLU gave for a batch."""
        axis, sizes = self.axes[key], ops.shape(x)
        others = tuple(k for k in range(1, len(sizes)) if k != axis)
        positions = math.prod(sizes[k] for k in others)
        fired, low = (ops.cast(ops.sign(x), "float32"), None) if self.per_position else nonzeros(x, axis)
        squares = _sum_of_squares(fired, others if self.per_position else (), positions) if self.spread else None
        one_word = self.per_position or (isinstance(positions, int) and positions <= WORD)
        high = None
        if low is None:
            low, high = _sums(fired) if one_word else _sums_in_words(fired)
        return Glance(x.shape, sizes[0], positions, low, high, squares)

    def add(self, glances) -> None:
        """Counts a batch: a `Glance` at each ReLU, by key."""
        self.build_for({key: glance.shape for key, glance in glances.items()})
        if not self.counted:
            raise ValueError(
                "The data do not say how large they are, so positions cannot be counted separately. Give arrays, or a "
                "dataset whose element_spec has sizes, or measure with neuron_maps=False."
            )
        in_order = [glances[key] for key in self.counted]
        _count(self.low, self.high, [(glance.low, glance.high) for glance in in_order])
        _count_seen(self.seen_low, self.seen_high, in_order)
        if self.spread:
            self.squares.assign_add(ops.concatenate([glance.squares for glance in in_order]))

    def counts(self) -> dict[Any, ZeroCount]:
        """What was counted so far, by key; empty before the first batch."""
        if not self.counted:
            return {}
        fired = _parts(_total(self.low, self.high), map(math.prod, self.counted.values()))
        seen = _total(self.seen_low, self.seen_high)
        squares = _parts(ops.convert_to_numpy(self.squares), self._channels()) if self.spread else [None] * len(fired)
        return {
            key: self._count_of(key, *found)
            for key, *found in zip(self.counted, fired, *seen.tolist(), squares, strict=True)
        }

    def _count_of(self, key, fired, seen, samples, squares):
        shape = self.counted[key]
        each = samples if self.per_position else seen
        return ZeroCount(each - fired.reshape(shape), seen, samples, self.axes[key], self.per_position, squares)


class ZeroCounter(ZeroCounters):
    """Returns the output of a ReLU unchanged, and counts the zeros of each channel, as `ZeroCounters`.

    Args:
        axis: The channel axis.
        only_training: Whether to count only training steps, not the validation that `fit` runs in
            between. Defaults to False.
        per_position: As in `ZeroCounters`.
    """

    def __init__(self, axis, per_position=False, only_training=False, **kwargs):
        super().__init__({ITS: axis}, per_position, **kwargs)
        self.only_training = only_training

    def build(self, input_shape):
        self.build_for({ITS: input_shape})

    def call(self, x, training=False):
        if training or not self.only_training:
            self.add({ITS: self.glance(ITS, x)})
        return x

    def compute_output_shape(self, input_shape):
        return input_shape

    def count(self) -> ZeroCount:
        """What was counted so far."""
        return self.counts()[ITS]


class NonFiniteCounter(keras.layers.Layer):
    """Counts batches of a float tensor that contain NaN or infinity: a ReLU may turn these into zeros."""

    def build(self, input_shape=None):
        kind = {"aggregation": "sum", "synchronization": "on_read"}
        self.batches = keras.Variable(keras.initializers.Zeros(), (), "int32", trainable=False, **kind)

    def call(self, x):
        self.batches.assign_add(ops.cast(ops.logical_not(ops.all(ops.isfinite(x))), "int32"))
        return x

    def count(self) -> int:
        """The number of such batches so far."""
        return int(ops.convert_to_numpy(self.batches)) if self.built else 0


def nonzeros(x, axis):
    """How many values of each channel are not zero, of what a ReLU gave, `(samples, channels)`, float32.

    Beside it their sums over samples, `(channels,)`, if these come of the same step; else None.

    The sum of signs: floats sum faster than integers do, and whole numbers exactly up to 2^24, which is
    more than the positions of any sample. TensorFlow, which fuses nothing on a CPU, is faster at summing
    bytes, four to a word, and else as a product with ones.
    """
    axes = tuple(k for k in range(1, len(x.shape)) if k != axis)
    if keras.backend.backend() == "tensorflow" and axes and axis == len(x.shape) - 1:
        return _as_one_step()(x) if _fits_bytes(x.shape) else (_product_with_ones(x), None)
    signs = ops.cast(ops.sign(x), "float32")
    return ops.sum(signs, axis=axes) if axes else signs, None


def _fits_bytes(shape):
    """Whether no byte overflows when rows are summed, and each row fills whole words."""
    row = shape[2:]
    return len(shape) > 3 and None not in shape[1:] and shape[1] < 256 and math.prod(row) % 4 == 0


@functools.cache
def _as_one_step():
    """`_sum_of_bytes`, and its sums, as one operation of a graph: each shape is traced once, whatever the network."""
    import tensorflow as tf

    def step(x):
        fired = _sum_of_bytes(x)
        return fired, _sums(fired)[0]

    return tf.function(step, autograph=False, experimental_attributes={"_noinline": True})


def _sum_of_bytes(x):
    """Sums over rows with four neighbours in one word, then each byte over the columns."""
    import tensorflow as tf

    _, rows, *columns, channels = x.shape
    fired = tf.cast(tf.cast(x, "bool"), "uint8")
    words = tf.bitcast(tf.reshape(fired, (-1, rows, math.prod(columns) * channels // 4, 4)), "int32")
    sums = tf.bitcast(tf.reduce_sum(words, axis=1), "uint8")
    return tf.reduce_sum(tf.cast(tf.reshape(sums, (-1, math.prod(columns), channels)), "float32"), axis=1)


def _product_with_ones(x):
    sizes = ops.shape(x)
    positions = math.prod(sizes[1:-1])  # said, since a replica's batch may be empty
    signs = ops.reshape(ops.cast(ops.sign(x), "float32"), (sizes[0], positions, sizes[-1]))
    return ops.matmul(ops.ones((sizes[0], 1, positions)), signs)[:, 0]


def _sums(fired):
    """The sums over samples, flat, in one word, for which there are few enough of each."""
    return ops.reshape(ops.sum(ops.cast(fired, "int32"), axis=0), (-1,)), None


def _sums_in_words(fired):
    fired = ops.cast(fired, "int32")
    return ops.sum(ops.mod(fired, WORD), axis=0), ops.sum(ops.floor_divide(fired, WORD), axis=0)


def _sum_of_squares(fired, others, positions):
    """By channel, the sum over samples of the square of the share that is not zero."""
    rates = (ops.sum(fired, axis=others) if others else fired) / ops.cast(positions, "float32")
    return ops.sum(rates * rates, axis=0)


def _count(low, high, sums):
    """Adds sums of a batch, each in one word or two, to a two-word counter."""
    small = low + ops.concatenate([one for one, _ in sums])
    carried = ops.floor_divide(small, WORD)
    if any(two is not None for _, two in sums):
        carried += ops.concatenate([ops.zeros_like(one) if two is None else two for one, two in sums])
    high.assign_add(carried)
    low.assign(ops.mod(small, WORD))


def _count_seen(low, high, glances):
    """Adds the values per channel, and the samples, of each ReLU."""
    samples = ops.cast(ops.stack([glance.samples for glance in glances]), "int32")
    # TensorFlow runs what needs no data even if no batch comes: at the end of data of unknown length
    samples += 0 * glances[0].low[0]
    positions = ops.cast(ops.stack([glance.positions for glance in glances]), "int32")
    each = ops.stack([positions, ops.ones_like(positions)])
    small = low + samples * ops.mod(each, WORD)
    high.assign_add(samples * ops.floor_divide(each, WORD) + ops.floor_divide(small, WORD))
    low.assign(ops.mod(small, WORD))


def _total(low, high):
    return ops.convert_to_numpy(high).astype("int64") * WORD + ops.convert_to_numpy(low)


def _parts(values, sizes):
    """An array cut into parts of these sizes."""
    return np.split(values, np.cumsum(list(sizes))[:-1])
