"""How a layer reads and mixes channels: declared by its rule, used wherever the effect of a removed channel matters."""

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
        axis: The channel axis of its input.
        kernels: The weights that read, each with the axis along the channels that it reads.
        back: Likewise for weights that read the layer's own output one step later.
        strengths: A function without arguments that returns how strongly each output depends on each channel:
            squared weights, summed, `(channels, outputs)`. None if outputs are not weighted sums of channels.
        linear: Whether the layer, built on a subset of the channels without bias and activation, returns their
            contribution to its outputs.
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
        axis: The axis of the channels, -2 or -1. Defaults to -2.
    """
    values = keras.ops.convert_to_numpy(kernel).astype("float64")
    sums = np.square(values).sum(axis=tuple(range(values.ndim - 2)))
    return sums if axis == -2 else sums.T
