"""Images and labels from an `.npz` file of a stranger, checked before use: no code runs, memory is bounded."""

from __future__ import annotations

import contextlib
import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from firekeras.datasets.dataset import Dataset
from firekeras.paths import open_regular
from firekeras.refusals import cause

FLOOR, EXPANSION = 64 * 2**20, 100  # an array may unpack to the floor, and to so many times its size in the file
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes; others unpack without bounds
MOST_CLASSES = 2**31
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
IMAGES = NPZ_KEYS[0]
SAVING = f"numpy.savez_compressed(path, {', '.join(f'{key}=...' for key in NPZ_KEYS)})"


def load_npz(path: Path) -> Dataset:
    """The `Dataset` in an `.npz` file."""
    arrays = _read_npz(path)
    x_train, x_test = (_images(path, key, arrays[key]) for key in ("x_train", "x_test"))
    y_train, y_test = (_labels(path, key, arrays[key]) for key in ("y_train", "y_test"))
    _check_lengths(path, "train", x_train, y_train)
    _check_lengths(path, "test", x_test, y_test)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(
            f"{path}: training and test images must have the same size. Received: x_train "
            f"{x_train.shape}, x_test {x_test.shape}. Resize one of them before saving."
        )
    _check_same_kind(path, arrays["x_train"].dtype, arrays["x_test"].dtype)
    return Dataset(x_train, y_train, x_test, y_test)


def load_npz_images(path: Path) -> np.ndarray:
    """The training images in an `.npz` file, whatever else it holds."""
    with _opened(path, (IMAGES,)) as archive:
        images = _read_array(path, archive, IMAGES)
    _check_array(path, IMAGES, images)
    return _images(path, IMAGES, images)


def has_classes(path: Path) -> bool:
    """Whether an `.npz` file has all arrays of a `Dataset`, with class numbers as labels."""
    with _opened(path, ()) as archive:
        return all(key in _names(archive) for key in NPZ_KEYS) and all(
            _are_classes(path, archive, key) for key in ("y_train", "y_test")
        )


def _are_classes(path, archive, key):
    try:
        if len(_header(archive, key)[0]) > 2:  # such as masks, which are not read
            return False
    except Exception:
        return True
    labels = _read_array(path, archive, key)
    _check_array(path, key, labels)
    return _class_numbers(labels) is not None


def check_npz(path: Path, *, labels: bool = True) -> None:
    """Raises `ValueError` if an `.npz` file lacks arrays, or they cannot be read; no value of theirs is read.

    Args:
        path: The file.
        labels: Whether it must be a `Dataset`; if not, training images are enough. Defaults to True.
    """
    keys = NPZ_KEYS if labels else (IMAGES,)
    with _opened(path, keys) as archive:
        for key in keys:
            _check_header(path, archive, key)


@contextlib.contextmanager
def _opened(path, keys=NPZ_KEYS):
    """The archive, once it is known to have arrays of these names."""
    with open_regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:  # a damaged directory makes zipfile raise other errors than its own, too
            raise ValueError(
                f"{path} is not an .npz file, or is truncated ({cause(error)}). Write it again with `{SAVING}`."
            ) from error
        with archive:
            _check_keys(path, _names(archive), keys)
            yield archive


def _read_npz(path):
    with _opened(path) as archive:
        arrays = {key: _read_array(path, archive, key) for key in NPZ_KEYS}
    for key, array in arrays.items():
        _check_array(path, key, array)
    return arrays


def _check_header(path, archive, key):
    try:
        shape, dtype = _header(archive, key)
    except Exception as error:  # NumPy parses it as Python: SyntaxError, TokenError, MemoryError, RecursionError, ...
        raise ValueError(_damaged(path, key, error)) from error
    _check_no_objects(path, key, dtype)
    _check_declared(path, key, archive.getinfo(_member(archive, key)), shape, dtype)


def _read_array(path, archive, key):
    _check_header(path, archive, key)
    try:
        with archive.open(_member(archive, key)) as stream:
            return np.asarray(npy.read_array(stream, allow_pickle=False))
    except Exception as error:  # of zipfile, zlib and NumPy: they share no base class
        raise ValueError(_damaged(path, key, error)) from error


def _damaged(path, key, error):
    return f"{path}: `{key}` is damaged ({cause(error)}). Write the file again with `{SAVING}`."


def _member(archive, key):
    return f"{key}.npy" if f"{key}.npy" in archive.namelist() else key


def _header(archive, key):
    """The declared shape and dtype of an array, none of whose values are read."""
    info = archive.getinfo(_member(archive, key))
    if info.compress_type not in COMPRESSIONS:
        raise ValueError(f"compression of type {info.compress_type}, where numpy.savez_compressed deflates")
    with archive.open(info) as stream:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(stream)]
        shape, _, dtype = read(stream)
        if any(size < 0 for size in shape) or (
            not dtype.hasobject and stream.tell() + math.prod(shape) * dtype.itemsize != info.file_size
        ):
            raise ValueError(f"it declares shape {shape} of {dtype}, which {info.file_size:,} bytes do not hold")
    return shape, dtype


def _check_no_objects(path, key, dtype):
    if dtype.hasobject:
        raise ValueError(
            f"{path}: `{key}` cannot be read. Expected an array of numbers; Python objects are refused because "
            f"unpickling them can run code. Save it as `numpy.asarray({key}, dtype=...)`, with all samples of one "
            "shape."
        )


def _check_declared(path, key, info, shape, dtype):
    if info.file_size > FLOOR + EXPANSION * info.compress_size:
        raise ValueError(
            f"{path}: `{key}` of shape {shape} and type {dtype} unpacks to {info.file_size:,} bytes, more than "
            f"{EXPANSION} times the {info.compress_size:,} that it takes in the file: it is not read. If you trust it, "
            "save it uncompressed, with numpy.savez."
        )


def _check_array(path, key, array):
    if array.dtype.kind not in "buif":
        raise ValueError(
            f"{path}: `{key}` must be an array of numbers. Received dtype {array.dtype}. Save "
            "images as uint8 or float32 and labels as class numbers 0, 1, 2, ..."
        )
    if array.size == 0:
        raise ValueError(f"{path}: `{key}` is empty, shape {array.shape}. Save at least one sample.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            f"{path}: `{key}` has values that are NaN or infinite. Expected finite numbers: remove "
            "or repair those samples."
        )


def _names(archive):
    return [name.removesuffix(".npy") for name in archive.namelist()]


def _check_keys(path, names, keys):
    missing = [key for key in keys if key not in names]
    if missing:
        raise ValueError(
            f"{path}: missing {', '.join(missing)}. It has: {', '.join(names) or 'nothing'}. "
            f"Expected all of {', '.join(NPZ_KEYS)}: save them with `{SAVING}`."
        )


def _images(path, key, images):
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4:
        raise ValueError(
            f"{path}: `{key}` must be images of shape (n, height, width, channels) or "
            f"(n, height, width). Received shape {images.shape}."
        )
    if images.shape[1] in (1, 3) and images.shape[3] not in (1, 3, 4):
        raise ValueError(
            f"{path}: `{key}` looks channels-first, shape {images.shape}. Expected "
            f"(n, height, width, channels): save `numpy.moveaxis({key}, 1, -1)`."
        )
    return images if images.dtype == np.uint8 else _as_float32(path, key, images)


def _as_float32(path, key, images):
    with np.errstate(over="ignore"):
        converted = images.astype("float32")
    if not np.isfinite(converted).all():
        raise ValueError(
            f"{path}: `{key}` has values from {images.min():g} to {images.max():g}, too large for float32. Scale them."
        )
    return converted


def _check_same_kind(path, train, test):
    """Integers are mostly 0..255, floats mostly scaled: together they would be two different data sets."""
    if (train.kind == "f") != (test.kind == "f"):
        raise ValueError(
            f"{path}: x_train is of type {train}, x_test of type {test}, so one of them may be scaled and the other "
            "not. Bring both into the same range, and save both as uint8, or both as float32."
        )


def _labels(path, key, labels):
    numbers = _class_numbers(labels)
    if numbers is None:
        raise ValueError(
            f"{path}: `{key}` must be class numbers 0, 1, 2, ... of shape (n,) or (n, 1), or "
            f"one-hot rows of shape (n, classes). Received dtype {labels.dtype}, "
            f"shape {labels.shape}, values {labels.min()} to {labels.max()}."
        )
    if numbers.max() >= MOST_CLASSES:
        raise ValueError(
            f"{path}: `{key}` must be class numbers 0, 1, 2, ..., below {MOST_CLASSES:,}. Received: {numbers.max():g}."
        )
    return numbers.astype("int64")


def _class_numbers(labels):
    """Labels as class numbers, which may still be too large; None if they are none."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    return None if labels.ndim != 1 or (labels < 0).any() or (labels % 1 != 0).any() else labels


def _is_one_hot(labels):
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _check_lengths(path, part, x, y):
    if len(x) != len(y):
        raise ValueError(
            f"{path}: x_{part} has {len(x)} images and y_{part} has {len(y)} labels. Expected one "
            "label per image, in the same order."
        )
