"""8-bit integers after training: LiteRT's converter finds the ranges of values from samples."""

from __future__ import annotations

import numpy as np

from firekeras.export.runtimes.litert import LiteRT

CALIBRATED = 300


def settings(samples, to) -> dict:
    """Settings that Keras passes to LiteRT's converter, without the samples.

    Raises:
        ValueError: If there are no samples, or the format is not LiteRT.
    """
    if to != "litert":
        raise ValueError(f"int8 is for to='litert'. Received: to={to!r}.")
    if samples is None:
        raise ValueError(
            "int8 needs `samples`: a few hundred training inputs, which determine the ranges of values. Received "
            "none, and random ones would give wrong ranges."
        )
    import tensorflow as tf

    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
    }


def calibration(samples):
    """Up to 300 evenly spaced samples, one by one, as the converter requests them.

    Args:
        samples: Arrays `(n, ...)` by the names of the model's inputs.
    """
    count = len(next(iter(samples.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(CALIBRATED, count)).astype(int))

    def batches():
        for k in chosen:
            yield {name: array[k : k + 1] for name, array in samples.items()}

    return batches


def check_whole_numbers(path):
    """Raises `ValueError` if a convolution or dense layer of a `.tflite` file still computes in floats."""
    floating = LiteRT(path).floating_layers()
    if floating:
        raise ValueError(f"Not int8 throughout: {', '.join(floating[:5])} still compute in floats.")
