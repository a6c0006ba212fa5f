"""Images from folders, one folder per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firekeras.datasets.dataset import Dataset, draw, split
from firekeras.datasets.images import Form, listed_unreadable, read_images

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TEST_SHARE = 0.2
TEST_FOLDERS = ("test", "val", "validation")


def load_folder(folder: Path, form: Form, limit: int | None, seed: int, skip_unreadable: bool = False) -> Dataset:
    """The `Dataset` of a folder; arguments as of `load_dataset`."""
    if _class_folders(folder / "train"):
        class_names, train, test = _split_folder(folder)
    else:
        class_names, train, test = _unsplit_folder(folder, seed)
    train, test = _limited_files(train, limit, seed), _limited_files(test, limit, seed)
    images, unreadable = read_images([path for path, _ in train + test], form)
    if unreadable:
        train, test = _without(folder, unreadable, train, test, skip_unreadable)
    labels = np.array([label for _, label in train + test], "int64")
    n = len(train)
    skipped = tuple(path for path, _ in unreadable)
    return Dataset(images[:n], labels[:n], images[n:], labels[n:], class_names, skipped)


def _without(folder, unreadable, train, test, skip_unreadable):
    """The files that can be read; refused unless the others may be skipped, and leave something of everything."""
    found = listed_unreadable(unreadable, len(train) + len(test))
    if not skip_unreadable:
        raise ValueError(f"{folder}: {found} Replace or remove them, or skip them with `skip_unreadable`.")
    gone = {path for path, _ in unreadable}
    left = [[(path, label) for path, label in part if path not in gone] for part in (train, test)]
    if not left[1] or {label for _, label in left[0]} != {label for _, label in train}:
        raise ValueError(f"{folder}: {found} Without them nothing is left of a class, or of the test images.")
    return left


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
    if len(class_names) == 1 and class_names[0].lower() not in split_names:
        raise ValueError(
            f"{folder} has one class folder, {class_names[0]}. Expected at least two: {_layout(folder)}, one for each "
            "class."
        )
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
