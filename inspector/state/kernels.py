"""Kernels and maps as flat pictures."""

from __future__ import annotations

import math

import numpy as np

MOST_TILES = 256  # more could not be distinguished


def flat_map(rates: np.ndarray) -> np.ndarray:
    """A filter's map as a picture `(rows, columns)`; further axes in front are averaged."""
    if rates.ndim < 2:
        return rates.reshape(1, -1)
    return rates.reshape(-1, *rates.shape[-2:]).mean(axis=0)


def kernel_picture(kernel: np.ndarray) -> np.ndarray:
    """A filter's kernel `(*taps, inputs)` as tiles, one per input, with gaps of NaN between."""
    taps = kernel.reshape(-1, *kernel.shape[-3:]) if kernel.ndim > 3 else kernel.reshape(1, *_padded(kernel.shape))
    tiles = np.moveaxis(taps.mean(axis=0), -1, 0)[:MOST_TILES]
    count, height, width = tiles.shape
    across = math.ceil(math.sqrt(count * height / width))
    down = math.ceil(count / across)
    picture = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, across)
        picture[row * (height + 1) :, column * (width + 1) :][:height, :width] = tile
    return picture


def _padded(shape):
    """Gives taps two axes: a Dense layer has none, a one-dimensional convolution one."""
    return (*[1] * (3 - len(shape)), *shape)
