"""Synthetic images, for when there are no real ones."""

from __future__ import annotations

import numpy as np

from firekeras.arguments import typed
from firekeras.refusals import check_one_of, checked_whole

SYNTHETIC = ("pink", "noise")


@typed
def synthetic_images(shape: tuple[int, ...], count: int, *, kind: str = "pink", seed: int = 0) -> np.ndarray:
    """Makes random images, to measure FIRE on when there are no data (FIREPruning, section 3.3.2).

    Args:
        shape: Shape of one image, `(height, width, channels)`.
        count: How many.
        kind: `"pink"`, whose power falls with the square of the frequency, as in photographs
            (Field 1987), each image with its own brightness and contrast; or `"noise"`, independent
            pixels. Defaults to `"pink"`.
        seed: Seed of the random numbers. Defaults to 0.

    Returns:
        float32 array `(count, *shape)` of values from 0 to 255.

    Raises:
        ValueError: If `kind` is unknown.

    Example:
    >>> images = firekeras.datasets.synthetic_images((32, 32, 3), 10)
    >>> images.shape
    (10, 32, 32, 3)
    """
    check_one_of("kind", kind, SYNTHETIC)
    checked_whole("count", count, 1)
    checked_whole("seed", seed, 0)
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
