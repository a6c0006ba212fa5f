"""A data set in memory, and stratified samples of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firekeras.arguments import typed
from firekeras.refusals import check_share, checked_whole


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, split into training and test.

    Args:
        x_train: Training images, uint8 or float32 `(images, height, width, channels)`.
        y_train: Their classes, int64 `(images,)`, counted from 0.
        x_test: Test images, as `x_train`.
        y_test: Their classes, as `y_train`.
        class_names: The name of each class, where the source has names. Defaults to `None`.
        skipped: The image files that could not be read, and were skipped on request. Defaults to none.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...] | None = None
    skipped: tuple[Path, ...] = ()


@typed
def hold_out(
    dataset: Dataset, share: float = 0.1, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Splits a validation part off the training data, each class in proportion.

    The test data are not involved, so no decision ever sees them.

    Args:
        dataset: A `Dataset`. It is not changed.
        share: Share of the training images to hold out, above 0 and below 1. At least one image
            is held out, and at least one is left. Defaults to `0.1`.
        seed: Determines which images are held out. Defaults to `0`.

    Returns:
        `(x_train, y_train, x_val, y_val)`.

    Raises:
        ValueError: If `share` is not between 0 and 1, or there are fewer than two training images.

    Example:
    >>> digits = firekeras.datasets.load_dataset("digits")
    >>> x_train, y_train, x_val, y_val = firekeras.datasets.hold_out(digits, share=0.2)
    >>> len(x_train), len(x_val)
    (1150, 288)
    """
    check_share("share", share, "a share such as 0.1, for a tenth", above=0, below=1)
    checked_whole("seed", seed, 0)
    x, y = dataset.x_train, dataset.y_train
    if len(y) < 2:
        raise ValueError(f"Holding out validation data takes at least two training images. Received: {len(y)}.")
    train, held_out = split(y, share, seed)
    return x[train], y[train], x[held_out], y[held_out]


def draw(labels, count, seed):
    """Positions of `count` random samples, ascending, each class in proportion."""
    # Not scikit-learn's StratifiedShuffleSplit: it refuses classes of one image, and parts with fewer images than there
    # are classes.
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    quantile = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        quantile[members] = (np.arange(len(members)) + 0.5) / len(members)
    by_quantile = shuffled[np.argsort(quantile[shuffled], kind="stable")]
    return np.sort(by_quantile[:count])


def split(labels, share, seed):
    """Positions of the rest and of a stratified share: at least one each."""
    count = min(max(1, round(share * len(labels))), len(labels) - 1)
    drawn = draw(labels, count, seed)
    return np.setdiff1d(np.arange(len(labels)), drawn), drawn


def limited(dataset: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` training images, and as many test images; all if it is None."""
    if limit is None:
        return dataset
    train = draw(dataset.y_train, limit, seed)
    test = draw(dataset.y_test, limit, seed)
    return dataclasses.replace(
        dataset,
        x_train=dataset.x_train[train],
        y_train=dataset.y_train[train],
        x_test=dataset.x_test[test],
        y_test=dataset.y_test[test],
    )
