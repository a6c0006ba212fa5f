"""Fingerprints of data and weights, by which a run that is continued knows them again."""

from __future__ import annotations

import hashlib
from typing import Any

import keras
import numpy as np

from firekeras.data.checks import as_numpy

WHOLE = 1 << 26  # bytes of an array up to which all of it counts, so that labels always do
STATISTICS = ("moving_mean", "moving_variance")
SIZE = 16  # bytes of a fingerprint


def of_data(data: Any) -> str:
    """The fingerprint of data as `fit` takes them.

    Of arrays: shapes, types and values, in order; of an array above 64 MiB, samples at even distances that make up as
    much. Of data in batches, which may come in another order each time, only their kind, shapes and number.

    Args:
        data: The data.
    """
    parts = keras.tree.flatten(data)
    if parts and all(hasattr(part, "shape") for part in parts):
        return _joined(_of_array(part) for part in parts)
    return _joined([_of_batches(data)])


def of_weights(model: keras.Model) -> str:
    """The fingerprint of a model's weights, in whichever order the model lists them."""
    return _joined(sorted(_of_array(weight) for weight in model.weights))


def of_learned(model: keras.Model) -> str:
    """The fingerprint of what a model has learned: its weights without the statistics that a run settles."""
    weights = (weight for weight in model.weights if weight.path.rpartition("/")[2] not in STATISTICS)
    return _joined(sorted(_of_array(weight) for weight in weights))


def _joined(digests):
    return hashlib.blake2b(b"".join(digests), digest_size=SIZE).hexdigest()


def _of_array(array) -> bytes:
    values = array if isinstance(array, np.ndarray) else as_numpy(array)
    taken = values[:: _step(values)] if values.ndim else values
    digest = hashlib.blake2b(f"{values.shape} {values.dtype}".encode(), digest_size=SIZE)
    digest.update(repr(taken.tolist()).encode() if values.dtype.hasobject else _bytes(taken))
    return digest.digest()


def _step(values) -> int:
    return max(1, -(-values.nbytes // WHOLE))


def _bytes(values):
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _of_batches(data) -> bytes:
    if not hasattr(data, "element_spec"):
        return f"{type(data).__name__} {_length(data)}".encode()
    return (
        f"{keras.tree.map_structure(lambda part: (part.shape, part.dtype), data.element_spec)} {_length(data)}".encode()
    )


def _length(data):
    if callable(getattr(data, "cardinality", None)):
        return int(data.cardinality())
    return len(data) if hasattr(data, "__len__") else None
