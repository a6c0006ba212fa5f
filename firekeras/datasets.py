"""What the command line accepts as data: a name, an `.npz` file, or a folder of images."""

from __future__ import annotations

import difflib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

BUILT_IN = ("digits",)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TEST_SHARE = 0.2
TEST_FOLDERS = ("test", "val", "validation")
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
SAVING = f"numpy.savez_compressed(path, {', '.join(f'{key}=...' for key in NPZ_KEYS)})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, split into training and test.

    Args:
        x_train: Training images, uint8 or float32 `(images, height, width, channels)`.
        y_train: Their classes, int64 `(images,)`, counted from 0.
        x_test: Test images, as `x_train`.
        y_test: Their classes, as `y_train`.
        class_names: The name of each class, where the source has names. Defaults to `None`.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...] | None = None


def load_dataset(source, *, image_size=None, limit=None, seed=0) -> Dataset:
    """Loads images and labels from a name, an `.npz` file or an image folder.

    A folder holds `train/CLASS/` and `test/CLASS/` (or `val`, or `validation`; the first that
    exists is used), or `CLASS/` alone, of which a stratified fifth becomes the test data. Its
    images may be PNG, JPEG, BMP or WebP, and are converted to RGB.

    Args:
        source: `"digits"` (scikit-learn's handwritten digits: 8x8 pixels, values 0..16, comes with
            scikit-learn); or the path of an `.npz` file with arrays `x_train`, `y_train`, `x_test`
            and `y_test`; or the path of an image folder. Labels in an `.npz` are class numbers
            `(n,)` or `(n, 1)`, or one-hot rows; images without a channel axis get one.
        image_size: Height and width in pixels to resize the images of a folder to. Defaults to
            `None`: they must all have the same size.
        limit: At most this many training images, and at most this many test images, classes in
            proportion. Defaults to `None`, all of them.
        seed: Decides which images are drawn where a split or `limit` draws some. Defaults to `0`.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If the source is none of these, or is damaged or inconsistent.

    Example:
    >>> dataset = load_dataset("digits")
    >>> dataset.x_train.shape, dataset.x_test.shape
    ((1438, 8, 8, 1), (359, 8, 8, 1))
    """
    _check_image_size(image_size)
    _check_limit(limit)
    path = Path(source)
    if str(source) == "digits":
        dataset = _load_digits(seed)
    elif path.is_dir():
        return _load_folder(path, image_size, limit, seed)
    elif path.is_file() and path.suffix.lower() == ".npz":
        dataset = _load_npz(path)
    else:
        raise ValueError(_unknown_source(source, path))
    _check_already_sized(source, dataset, image_size)
    return _limited(dataset, limit, seed)


def hold_out(dataset, share=0.1, seed=0):
    """Splits a validation part off the training data, each class in proportion.

    The test data take no part in it, so that they stay unseen by every decision.

    Args:
        dataset: A `Dataset`, which is left as it is.
        share: Share of the training images to hold out, above 0 and below 1. At least one image
            is held out, and at least one stays. Defaults to `0.1`.
        seed: Decides which images are held out. Defaults to `0`.

    Returns:
        `(x_train, y_train, x_val, y_val)`.

    Raises:
        ValueError: If `share` is not between 0 and 1, or there are fewer than two training images.

    Example:
    >>> x_train, y_train, x_val, y_val = hold_out(load_dataset("digits"), share=0.2)
    >>> len(x_train), len(x_val)
    (1150, 288)
    """
    if not 0 < share < 1:
        raise ValueError(f"`share` must be above 0 and below 1, such as 0.1 for a tenth. Received: {share!r}.")
    x, y = dataset.x_train, dataset.y_train
    if len(y) < 2:
        raise ValueError(f"Holding out validation data takes at least two training images. Received: {len(y)}.")
    train, held_out = _split(y, share, seed)
    return x[train], y[train], x[held_out], y[held_out]


# Stratified choice


def _draw(labels, count, seed):
    """Positions of `count` random samples, classes in proportion, ascending."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    quantile = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        quantile[members] = (np.arange(len(members)) + 0.5) / len(members)
    by_quantile = shuffled[np.argsort(quantile[shuffled], kind="stable")]
    return np.sort(by_quantile[:count])


def _split(labels, share, seed):
    """Positions that stay, and those of a stratified share: at least one each."""
    count = min(max(1, round(share * len(labels))), len(labels) - 1)
    drawn = _draw(labels, count, seed)
    return np.setdiff1d(np.arange(len(labels)), drawn), drawn


def _limited(dataset, limit, seed):
    if limit is None:
        return dataset
    train = _draw(dataset.y_train, limit, seed)
    test = _draw(dataset.y_test, limit, seed)
    return Dataset(
        dataset.x_train[train],
        dataset.y_train[train],
        dataset.x_test[test],
        dataset.y_test[test],
        dataset.class_names,
    )


# Digits


def _load_digits(seed):
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = digits.images[..., np.newaxis].astype("float32")
    y = digits.target.astype("int64")
    train, test = _split(y, TEST_SHARE, seed)
    return Dataset(x[train], y[train], x[test], y[test], tuple("0123456789"))


# .npz files


def _load_npz(path):
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
        raise ValueError(f"{path} is not an .npz file, or is cut short. Write it anew with `{SAVING}`.")
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
        raise ValueError(f"{path}: `{key}` is damaged ({error}). Write the file anew with `{SAVING}`.") from error
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


# Image folders


def _load_folder(folder, image_size, limit, seed):
    if _class_folders(folder / "train"):
        class_names, train, test = _split_folder(folder)
    else:
        class_names, train, test = _unsplit_folder(folder, seed)
    train, test = _limited_files(train, limit, seed), _limited_files(test, limit, seed)
    images = _read_images([path for path, _ in train + test], image_size)
    labels = np.array([label for _, label in train + test], "int64")
    n = len(train)
    return Dataset(images[:n], labels[:n], images[n:], labels[n:], class_names)


def _split_folder(folder):
    test_folder = _test_folder(folder)
    class_names = tuple(f.name for f in _class_folders(folder / "train"))
    unknown = [f for f in _class_folders(test_folder) if f.name not in class_names]
    if unknown:
        raise ValueError(
            f"{unknown[0]}: class {unknown[0].name!r} is not among the training classes: "
            f"{', '.join(class_names)}. Rename or remove the folder, or add training images."
        )
    train = _labelled_files(folder / "train", class_names)
    test = [(path, label) for label, name in enumerate(class_names) for path in _image_files(test_folder / name)]
    if not test:
        raise ValueError(f"{test_folder} holds no images. Expected {_layout(test_folder)}.")
    return class_names, train, test


def _unsplit_folder(folder, seed):
    class_names = tuple(f.name for f in _class_folders(folder))
    split_names = {"train", *TEST_FOLDERS}
    if len(class_names) < 2 or {name.lower() for name in class_names} <= split_names:
        raise ValueError(
            f"{folder} has no class folders to learn from: expected {_layout(folder)}, one folder "
            f"for each of at least two classes, or the same below {folder / 'train'} and "
            f"{folder / 'test'}. It has folders: {', '.join(class_names) or 'none'}."
        )
    files = _labelled_files(folder, class_names)
    train, test = _split(np.array([label for _, label in files]), TEST_SHARE, seed)
    return class_names, [files[i] for i in train], [files[i] for i in test]


def _test_folder(folder):
    for name in TEST_FOLDERS:
        if (folder / name).is_dir():
            return folder / name
    raise ValueError(
        f"{folder} has training images but no test images: expected a folder "
        f"{', '.join(TEST_FOLDERS[:-1])} or {TEST_FOLDERS[-1]} beside train. To have a fifth of "
        f"the images taken for testing, give {folder / 'train'} instead."
    )


def _class_folders(folder):
    if not folder.is_dir():
        return []
    hidden = (".", "__")
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(hidden))


def _image_files(folder):
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith("."))


def _labelled_files(folder, class_names):
    labelled = []
    for label, name in enumerate(class_names):
        files = _image_files(folder / name)
        if not files:
            raise ValueError(
                f"{folder / name} holds no images. Expected {_layout(folder)}: add images of class "
                f"{name!r}, or remove the folder."
            )
        labelled += [(path, label) for path in files]
    return labelled


def _limited_files(files, limit, seed):
    if limit is None:
        return files
    labels = np.array([label for _, label in files])
    return [files[i] for i in _draw(labels, limit, seed)]


def _layout(folder):
    return f"{folder}/CLASS/*.{{{','.join(s[1:] for s in IMAGE_SUFFIXES)}}}"


def _read_images(paths, image_size):
    first = _read_image(paths[0], image_size)
    images = np.empty((len(paths), *first.shape), "uint8")
    for i, path in enumerate(paths):
        image = _read_image(path, image_size)
        if image.shape != first.shape:
            raise ValueError(
                f"{path} is {_size(image)} pixels, but {paths[0]} is {_size(first)}. Give "
                "`image_size` (height, width) to resize all images to one size."
            )
        images[i] = image
    return images


def _read_image(path, image_size):
    image = _decode(path)
    _check_8_bits(path, image.mode)
    rgb = image.convert("RGB")
    if image_size is not None:
        height, width = image_size
        rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(rgb)


def _decode(path):
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}). Replace it, or remove it.") from error
    return image


def _check_8_bits(path, mode):
    # Pillow would clip deeper images to 255, which leaves most of them white
    if mode.startswith(("I", "F")):
        raise ValueError(
            f"{path} has more than 8 bits per channel (Pillow mode {mode!r}). Expected 8 bits: "
            "convert the images, or save them as float32 in an .npz file."
        )


def _size(image):
    return f"{image.shape[0]}x{image.shape[1]}"


# Arguments


def _check_image_size(image_size):
    if image_size is None:
        return
    pair = tuple(image_size) if np.iterable(image_size) else ()
    if len(pair) != 2 or any(not isinstance(n, int) or n < 1 for n in pair):
        raise ValueError(
            "`image_size` must be (height, width), two whole numbers of pixels of at least 1. "
            f"Received: {image_size!r}."
        )


def _check_already_sized(source, dataset, image_size):
    size = dataset.x_train.shape[1:3]
    if image_size is not None and tuple(image_size) != size:
        raise ValueError(
            f"`image_size` resizes image folders only. The images of {source} are "
            f"{size[0]}x{size[1]} pixels; received image_size={tuple(image_size)}. Leave it out, "
            "or resize the arrays before saving them."
        )


def _check_limit(limit):
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"`limit` must be a whole number of at least 1. Received: {limit!r}.")


def _unknown_source(source, path):
    received = f"a {path.suffix or 'plain'} file" if path.is_file() else "no such name or path"
    near = difflib.get_close_matches(str(source).lower(), BUILT_IN + _neighbours(path), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"Unknown data source {str(source)!r} ({received}).{hint} Expected "
        f"{' or '.join(repr(name) for name in BUILT_IN)}, the path of an .npz file with "
        f"{', '.join(NPZ_KEYS)}, or the path of a folder of images: FOLDER/CLASS/IMAGE, or "
        "FOLDER/train/CLASS/IMAGE and FOLDER/test/CLASS/IMAGE."
    )


def _neighbours(path):
    if not path.parent.is_dir():
        return ()
    near = (p for p in path.parent.iterdir() if p.is_dir() or p.suffix.lower() == ".npz")
    return tuple(str(p) for p in near)


SYNTHETIC = ("pink", "noise")


def synthetic_images(shape, count, *, kind="pink", seed=0) -> np.ndarray:
    """Images made of random numbers, to measure FIRE where there is no data (FIREPruning, section 3.3.2).

    Args:
        shape: Shape of one image, `(height, width, channels)`.
        count: How many.
        kind: `"pink"`, whose power falls with the square of the frequency as that of photographs does
            (Field 1987), each with a brightness and contrast of its own; or `"noise"`, independent
            pixels. Defaults to `"pink"`.
        seed: Decides all that is drawn.

    Returns:
        float32 array `(count, *shape)` of values from 0 to 255.

    Raises:
        ValueError: If `kind` is another one.

    Example:
    >>> profile = firekeras.measure_fire(model, synthetic_images((32, 32, 3), 1000))
    """
    if kind not in SYNTHETIC:
        raise ValueError(f"kind is one of {SYNTHETIC}. Received: {kind!r}.")
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.uniform(0, 255, (count, *shape)).astype("float32")
    return np.clip(_brightness(rng, count) + _pink(rng, (count, *shape)), 0, 255).astype("float32")


def _brightness(rng, count):
    return rng.uniform(60, 190, (count, 1, 1, 1))


def _pink(rng, shape):
    """Noise of standard deviation 20 to 80 per image; the colours of a pixel agree for the most part."""
    count, height, width, channels = shape
    vertical, horizontal = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")
    frequency = np.hypot(vertical, horizontal)
    frequency[0, 0] = np.inf  # the mean is drawn by itself
    white = rng.normal(size=(count, 1, height, width)) + 0.4 * rng.normal(size=(count, channels, height, width))
    waves = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
    waves /= waves.std(axis=(1, 2, 3), keepdims=True)
    return rng.uniform(20, 80, (count, 1, 1, 1)) * np.moveaxis(waves, 1, -1)
