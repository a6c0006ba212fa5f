"""Images in the range of values that a network was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from firekeras.arguments import typed
from firekeras.datasets.dataset import Dataset
from firekeras.refusals import check_number


@typed
def scaled(
    dataset: Dataset,
    scale: float | None = None,
    *,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
) -> Dataset:
    """Brings images into the range of values that a network was trained on: `(x * scale - mean) / std`.

    A network with a layer that rescales, such as `keras.layers.Rescaling`, takes the images as they are.

    Args:
        dataset: A `Dataset`. It is not changed.
        scale: What each value is multiplied by first: `1 / 255` brings 0..255 to 0..1. Defaults to `None`: 1.
        mean: What is subtracted then, one number, or one per channel. Defaults to `None`: 0.
        std: What the result is divided by, one number, or one per channel. Defaults to `None`: 1.

    Returns:
        The `Dataset` with float32 images; itself if nothing is to be done.

    Raises:
        ValueError: If a number is not finite, `scale` or `std` is 0, or there are other than one number or one per
            channel.

    Example:
    >>> digits = firekeras.datasets.load_dataset("digits")
    >>> float(firekeras.datasets.scaled(digits, 1 / 16).x_train.max())
    1.0
    """
    if scale is None and mean is None and std is None:
        return dataset
    x_train, x_test = (scaled_images(x, scale, mean, std) for x in (dataset.x_train, dataset.x_test))
    return dataclasses.replace(dataset, x_train=x_train, x_test=x_test)


def scaled_images(
    x: np.ndarray,
    scale: float | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
) -> np.ndarray:
    """Images `(n, height, width, channels)` in another range; the other arguments as of `scaled`."""
    factor = _numbers("scale", 1.0 if scale is None else scale, 1, zero=False)
    shift = _numbers("mean", 0.0 if mean is None else mean, x.shape[-1])
    divisor = _numbers("std", 1.0 if std is None else std, x.shape[-1], zero=False)
    x = x.astype("float32")
    x *= factor / divisor
    x -= shift / divisor
    return x


def _numbers(name, given, channels, zero=True):
    values = list(given) if np.iterable(given) and not isinstance(given, str) else [given]
    for value in values:
        check_number(name, value)
        if not zero and value == 0:
            raise ValueError(f"{name} must not be 0. Received: {given!r}.")
    if len(values) not in (1, channels):
        raise ValueError(f"{name} is one number, or one for each of {channels} channels. Received: {given!r}.")
    return np.array(values, "float32")
