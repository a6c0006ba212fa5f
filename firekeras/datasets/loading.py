"""What the command line accepts as data: a name, an `.npz` file, or a folder of images."""

from __future__ import annotations

import os

import numpy as np

from firekeras.arguments import typed
from firekeras.datasets.dataset import Dataset, limited, split
from firekeras.datasets.folders import TEST_SHARE, load_folder
from firekeras.datasets.images import MAX_PIXELS, MODES, Form
from firekeras.datasets.npz import NPZ_KEYS, check_npz, load_npz
from firekeras.paths import as_path
from firekeras.refusals import SIMILAR, check_one_of, checked_whole, nearest

BUILT_IN = ("digits",)


@typed
def load_dataset(
    source: str | os.PathLike,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip_unreadable: bool = False,
) -> Dataset:
    """Loads images and labels from a name, an `.npz` file or an image folder.

    A folder holds `train/CLASS/` and `test/CLASS/` (or `val`, or `validation`; the first that
    exists is used), or `CLASS/` alone, of which a stratified fifth becomes the test data. Its
    images may be PNG, JPEG, BMP or WebP, and are read as uint8, 0 to 255; `firekeras.datasets.scaled`
    brings them into another range.

    Args:
        source: `"digits"` (scikit-learn's handwritten digits: 8x8 pixels, values 0..16, comes with
            scikit-learn); or the path of an `.npz` file with arrays `x_train`, `y_train`, `x_test`
            and `y_test`; or the path of an image folder. Labels in an `.npz` are class numbers
            `(n,)` or `(n, 1)`, or one-hot rows; images without a channel axis get one.
        image_size: Height and width in pixels to resize the images of a folder to. Defaults to
            `None`: they must all have the same size.
        channels: Channels of the images of a folder: 1 (grey), 3 (RGB), or 2 and 4 with alpha, which is
            dropped otherwise. Defaults to `None`: 1 if all of them are grey, else 3.
        limit: At most this many training images, and at most this many test images, classes in
            proportion. Defaults to `None`, all of them.
        seed: Determines which images a split or `limit` draws. Defaults to `0`.
        skip_unreadable: Whether images of a folder that cannot be read are left out, and listed in
            `Dataset.skipped`. Defaults to `False`: they are refused, all together.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If the source is none of these, or is damaged or inconsistent; or if it would take far more
            memory than its size explains.

    Example:
    >>> dataset = firekeras.datasets.load_dataset("digits")
    >>> dataset.x_train.shape, dataset.x_test.shape
    ((1438, 8, 8, 1), (359, 8, 8, 1))
    """
    _check_image_size(image_size)
    if channels is not None:
        check_one_of("channels", channels, MODES)
    if limit is not None:
        limit = checked_whole("limit", limit, 1)
    checked_whole("seed", seed, 0)
    check_source(source)
    path = as_path(source)
    if str(source) == "digits":
        dataset = _load_digits(seed)
    elif path.is_dir():
        return load_folder(path, Form(image_size, channels), limit, seed, skip_unreadable)
    else:
        dataset = load_npz(path)
    _check_already_sized(source, dataset, image_size)
    return limited(dataset, limit, seed)


def check_source(source: str | os.PathLike, *, labels: bool = True) -> None:
    """Raises `ValueError`, before anything large is read, unless a source is a name, a folder or a good `.npz` file.

    Args:
        source: As `load_dataset` takes it.
        labels: Whether labels are needed: without, an `.npz` file may hold training images only. Defaults to True.
    """
    path = as_path(source)
    if str(source) in BUILT_IN or path.is_dir():
        return
    if not path.is_file() or path.suffix.lower() != ".npz":
        raise ValueError(_unknown_source(source, path))
    check_npz(path, labels=labels)


def _load_digits(seed):
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            'The digits come with scikit-learn, which is not installed: pip install "firekeras[detector]".'
        ) from error
    digits = load_digits()
    x = digits.images[..., np.newaxis].astype("float32")
    y = digits.target.astype("int64")
    train, test = split(y, TEST_SHARE, seed)
    return Dataset(x[train], y[train], x[test], y[test], tuple("0123456789"))


def _check_image_size(image_size):
    if image_size is None:
        return
    pair = tuple(image_size) if np.iterable(image_size) else ()
    if len(pair) != 2 or any(not isinstance(n, int) or n < 1 for n in pair) or pair[0] * pair[1] > MAX_PIXELS:
        raise ValueError(
            "`image_size` must be (height, width), two whole numbers of pixels of at least 1, and at most "
            f"{MAX_PIXELS:,} pixels in total. Received: {image_size!r}."
        )


def _check_already_sized(source, dataset, image_size):
    size = dataset.x_train.shape[1:3]
    if image_size is not None and tuple(image_size) != size:
        raise ValueError(
            f"`image_size` resizes image folders only. The images of {source} are "
            f"{size[0]}x{size[1]} pixels; received image_size={tuple(image_size)}. Leave it out, "
            "or resize the arrays before saving them."
        )


def _unknown_source(source, path):
    received = f"a {path.suffix or 'plain'} file" if path.is_file() else "no such name or path"
    received = "a pipe or a device" if path.exists() and not path.is_file() else received
    return (
        f"Unknown data source {str(source)!r} ({received}).{_near(path)} Expected "
        f"{' or '.join(repr(name) for name in BUILT_IN)}, the path of an .npz file with "
        f"{', '.join(NPZ_KEYS)}, or the path of a folder of images: FOLDER/CLASS/IMAGE, or "
        "FOLDER/train/CLASS/IMAGE and FOLDER/test/CLASS/IMAGE."
    )


def _near(path):
    """What was probably meant: the folder and the ending, which many share, do not count."""
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    stems = {p.stem: str(p) for p in beside if p.is_dir() or p.suffix.lower() == ".npz"}
    near = nearest(path.stem, [*BUILT_IN, *stems], SIMILAR)
    return f" Did you mean {stems.get(near, near)!r}?" if near else ""
