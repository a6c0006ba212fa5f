"""Images and labels from an `.npz` file, checked before use."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from firekeras.datasets.dataset import Dataset

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
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
    return Dataset(x_train, y_train, x_test, y_test)


def _read_npz(path):
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz file, or is truncated. Write it again with `{SAVING}`.")
    with np.load(path, allow_pickle=False) as file:
        _check_keys(path, file.files)
        arrays = {key: _read_array(path, file, key) for key in NPZ_KEYS}
    for key, array in arrays.items():
        _check_array(path, key, array)
    return arrays


def _read_array(path, file, key):
    try:
        return np.asarray(file[key])
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: `{key}` is damaged ({error}). Write the file again with `{SAVING}`.") from error
    except ValueError as error:
        raise ValueError(
            f"{path}: `{key}` cannot be read ({error}). Expected an array of numbers; Python "
            "objects are refused because unpickling them can run code. Save it as "
            f"`numpy.asarray({key}, dtype=...)`, with all samples of one shape."
        ) from error


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


def _check_keys(path, keys):
    missing = [key for key in NPZ_KEYS if key not in keys]
    if missing:
        raise ValueError(
            f"{path}: missing {', '.join(missing)}. It has: {', '.join(keys) or 'nothing'}. "
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
    return images if images.dtype == np.uint8 else images.astype("float32")


def _labels(path, key, labels):
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.ndim != 1 or (labels < 0).any() or (labels % 1 != 0).any():
        raise ValueError(
            f"{path}: `{key}` must be class numbers 0, 1, 2, ... of shape (n,) or (n, 1), or "
            f"one-hot rows of shape (n, classes). Received dtype {labels.dtype}, "
            f"shape {labels.shape}, values {labels.min()} to {labels.max()}."
        )
    return labels.astype("int64")


def _is_one_hot(labels):
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _check_lengths(path, part, x, y):
    if len(x) != len(y):
        raise ValueError(
            f"{path}: x_{part} has {len(x)} images and y_{part} has {len(y)} labels. Expected one "
            "label per image, in the same order."
        )
