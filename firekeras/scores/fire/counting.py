"""Counts zeros on the device: exact integers; only small sums ever leave it."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

# Counts are kept as two 32-bit words, since float32 cannot count past 16.7 million and JAX has no
# 64-bit integers by default: value = high * WORD + low, with low < WORD after every batch.
WORD = 1 << 15


class ZeroCounter(keras.layers.Layer):
    """Returns the output of a ReLU unchanged, and counts the zeros of each channel.

    Its input must not contain negative values.

    Up to 2^31 values per sample and 32,768 samples per batch are counted exactly, and 2^46 in all.

    Args:
        axis: The channel axis.
        per_position: Whether to count each position separately. Defaults to False.
        only_training: Whether to count only training steps, not the validation that `fit` runs in
            between. Defaults to False.
        spread: Whether to also record how much each channel's rate varies from sample to sample.
            Defaults to False.
    """

    def __init__(self, axis, per_position=False, only_training=False, spread=False, **kwargs):
        super().__init__(trainable=False, autocast=False, **kwargs)
        self.spread = spread
        self.axis, self.per_position, self.only_training = axis, per_position, only_training

    def build(self, input_shape):
        shape = input_shape[1:] if self.per_position else (input_shape[self.axis],)
        self.low, self.high = (self._counter(shape, name) for name in ("low", "high"))
        self.seen_low, self.seen_high = (self._counter((2,), name) for name in ("seen_low", "seen_high"))

        if self.spread:
            self.squares = self._counter((input_shape[self.axis],), "squares", "float32")

    def build_for(self, shape: tuple) -> None:
        """Makes the counters, if a shape says how many: what makes variables is traced twice."""
        needed = shape[1:] if self.per_position else (shape[self.axis],)
        if not self.built and None not in needed:
            self.build(shape)

    def _counter(self, shape, name, dtype="int32"):
        """Under a TensorFlow strategy each replica counts separately, and reading sums over the replicas."""
        zeros = keras.initializers.Zeros()
        kind = {"aggregation": "sum", "synchronization": "on_read"}
        return keras.Variable(zeros, shape, dtype, trainable=False, autocast=False, name=name, **kind)

    def call(self, x, training=False):
        if training or not self.only_training:
            self._count_batch(x)
        return x

    def _count_batch(self, x):
        sizes = ops.shape(x)
        axes = tuple(k for k in range(1, len(sizes)) if k != self.axis)
        positions = math.prod(sizes[axis] for axis in axes)
        fired = ops.cast(ops.sign(x), "float32") if self.per_position else nonzeros(x, self.axis)
        zeros = (1 if self.per_position else positions) - ops.cast(fired, "int32")
        _count(self.low, self.high, zeros)
        if self.spread:
            rates = ops.cast(ops.sum(zeros, axis=axes) if self.per_position else zeros, "float32") / positions
            self.squares.assign_add(ops.sum(rates * rates, axis=0))
        # TensorFlow runs what needs no data even if no batch comes: at the end of data of unknown length
        samples = sizes[0] + 0 * ops.sum(zeros[:1])
        _count_equal(self.seen_low, self.seen_high, samples, (positions, 1))

    def compute_output_shape(self, input_shape):
        return input_shape

    def zeros(self) -> np.ndarray:
        """The zeros counted so far, int64 `(channels,)`, or of the shape of a sample if per position."""
        return _total(self.low, self.high)

    def by_channel(self) -> np.ndarray:
        """The zeros counted so far with the channels first, `(channels,)`, or per position `(channels, *positions)`."""
        return np.moveaxis(self.zeros(), self.axis - 1, 0) if self.per_position else self.zeros()

    def rates(self) -> np.ndarray:
        """The share of zeros of each channel so far, over all positions, `(channels,)`."""
        counts = self.by_channel()
        return counts.reshape(len(counts), -1).sum(axis=1) / max(1, self.seen())

    def seen(self) -> int:
        """The number of values per channel so far: samples times positions."""
        return int(_total(self.seen_low, self.seen_high)[0])

    def deviation(self) -> np.ndarray:
        """The standard deviation of each channel's rate over samples so far, `(channels,)`; needs `spread`."""
        mean = self.rates()
        squares = ops.convert_to_numpy(self.squares) / max(1, self.samples())
        return np.sqrt(np.maximum(squares - mean**2, 0))

    def samples(self) -> int:
        """The number of samples so far."""
        return int(_total(self.seen_low, self.seen_high)[1])


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

    The sum of signs: floats sum faster than integers do, and whole numbers exactly up to 2^24, which is
    more than the positions of any sample. TensorFlow, which fuses nothing on a CPU, is faster at summing
    bytes, four to a word, and else as a product with ones.
    """
    axes = tuple(k for k in range(1, len(x.shape)) if k != axis)
    if keras.backend.backend() == "tensorflow" and axes and axis == len(x.shape) - 1:
        return _sum_of_bytes(x) if _fits_bytes(x.shape) else _product_with_ones(x)
    signs = ops.cast(ops.sign(x), "float32")
    return ops.sum(signs, axis=axes) if axes else signs


def _fits_bytes(shape):
    """Whether no byte overflows when rows are summed, and each row fills whole words."""
    row = shape[2:]
    return len(shape) > 3 and None not in shape[1:] and shape[1] < 256 and math.prod(row) % 4 == 0


def _sum_of_bytes(x):
    """Sums over rows with four neighbours in one word, then each byte over the columns."""
    import tensorflow as tf

    sizes = ops.shape(x)
    fired = tf.cast(tf.cast(x, "bool"), "uint8")
    words = tf.bitcast(tf.reshape(fired, (sizes[0], sizes[1], math.prod(sizes[2:]) // 4, 4)), "int32")
    columns = tf.bitcast(tf.reduce_sum(words, axis=1), "uint8")
    return tf.reduce_sum(
        tf.cast(tf.reshape(columns, (sizes[0], math.prod(sizes[2:-1]), sizes[-1])), "float32"),
        axis=1,
    )


def _product_with_ones(x):
    sizes = ops.shape(x)
    positions = math.prod(sizes[1:-1])  # said, since a replica's batch may be empty
    signs = ops.reshape(ops.cast(ops.sign(x), "float32"), (sizes[0], positions, sizes[-1]))
    return ops.matmul(ops.ones((sizes[0], 1, positions)), signs)[:, 0]


def _count(low, high, per_sample):
    """Adds counts of a batch, `(samples, ...)`, to a two-word counter."""
    small = low + ops.sum(ops.mod(per_sample, WORD), axis=0)
    high.assign_add(ops.sum(ops.floor_divide(per_sample, WORD), axis=0) + ops.floor_divide(small, WORD))
    low.assign(ops.mod(small, WORD))


def _count_equal(low, high, samples, each):
    """Adds the same counts, a tuple, for each sample of a batch."""
    each = ops.cast(ops.stack(each), "int32")
    small = low + samples * ops.mod(each, WORD)
    high.assign_add(samples * ops.floor_divide(each, WORD) + ops.floor_divide(small, WORD))
    low.assign(ops.mod(small, WORD))


def _total(low, high):
    return ops.convert_to_numpy(high).astype("int64") * WORD + ops.convert_to_numpy(low)
