"""Labels, checked before any training: present, as many as the samples, and of the kind that the loss takes."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.arguments import short
from firekeras.keras_models.loss_names import has_binary_loss, has_one_hot_loss, is_loss
from firekeras.refusals import is_number, unknown

NUMBERS = "sparse_categorical_crossentropy"
SPARSE = "sparsecategoricalcrossentropy"  # as `is_loss` compares it
ROUNDING = 1e-3  # shares that were mixed may be a little above 1


def check_labels(model, name, data):
    """Raises `ValueError` if a compiled model cannot train on some arrays.

    Args:
        model: The model; if it is compiled without a loss, it needs no labels.
        name: The name of the argument: `"train_data"`.
        data: As `fit` takes them. Of data in batches, only whether there are labels is checked, and that only if it
            can be told without a batch.
    """
    if not getattr(model, "loss", None):
        return
    if isinstance(data, tuple) and len(data) > 1 and (data[1] is None or is_number(data[1])):
        raise _without_labels(name, data)
    if not are_arrays(data):
        _check_batches(model, name, data)
        return
    if not isinstance(data, tuple) or len(data) < 2:
        raise _without_labels(name, data)
    y = data[1]
    check_lengths(data, f"`{name}`")
    _check_names(name, y, model)
    _check_numbers(name, y)
    if _takes(model, y):
        _check_shape_of_labels(model, name, tuple(y.shape))
        if is_loss(model.loss, SPARSE):
            _check_class_numbers(name, _counted(np.asarray(y), model.loss), model.outputs[0].shape[-1])
        if has_binary_loss(model.loss):
            _check_shares(name, _weighted(np.asarray(y), *data[2:]))


def _without_labels(name, data):
    return ValueError(f"{name} contains no labels. Pass a tuple, (x, y). Received: {short(data)}.")


def _takes(model, y):
    """Whether a model has one output, and labels are one array for it."""
    return hasattr(y, "shape") and len(model.outputs) == 1


def _check_shape_of_labels(model, name, shape):
    """Class numbers where the loss takes them, and a vector per sample where it takes that."""
    expected, classes = model.outputs[0].shape, model.outputs[0].shape[-1]
    if is_loss(model.loss, SPARSE) and len(shape) == len(expected) and shape[-1] == classes > 1:
        raise ValueError(
            f"{_numbers_up_to(classes)}, but the labels of `{name}` are of shape {shape}: pass y.argmax(axis=-1)."
        )
    if has_one_hot_loss(model.loss) and len(shape) == len(expected) - 1:
        raise ValueError(
            f"The loss takes a vector of {classes} numbers for each label, but the labels of `{name}` are of shape "
            f"{shape}: pass keras.utils.to_categorical(y, {classes}), or compile with the loss {NUMBERS!r}."
        )


def _numbers_up_to(classes):
    return f"The loss takes class numbers from 0 to {classes - 1}"


def _check_names(name, y, model):
    """Labels of several outputs come one array for each, in a list or by the names of the outputs."""
    outputs = output_names(model)
    if isinstance(y, dict):
        strange = [key for key in y if key not in outputs]
        if strange:
            raise ValueError(f"`{name}` hold labels by names of outputs. {unknown('output', strange[0], outputs)}")
    elif len(outputs) > 1 and len(keras.tree.flatten(y)) != len(outputs):
        raise ValueError(
            f"The model has {len(outputs)} outputs, {', '.join(outputs)}. `{name}` must hold labels for each, in a "
            f"list or a dict by these names. Received: {short(y)}."
        )


def output_names(model) -> list[str]:
    """The names of a model's outputs: those that it was given as a dict, else those of their layers."""
    structure = getattr(model, "output", None)  # a Sequential model has one output, and no structure
    if isinstance(structure, dict):
        return list(structure)
    return list(getattr(model, "output_names", [tensor.name for tensor in model.outputs]))


def _check_numbers(name, y):
    for array in keras.tree.flatten(y):
        kind = getattr(getattr(array, "dtype", None), "kind", "f")
        if kind in "cMm":
            raise ValueError(f"The labels of `{name}` must be real numbers. Received: {array.dtype}.")
        if kind in "OUS":
            raise ValueError(
                f"The labels of `{name}` must be numbers. Received: text or objects, such as "
                f"{array.ravel()[:1].tolist()}. For class names: np.unique(y, return_inverse=True)[1]."
            )


def check_lengths(data, name="The data"):
    """Raises `ValueError` unless a tuple of arrays holds as many labels, and weights, as samples."""
    lengths = [array.shape[0] for array in keras.tree.flatten(data) if getattr(array, "shape", None)]
    if len(set(lengths)) > 1:
        raise ValueError(f"{name} must hold as many labels, and weights, as samples. Received arrays of {lengths}.")


def _check_batches(model, name, data):
    spec = getattr(data, "element_spec", None)
    if spec is None and isinstance(data, keras.utils.PyDataset) and data.num_batches:
        spec = data[0]
    if spec is not None and (not isinstance(spec, (tuple, list)) or len(spec) < 2):
        raise ValueError(
            f"{name} contains no labels: a batch is {short(spec)}. Expected batches of (x, y), or (x, y, weights)."
        )
    shape = getattr(spec[1], "shape", None) if spec is not None and _takes(model, spec[1]) else None
    if shape is not None and getattr(shape, "rank", 0) is not None:
        _check_shape_of_labels(model, name, tuple(shape))


def are_arrays(data) -> bool:
    """Whether data are arrays, alone or in a tuple, rather than something that comes in batches."""
    parts = keras.tree.flatten(data)
    return bool(parts) and all(hasattr(part, "shape") and hasattr(part, "__len__") for part in parts)


def _counted(y, loss):
    """The labels without those of the class that the loss ignores, such as 255 for "no object here"."""
    ignored = getattr(loss, "ignore_class", None)
    return y if ignored is None else y[y != ignored]


def _check_class_numbers(name, y, classes):
    expected = _numbers_up_to(classes)
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise ValueError(f"{expected}, but `{name}` hold labels from {y.min()} to {y.max()}.")
    if y.dtype.kind == "f" and (y != np.round(y)).any():
        raise ValueError(f"{expected}, but `{name}` hold labels with fractions, such as {y[y != np.round(y)][0]}.")


def _weighted(y, weights=None):
    """The labels of samples without a weight of 0, which may hold anything."""
    if weights is None or not getattr(weights, "shape", None):
        return y
    return y[(np.asarray(weights).reshape(len(y), -1) != 0).all(1)]


def _check_shares(name, y):
    """Of other labels a binary loss falls below 0, without end and without a word from Keras."""
    if y.size and (y.min() < -ROUNDING or y.max() > 1 + ROUNDING):
        raise ValueError(
            f"The loss takes labels of 0 and 1, or shares between them, but `{name}` hold labels from {y.min()} to "
            f"{y.max()}. {_to_shares(np.unique(y))}"
        )


def _to_shares(values):
    if len(values[1:]) == 1:
        return f'Pass (y == {values[1]}).astype("float32").'
    return f"For several classes, compile with the loss {NUMBERS!r}, and give the model an output for each."
