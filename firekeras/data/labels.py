"""Labels, looked at before any training: whether they are there, as many as the samples, and what the loss takes."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.keras_models.losses import is_loss


def check_labels(model, name, data):
    """Raises `ValueError` where arrays are not what a compiled model trains on.

    Args:
        model: The model; one that is compiled without a loss needs no labels.
        name: What the data are called: `"train_data"`.
        data: As `fit` takes them. Only arrays are looked at: what comes in batches is for `fit` to check.
    """
    if not getattr(model, "loss", None) or not _are_arrays(data):
        return
    if not isinstance(data, tuple) or len(data) < 2:
        raise ValueError(f"`{name}` hold no labels. Give a tuple, (x, y). Received: {described(data)}.")
    x, y = data[0], data[1]
    lengths = [len(array) for array in keras.tree.flatten((x, y))]
    if len(set(lengths)) > 1:
        raise ValueError(f"`{name}` hold as many labels as samples. Received arrays of {lengths}.")
    if is_loss(model.loss, "sparsecategoricalcrossentropy") and hasattr(y, "shape") and len(model.outputs) == 1:
        _check_class_numbers(name, np.asarray(y), model.outputs[0].shape[-1])


def _are_arrays(data):
    parts = keras.tree.flatten(data)
    return bool(parts) and all(hasattr(part, "shape") and hasattr(part, "__len__") for part in parts)


def _check_class_numbers(name, y, classes):
    expected = f"The loss takes class numbers from 0 to {classes - 1}"
    if y.ndim > 1 and y.shape[-1] == classes > 1:
        raise ValueError(f"{expected}, but the labels of `{name}` are of shape {y.shape}: give y.argmax(axis=-1).")
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise ValueError(f"{expected}, but `{name}` hold labels from {y.min()} to {y.max()}.")
    if y.dtype.kind == "f" and (y != np.round(y)).any():
        raise ValueError(f"{expected}, but `{name}` hold labels with fractions, such as {y[y != np.round(y)][0]}.")


def described(data) -> str:
    """What was received, in a few words."""
    if hasattr(data, "shape"):
        return f"an array of shape {tuple(data.shape)}"
    if isinstance(data, (list, tuple)):
        return f"a {type(data).__name__} of {len(data)}: {', '.join(described(one) for one in data[:3])}"
    return type(data).__name__
