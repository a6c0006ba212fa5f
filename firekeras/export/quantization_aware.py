"""Training that knows of int8: TF-MOT's quantisation-aware training on a Keras 3 model, out as a LiteRT file."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np

from firekeras import atomic
from firekeras.export import tfmot
from firekeras.export.bridge import Bridge
from firekeras.export.exporting import Export, check_close, check_path, size_of
from firekeras.export.formats import FORMATS
from firekeras.export.keeping import quantized
from firekeras.export.verification import VERIFIED, compare, samples_of

# what TF-MOT merges with a BatchNormalization behind it
BEFORE_NORMALISATION = ("Conv2D", "DepthwiseConv2D", "Dense", "SeparableConv1D", "SeparableConv2D")
SPLIT = ("SeparableConv1D", "SeparableConv2D", "InputLayer")  # TF-MOT takes these to pieces, or knows them itself


def quantize_aware(
    model, train_data, path, *, epochs=1, learning_rate=0.001, batch_size=64, loss=None, tolerance=None
) -> Export:
    """Fine-tunes a model as int8 will compute it, and exports it to LiteRT in int8.

    More accurate than `firekeras.export_model(..., int8=True)` where that loses too much; needs labels and
    training. What `sparsify` and `cluster` did is kept: weights of convolutions and dense layers that are zero
    stay zero, and those that share a few values go on sharing them, within each filter. The file is run, and
    compared with what the trained network gives, before it appears.

    Args:
        model: A built Keras 3 classifier of standard layers. It is not changed.
        train_data: `(x, y)`, arrays; `y` class numbers `(n,)`, unless `loss` says otherwise.
        path: `NAME.tflite`.
        epochs: Of fine-tuning. Defaults to 1.
        learning_rate: Of the first step; falls to 0 as a cosine. What `cluster` made bears no large one: each of its
            few values adds up the gradients of all weights that share it. Defaults to 0.001.
        batch_size: Defaults to 64.
        loss: A loss of tf_keras. Defaults to sparse categorical crossentropy.
        tolerance: How far the file may be from the trained network, root mean squares as a share of the
            output's. Defaults to 0.15.

    Returns:
        `Export`.

    Raises:
        ValueError: If TF-MOT cannot take a layer (all are named), or the file computes something else.
        ImportError: If TF-MOT or LiteRT is not installed.

    Example:
    >>> exported = firekeras.export.quantize_aware(pruned, (x_train, y_train), "pruned_int8.tflite")
    >>> exported.int8, exported.difference.rms < 0.15
    (True, True)
    """
    path = Path(path)
    check_path(path, FORMATS["litert"])
    tfmot.check_training(train_data, epochs, learning_rate, batch_size)
    samples = {name: array[:VERIFIED] for name, array in samples_of(model, train_data[0]).items()}
    arrays = list(samples.values())
    bridge = Bridge(model, train_data[0][:VERIFIED])
    check_layers(bridge.legacy)
    tuned = quantized(bridge.legacy)
    settings = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size, "loss": loss}
    tfmot.fine_tune(tuned, model, train_data, **settings)
    outputs = tuned.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
    expected = [np.asarray(one) for one in keras.tree.flatten(outputs)]
    _check_alive(expected, model)
    with atomic.whole_file(path) as temporary:
        temporary.write_bytes(_int8(tuned))
        found = compare(temporary, expected, samples)
        check_close(found, path, True, tolerance)
        FORMATS["litert"].check_int8(temporary)
    return Export(path, "litert", True, size_of(path), len(arrays[0]), found)


def _check_alive(outputs, model):
    """A file of a network that always gives the same would agree with it perfectly."""
    count = len(outputs[0])
    if count > 1 and not any(np.ptp(one, axis=0).any() for one in outputs):
        raise ValueError(
            f"Trained for int8, {model.name!r} gives the same for all {count} samples: its weights or the ranges of "
            "its activations are lost. Train longer (`epochs`), or with a lower `learning_rate`."
        )


def _int8(tuned):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(tuned)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ranges were trained, and not given
        return converter.convert()


def check_layers(legacy):
    """Raises `ValueError` that names each layer of a tf_keras model that TF-MOT's 8-bit scheme cannot take."""
    tfmot.load()
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    known = registry.Default8BitQuantizeRegistry()
    reasons = []
    for layer in legacy.layers:
        reason = _why_not(layer, known)
        if reason:
            reasons.append(f"{layer.name!r} ({type(layer).__name__}) {reason}")
    if reasons:
        raise ValueError(
            f"TF-MOT's quantisation-aware training cannot take these layers of {legacy.name!r}: {'; '.join(reasons)}. "
            "int8 without training takes them: firekeras.export_model(model, path, samples=x, int8=True)."
        )


def _why_not(layer, known):
    if len(layer.inbound_nodes) > 1:
        return "is called more than once"
    if type(layer).__name__ == "BatchNormalization":
        return None if _follows_convolution(layer) else "stands behind no convolution or dense layer of its own"
    return None if type(layer).__name__ in SPLIT or known.supports(layer) else "is not on its list"


def _follows_convolution(layer):
    before = layer.inbound_nodes[0].inbound_layers
    if isinstance(before, list) or type(before).__name__ not in BEFORE_NORMALISATION:
        return False
    linear = getattr(before.activation, "__name__", "") == "linear"
    return linear and len(before.outbound_nodes) == 1
