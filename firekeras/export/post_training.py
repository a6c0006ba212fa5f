"""8-bit whole numbers after training: LiteRT's converter sees from samples which values occur."""

from __future__ import annotations

import numpy as np

from firekeras.export.runtimes.litert import LiteRT

CALIBRATED = 300


def settings(samples, to) -> dict:
    """What Keras hands to LiteRT's converter, the samples left out.

    Raises:
        ValueError: If there are no samples, or the format is not LiteRT.
    """
    if to != "litert":
        raise ValueError(f"int8 is for to='litert'. Received: to={to!r}.")
    if samples is None:
        raise ValueError(
            "int8 needs `samples`: a few hundred training inputs, from which it learns which values occur. Received "
            "none, and random ones would teach it wrong ranges."
        )
    import tensorflow as tf

    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
    }


def calibration(samples):
    """Up to 300 samples, drawn evenly, one by one, as the converter asks for them.

    Args:
        samples: By the names of the model's inputs, `(n, ...)` each.
    """
    count = len(next(iter(samples.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(CALIBRATED, count)).astype(int))

    def batches():
        for k in chosen:
            yield {name: array[k : k + 1] for name, array in samples.items()}

    return batches


def check_whole_numbers(path):
    """Raises `ValueError` where a convolution or dense layer of a `.tflite` file still computes in floats."""
    floating = LiteRT(path).floating_layers()
    if floating:
        raise ValueError(f"Not int8 throughout: {', '.join(floating[:5])} still compute in floats.")
