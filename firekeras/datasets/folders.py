"""Images from folders, one folder per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from firekeras.datasets.dataset import Dataset, draw, split

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TEST_SHARE = 0.2
TEST_FOLDERS = ("test", "val", "validation")


def load_folder(folder: Path, image_size: tuple[int, int] | None, limit: int | None, seed: int) -> Dataset:
    """The `Dataset` of a folder; arguments as of `load_dataset`."""
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
            f"{folder} has no class folders: expected {_layout(folder)}, one folder "
            f"for each of at least two classes, or the same below {folder / 'train'} and "
            f"{folder / 'test'}. It has folders: {', '.join(class_names) or 'none'}."
        )
    files = _labelled_files(folder, class_names)
    train, test = split(np.array([label for _, label in files]), TEST_SHARE, seed)
    return class_names, [files[i] for i in train], [files[i] for i in test]


def _test_folder(folder):
    for name in TEST_FOLDERS:
        if (folder / name).is_dir():
            return folder / name
    raise ValueError(
        f"{folder} has training images but no test images: expected a folder "
        f"{', '.join(TEST_FOLDERS[:-1])} or {TEST_FOLDERS[-1]} beside train. To test on a fifth of "
        f"the images, pass {folder / 'train'} instead."
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
    return [files[i] for i in draw(labels, limit, seed)]


def _layout(folder):
    return f"{folder}/CLASS/*.{{{','.join(s[1:] for s in IMAGE_SUFFIXES)}}}"


def _read_images(paths, image_size):
    first = _read_image(paths[0], image_size)
    images = np.empty((len(paths), *first.shape), "uint8")
    for i, path in enumerate(paths):
        image = _read_image(path, image_size)
        if image.shape != first.shape:
            raise ValueError(
                f"{path} is {_size(image)} pixels, but {paths[0]} is {_size(first)}. Set "
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
    # Pillow would clip deeper images to 255 and leave most of them white
    if mode.startswith(("I", "F")):
        raise ValueError(
            f"{path} has more than 8 bits per channel (Pillow mode {mode!r}). Expected 8 bits: "
            "convert the images, or save them as float32 in an .npz file."
        )


def _size(image):
    return f"{image.shape[0]}x{image.shape[1]}"
