"""Data as `fit` takes them: checked before any long work, and reduced to a part on request."""

from __future__ import annotations

import math
import numbers
import os
import weakref
from collections.abc import Iterator, Mapping, Set

import keras
import numpy as np

from firekeras.arguments import short
from firekeras.data.ending import TO_BOUND, Pass, ends, is_endless, num_batches
from firekeras.data.labels import are_arrays, check_labels, check_lengths
from firekeras.data.samples import batches
from firekeras.keras_models.internals import structures
from firekeras.refusals import HOLD_OUT, check_share, is_number

AT_ONCE = 1 << 24  # bytes of an array that are looked at in one step
NO_BATCHES = (str, bytes, type, list, tuple, Mapping, Set)
_FILLED: weakref.WeakSet = weakref.WeakSet()  # data sets of unknown length that gave a batch


def checked_data(model, data):
    """Checks data against a model's inputs, and returns the samples as `fit` takes them.

    Args:
        model: The model that will read them.
        data: Arrays, `(x, y)` or `(x, y, weights)`, or anything that comes in batches.

    Returns:
        `(x,)` if the data are arrays, else the data unchanged.

    Raises:
        ValueError: If the data are empty, missing, or do not fit the model's inputs.
    """
    check_kind(data)
    _check_reads_numbers(model)
    x = _inputs_of(data)
    if not are_arrays(x):
        _check_data_set(model, x)
        return x
    _check_keys(model, x)
    _check_arrays(model, _in_order(model, x))
    check_lengths(data)
    return (x,)


def check_kind(data):
    """Raises `ValueError` unless something can be data for some model: arrays, `(x, y)`, or a data set."""
    if isinstance(data, (str, os.PathLike)):
        raise ValueError(f"Expected data, received the text {data!r}. Load it first: firekeras.datasets.load_dataset.")
    if isinstance(data, tuple) and len(data) > 3:
        raise ValueError(f"Expected (x,), (x, y) or (x, y, sample_weight). Received {short(data)}.")
    if isinstance(data, (list, tuple)) and not data:
        raise ValueError("The data are empty: expected at least one sample.")
    x = _inputs_of(data)
    check_no_numbers(keras.tree.flatten(x))
    if not are_arrays(x):
        _check_comes_in_batches(x)


def _check_reads_numbers(model):
    for tensor in getattr(model, "inputs", ()):
        if keras.backend.standardize_dtype(tensor.dtype) == "string":
            raise ValueError(
                f"The input {tensor.name!r} of the model takes text; data are read as numbers. Prune the part "
                "behind its text layers, a model of its own: keras.Model(ids, outputs)."
            )


def _inputs_of(data):
    """The inputs of arrays `(x, y)`; data in batches unchanged."""
    return data[0] if isinstance(data, tuple) and data else data


def _check_comes_in_batches(data):
    """Raises `ValueError` unless something is a data set: an object that gives batches, and no plain collection."""
    if isinstance(data, NO_BATCHES) or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        raise ValueError(
            f"Expected data: arrays, (x, y), or a data set, as model.fit takes them. Received: {short(data)}."
        )


def check_training_data(model, data, *, labels=True):
    """Raises `ValueError` if rounds cannot be trained, or judged, on some data.

    Args:
        model: The model.
        data: Data as `fit` takes them, by the names of the arguments.
        labels: Whether labels are needed. Defaults to True.
    """
    for name, part in data.items():
        if part is None or is_number(part):
            raise ValueError(
                f"Expected data as {name}: arrays (x, y), or a data set. Received: {part}.{_held_out(part)}"
            )
        _check_repeatable(name, part)
        checked_data(model, part)
        if labels:
            check_labels(model, name, part)
        check_finite(name, part, labels=labels and _has_keras_losses(model))
    _check_same_axes(data)


def _held_out(share):
    return f" {HOLD_OUT}" if is_number(share) else ""


def _check_same_axes(data):
    """Keras takes samples with or without a last axis of size 1, but both in one model only by luck."""
    arrays = {name: keras.tree.flatten(_inputs_of(part)) for name, part in data.items() if are_arrays(part)}
    shapes = {name: [tuple(array.shape[1:]) for array in part] for name, part in arrays.items()}
    if len({tuple(map(len, each)) for each in shapes.values()}) > 1:
        found = ", ".join(f"{name}: {each}" for name, each in shapes.items())
        raise ValueError(
            f"The samples have different numbers of axes ({found}). Give all of them the same: x[..., None] adds one."
        )


def check_finite(name, data, *, labels=True):
    """Raises `ValueError` if arrays hold NaN or infinity, which a ReLU may turn into zeros that nobody notices.

    Args:
        name: The name of the argument: `"train_data"`.
        data: As `fit` takes them. Data in batches are not read.
        labels: Whether labels are looked at too: a loss of the user's own may give NaN a meaning. Defaults to True.
    """
    if not are_arrays(data):
        return
    parts = keras.utils.unpack_x_y_sample_weight(data) if isinstance(data, tuple) else (data, None, None)
    for kind, part in zip(("inputs", "labels", "sample weights"), parts, strict=True):
        if part is not None and (labels or kind != "labels"):
            for array in keras.tree.flatten(part):
                _check_array_finite(name, kind, array)


def _check_array_finite(name, kind, array):
    rows = max(1, AT_ONCE * len(array) // max(1, getattr(array, "nbytes", AT_ONCE)))
    for start in range(0, len(array), rows):
        values = as_numpy(array[start : start + rows])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            wrong = start + int((~np.isfinite(values)).reshape(len(values), -1).any(1).argmax())
            raise ValueError(
                f"The {kind} of `{name}` hold NaN or infinity, first in sample {wrong}. Repair these samples, or leave "
                "them out."
            )


def check_batches(name, data, labels_for=None):
    """The same for data in batches, each of which is read once; with the labels, if a model says what they should be.

    Args:
        name: The name of the argument: `"validation_data"`.
        data: As `fit` takes them. Arrays and endless data are not looked at.
        labels_for: The model that takes the labels. Defaults to None: they are not looked at.
    """
    endless = not ends(data) and not hasattr(data, "element_spec")
    if are_arrays(data) or endless:
        return
    with Pass(data, f"Checking {name}") as read:
        for number, batch in enumerate(batches(data, 1)):
            read.batch()
            _check_batch_finite(name, number, batch)
            if labels_for is not None:
                check_labels(labels_for, name, tuple(part for part in batch if part is not None))
        read.end()


def _check_batch_finite(name, number, batch):
    for array in keras.tree.flatten(batch[0]):
        if not hasattr(array, "dtype"):
            raise ValueError(f"`{name}` must come in batches of arrays, (x, y). Received a batch: {short(batch)}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(
                f"`{name}` hold NaN or infinity, first in batch {number}. Repair these samples, or leave them out."
            )


def as_numpy(array) -> np.ndarray:
    """Any kind of array as a NumPy array."""
    return keras.ops.convert_to_numpy(array) if keras.ops.is_tensor(array) else np.asarray(array)


def _has_keras_losses(model):
    losses = keras.tree.flatten(getattr(model, "loss", None))
    return all(loss is None or isinstance(loss, str) or _module(loss).split(".")[0] == "keras" for loss in losses)


def _module(loss):
    return getattr(loss, "__module__", None) or type(loss).__module__


def check_no_numbers(parts):
    """Raises `ValueError` if data are made of single numbers, as lists of lists are."""
    if parts and isinstance(parts[0], numbers.Number):
        raise ValueError("Expected arrays. Received lists of numbers: convert them to an array, np.asarray(x).")


def _check_repeatable(name, data):
    """Raises `ValueError` if data can be read only once, as those of a generator can."""
    if isinstance(data, Iterator):
        raise ValueError(
            f"`{name}` are read many times, but a {type(data).__name__} can be read only once. Pass arrays, a "
            "keras.utils.PyDataset, a tf.data.Dataset or a torch DataLoader."
        )


def _check_keys(model, x):
    """Arrays by name have the names of the inputs; others Keras refuses once work has begun, in its own words."""
    names = _input_names(model)
    if isinstance(x, Mapping) and not set(names) <= x.keys():
        raise ValueError(
            f"The model takes the inputs {sorted(names)}. Received arrays by the names {sorted(map(str, x))}. "
            f"{_to_name(names)}"
        )


def _to_name(names):
    if len(names) == 1:
        return f"Pass the array alone, or by that name: {{{names[0]!r}: x}}."
    return "Give each array the name of its input."


def _in_order(model, x):
    """A flat list in the order of the inputs, which need not be that of their names."""
    names = _input_names(model)
    by_name = isinstance(x, Mapping) and len(x) == len(names)
    return keras.tree.flatten([x[name] for name in names] if by_name else x)


def _input_names(model):
    """The names by which a model takes its inputs, in their order: the keys, sorted, if they were given as a dict."""
    structure = None if isinstance(model, keras.Sequential) else structures(model)[0]
    if isinstance(structure, dict):
        return keras.tree.flatten({key: key for key in structure})
    return [tensor.name for tensor in model.inputs]


def _check_arrays(model, arrays):
    if len(arrays) != len(model.inputs):
        raise ValueError(
            f"The model has {len(model.inputs)} inputs; the data hold {len(arrays)}. (Pass labels along in a tuple: "
            "(x, y).)"
        )
    for array, tensor in zip(arrays, model.inputs, strict=True):
        if len(array.shape) == 0 or array.shape[0] == 0:
            raise ValueError("The data are empty: expected at least one sample.")
        _check_kind_of(array)
        _check_shape(tuple(array.shape), tensor.shape)
        _check_whole_numbers(array, tensor)
    if len({array.shape[0] for array in arrays}) > 1:
        raise ValueError(f"The inputs hold different numbers of samples: {[a.shape[0] for a in arrays]}.")


def _check_kind_of(array):
    if isinstance(array, np.ndarray) and array.dtype.kind in "SU":
        raise ValueError(f"Expected arrays of numbers. Received text, such as {array.ravel()[:1].tolist()}.")
    if isinstance(array, np.ndarray) and (array.dtype.kind in "cMm" or array.dtype.char == "g"):
        raise ValueError(f"Expected arrays of real numbers, such as float32. Received an array of {array.dtype}.")
    if isinstance(array, np.ndarray) and array.dtype.kind == "O":
        raise ValueError(
            f"Expected arrays of numbers. Received an array of objects of shape {array.shape}: are samples of "
            "different sizes in it? Give all of them one size, and np.stack them."
        )


def _check_shape(shape, expected):
    """Sizes have to match; a last axis of size 1 is optional, as for Keras."""
    if not any(_agree(candidate, expected) for candidate in _with_and_without_last(shape)):
        raise ValueError(
            f"The data do not fit the model: expected samples of shape {expected[1:]}, received {shape[1:]} "
            f"(an array of shape {shape}). {_to_fit(shape, expected)}"
        )


def _to_fit(shape, expected):
    if _agree((1, *shape), expected):
        return "A single sample is a batch of one, x[None]; a tf.data.Dataset has to be batched: dataset.batch(32)."
    return "Reshape or resize them, with the samples along the first axis."


def _check_whole_numbers(array, tensor):
    """Keras would cut fractions off without a word, and make numbers of NaN."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not np.issubdtype(_dtype(tensor), np.integer):
        return
    if not (array == np.trunc(array)).all() or np.isinf(array).any():
        raise ValueError(
            f"The input {tensor.name!r} takes whole numbers, {tensor.dtype}, but the data hold fractions, "
            f"NaN or infinity, from {array.min():g} to {array.max():g}: they would be cut off. Bring the data into the "
            "range that the model was trained on."
        )


def _dtype(tensor):
    name = keras.backend.standardize_dtype(tensor.dtype)
    return np.dtype(name) if hasattr(np, name) else np.dtype("float32")  # bfloat16 is none of NumPy's


def _with_and_without_last(shape):
    return [shape, (*shape, 1), *([shape[:-1]] if shape[-1] == 1 else [])]


def _agree(shape, expected):
    pairs = zip(shape[1:], expected[1:], strict=False)
    return len(shape) == len(expected) and all(a is None or b is None or a == b for a, b in pairs)


def _check_data_set(model, data):
    if num_batches(data) == 0:
        raise ValueError("The data are empty: expected at least one batch.")
    if is_endless(data):
        raise ValueError(f"The data set never ends. Say how many batches to take: {TO_BOUND}.")
    if isinstance(data, keras.utils.PyDataset):
        _check_first_of_numbered(model, data)
        return
    spec = getattr(data, "element_spec", None)
    if spec is None:
        return
    if num_batches(data) is None:
        _check_gives_a_batch(data)
    x = spec[0] if isinstance(spec, tuple) else spec
    _check_keys(model, x)
    for part, tensor in zip(_in_order(model, x), model.inputs, strict=False):
        if part.shape.rank is not None:
            _check_shape(tuple(part.shape), tensor.shape)


def _check_first_of_numbered(model, data):
    """Looks at the first batch of a `PyDataset`, which can be had by its number."""
    x = _inputs_of(data[0]) if data.num_batches else None
    if are_arrays(x):
        _check_keys(model, x)
        _check_arrays(model, _in_order(model, x))


def _check_gives_a_batch(data):
    """Drawn once of each data set: it may have to fill a buffer for shuffling."""
    if data not in _FILLED and next(iter(data), None) is None:
        raise ValueError("The data are empty: expected at least one batch.")
    _FILLED.add(data)


def shuffled_or_share(data, fraction, seed=0):
    """All data for `fraction="auto"`, arrays in random order; else a share of them, as `fraction_of` returns it."""
    if fraction != "auto":
        return fraction_of(data, fraction, seed)
    return ((_chosen_samples(data[0], 1.0, seed, in_order=False),) if isinstance(data, tuple) else data), None


def num_samples(data) -> float:
    """The number of samples: for arrays `(x,)` their length, for anything else infinity."""
    return keras.tree.flatten(data[0])[0].shape[0] if isinstance(data, tuple) else math.inf


def check_fraction(fraction):
    """Raises `ValueError` unless it is a share above 0, or `"auto"`."""
    if fraction != "auto":
        check_share("fraction", fraction, "'auto', or the share of the data to look at", above=0)


def fraction_of(data, fraction, seed=0):
    """A share of the data: a random choice of samples from arrays, the first batches of a data set.

    Returns:
        The data to run through, and how many of its batches to take (None: all).
    """
    check_fraction(fraction)
    if fraction == 1:
        return data, None
    if isinstance(data, tuple):
        return (_chosen_samples(data[0], fraction, seed),), None
    return data, _share_of_batches(data, fraction)


def knows_its_length(data) -> bool:
    """Whether a share of some data can be taken: of arrays, and of data sets that know how many batches they have."""
    return are_arrays(data) or num_batches(data) is not None


def _chosen_samples(x, fraction, seed, in_order=True):
    count = keras.tree.flatten(x)[0].shape[0]
    chosen = np.random.default_rng(seed).permutation(count)[: max(1, round(fraction * count))]
    chosen = np.sort(chosen) if in_order else chosen
    return keras.tree.map_structure(lambda a: np.asarray(a)[chosen], x)


def _share_of_batches(data, fraction):
    batches = num_batches(data)
    if batches is None:
        raise ValueError(
            "fraction needs data of known length: pass arrays, or a data set that knows how many batches it has "
            "(for tf.data: dataset.apply(tf.data.experimental.assert_cardinality(n)))."
        )
    return max(1, round(fraction * batches))
