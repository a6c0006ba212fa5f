"""Training data with labels, as NumPy arrays, from anything that `fit` takes: all of them, or a few samples."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np


def draw_samples(data, count, seed=0) -> tuple:
    """Draws samples with their labels and weights, in random order.

    Args:
        data: What `model.fit` takes.
        count: How many, or all if there are fewer: a random choice from arrays, the first ones from batches.
        seed: Seed of the choice. Defaults to 0.

    Returns:
        `(x, y, sample_weight)`, structured as in the data, of NumPy arrays; None for what the data lack.
    """
    samples = _parts(data) if are_arrays(data) else _first(data, count)
    chosen = np.random.default_rng(seed).permutation(_length(samples))[:count]
    return tuple(_mapped(lambda array: np.asarray(array)[chosen], part) for part in samples)


def batches(data, size):
    """Yields all data as `(x, y, sample_weight)` of NumPy arrays, None for what they lack.

    Args:
        data: What `model.fit` takes.
        size: Samples per batch, for arrays; batches stay as they are.
    """
    if not are_arrays(data):
        yield from (
            tuple(_mapped(keras.ops.convert_to_numpy, part) for part in _parts(batch)) for batch in _iterated(data)
        )
        return
    samples = tuple(_mapped(np.asarray, part) for part in _parts(data))
    for start in range(0, _length(samples), size):
        yield _slice(samples, start, size)


def in_batches(samples, size) -> list[tuple]:
    """Splits `(x, y, sample_weight)` into as few batches of equal size as possible.

    Args:
        samples: As `draw_samples` returns them.
        size: The largest batch size. At the end fewer samples than there are batches may be dropped.
    """
    count = math.ceil(_length(samples) / size)
    size = _length(samples) // count
    return [_slice(samples, k * size, size) for k in range(count)]


def shared_out(samples, parts) -> list[tuple]:
    """Splits `(x, y, sample_weight)` into this many parts of equal size."""
    size = _length(samples) // parts
    if not size:
        raise ValueError(f"Expected at least {parts} samples of training data. Received: {_length(samples)}.")
    return [_slice(samples, k * size, size) for k in range(parts)]


def shuffles(data) -> bool:
    """Whether `fit` can shuffle data; of others it takes the order, and warns if it is asked to shuffle."""
    return data.num_batches is not None if isinstance(data, keras.utils.PyDataset) else are_arrays(data)


def are_arrays(data) -> bool:
    """Whether data are arrays rather than batches."""
    return isinstance(data, tuple) or all(hasattr(part, "shape") for part in keras.tree.flatten(data))


def _parts(data):
    """`(x, y, sample_weight)` of arrays or of a batch; a list is a list of inputs, unless a loader made it."""
    return keras.utils.unpack_x_y_sample_weight(data) if isinstance(data, tuple) else (data, None, None)


def _slice(samples, start, size):
    return tuple(_mapped(lambda array: array[start : start + size], part) for part in samples)


def _first(data, count):
    taken = list(_batches_until(data, count))
    return [_joined(parts) for parts in zip(*taken, strict=True)]


def _batches_until(data, count):
    seen = 0
    for batch in batches(data, count):
        yield batch
        seen += _length(batch)
        if seen >= count:
            return


def _iterated(data):
    """The batches of a data set; those of a torch DataLoader, which are lists, as tuples."""
    in_turn = _numbered(data) if isinstance(data, keras.utils.PyDataset) else data
    return (tuple(batch) if isinstance(batch, list) else batch for batch in in_turn)


def _numbered(data):
    return (data[k] for k in (range(data.num_batches) if data.num_batches else itertools.count()))


def _joined(parts):
    if parts[0] is None:
        return None
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def _mapped(function, part):
    return None if part is None else keras.tree.map_structure(function, part)


def _length(samples):
    return keras.tree.flatten(samples[0])[0].shape[0]
