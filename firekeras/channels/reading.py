"""How a layer reads channels and mixes them: its rule says so, and whoever asks what a removed channel is missed by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a layer mixes the channels that it reads.

    Args:
        layer: The layer, inside its wrappers.
        axis: The axis of the channels of its input.
        kernels: The weights that read, each with the axis that runs along what it reads.
        back: Weights by which it reads what it made itself, one step later, in the same way.
        strengths: A function without arguments that says how strongly each output depends on each channel: squared
            weights, summed, `(channels, outputs)`. None if outputs are no weighted sums of channels.
        linear: Whether the layer, built with a part of the channels and without bias and activation, gives what
            these add to its outputs.
    """

    layer: keras.Layer
    axis: int
    kernels: tuple
    back: tuple = ()
    strengths: Callable[[], np.ndarray] | None = None
    linear: bool = False


def squared(kernel, axis=-2) -> np.ndarray:
    """Squared weights, summed over all but the last two axes, in float64, `(channels, outputs)`.

    Args:
        kernel: A variable whose last two axes are channels and outputs.
        axis: Which of them is that of the channels, -2 or -1. Defaults to -2.
    """
    values = keras.ops.convert_to_numpy(kernel).astype("float64")
    sums = np.square(values).sum(axis=tuple(range(values.ndim - 2)))
    return sums if axis == -2 else sums.T
