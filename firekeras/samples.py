"""A few samples of training data with their labels, as arrays, from all that `fit` takes."""

from __future__ import annotations

import itertools

import keras
import numpy as np


def draw_samples(data, count, seed=0) -> tuple:
    """Draws samples with what belongs to them, in random order.

    Args:
        data: What `model.fit` takes.
        count: How many, if there are so many: of arrays at random, of data in batches the first ones.
        seed: For the choice. Defaults to 0.

    Returns:
        `(x, y, sample_weight)`, each as in the data, of NumPy arrays; None for what the data lack.
    """
    found = keras.utils.unpack_x_y_sample_weight(data) if isinstance(data, tuple) else _first(data, count)
    chosen = np.random.default_rng(seed).permutation(_length(found))[:count]
    return tuple(_mapped(lambda array: np.asarray(array)[chosen], part) for part in found)


def in_batches(samples, size) -> list[tuple]:
    """Cuts `(x, y, sample_weight)` into batches of one size; what does not fill one is left out.

    Args:
        samples: Of `draw_samples`.
        size: Samples per batch; fewer samples make one batch.
    """
    size = min(size, _length(samples))
    return [_slice(samples, start, size) for start in range(0, _length(samples) - size + 1, size)]


def shared_out(samples, parts) -> list[tuple]:
    """Splits `(x, y, sample_weight)` into so many parts of one size."""
    if _length(samples) < parts:
        raise ValueError(f"Expected at least {parts} samples of training data. Received: {_length(samples)}.")
    return in_batches(samples, _length(samples) // parts)[:parts]


def _slice(samples, start, size):
    return tuple(_mapped(lambda array: array[start : start + size], part) for part in samples)


def _first(data, count):
    taken = list(_batches_until(data, count))
    return [_joined(parts) for parts in zip(*taken, strict=True)]


def _batches_until(data, count):
    seen = 0
    for batch in _iterated(data):
        taken = keras.utils.unpack_x_y_sample_weight(batch)
        yield taken
        seen += _length(taken)
        if seen >= count:
            return


def _iterated(data):
    if not isinstance(data, keras.utils.PyDataset):
        return data
    return (data[k] for k in (range(data.num_batches) if data.num_batches else itertools.count()))


def _joined(parts):
    if parts[0] is None:
        return None
    arrays = [keras.tree.map_structure(keras.ops.convert_to_numpy, part) for part in parts]
    return keras.tree.map_structure(lambda *batches: np.concatenate(batches), *arrays)


def _mapped(function, part):
    return None if part is None else keras.tree.map_structure(function, part)


def _length(samples):
    return keras.tree.flatten(samples[0])[0].shape[0]
