"""TF-MOT's quantization-aware training for Keras 3 models, exported to an int8 LiteRT file."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from firekeras import atomic
from firekeras.arguments import typed
from firekeras.export import tfmot
from firekeras.export.bridge import Bridge
from firekeras.export.exporting import Export, check_close, check_path, size_of
from firekeras.export.formats import FORMATS
from firekeras.export.keeping import quantized
from firekeras.export.verification import VERIFIED, compare, samples_of
from firekeras.quiet import silent_stderr

# layers that TF-MOT merges with the BatchNormalization behind them
BEFORE_NORMALISATION = ("Conv2D", "DepthwiseConv2D", "Dense", "SeparableConv1D", "SeparableConv2D")
SPLIT = ("SeparableConv1D", "SeparableConv2D", "InputLayer")  # TF-MOT splits these, or handles them itself


@typed
def quantize_aware(
    model: keras.Model,
    train_data: Any,
    path: str | os.PathLike,
    *,
    epochs: int = 1,
    learning_rate: float = 0.001,
    batch_size: int = 64,
    loss: Any = None,
    tolerance: float | None = None,
) -> Export:
    """Fine-tunes a model under simulated int8 arithmetic, and exports it to LiteRT in int8.

    More accurate than `firekeras.export_model(..., int8=True)` if that loses too much; needs labels and
    training. The results of `sparsify` and `cluster` are kept: zero weights of convolutions and dense layers
    stay zero, and shared values stay shared, within each filter. The file is run, and compared with the
    trained network, before it appears.

    Args:
        model: A built Keras 3 classifier of standard layers. It is not changed.
        train_data: `(x, y)`, arrays; `y` class numbers `(n,)`, unless `loss` says otherwise.
        path: `NAME.tflite`.
        epochs: Epochs of fine-tuning. Defaults to 1.
        learning_rate: Learning rate of the first step; it falls to 0 along a cosine. Keep it small after `cluster`:
            each shared value sums the gradients of all weights that share it. Defaults to 0.001.
        batch_size: Batch size of fine-tuning. Defaults to 64.
        loss: A loss of tf_keras. Defaults to sparse categorical crossentropy.
        tolerance: How far the file may differ from the trained network: the root mean square of the difference
            as a share of the output's. Defaults to 0.15.

    Returns:
        `Export`.

    Raises:
        ValueError: If TF-MOT does not support a layer (names all of them), or the file computes something else.
        ImportError: If TF-MOT or LiteRT is not installed.

    Example:
    >>> exported = firekeras.export.quantize_aware(pruned, (x_train, y_train), "pruned_int8.tflite")
    >>> exported.int8, exported.difference.rms < 0.15
    (True, True)
    """
    path = Path(path)
    check_path(path, FORMATS["litert"])
    training = tfmot.checked_training(train_data, epochs, learning_rate, batch_size)
    samples = {name: array[:VERIFIED] for name, array in samples_of(model, train_data[0]).items()}
    arrays = list(samples.values())
    bridge = Bridge(model, train_data[0][:VERIFIED])
    check_layers(bridge.legacy)
    tuned = quantized(bridge.legacy)
    tfmot.fine_tune(tuned, model, train_data, loss=loss, **training)
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
    """Refuses a network with constant outputs: its file would agree with it perfectly."""
    count = len(outputs[0])
    if count > 1 and not any(np.ptp(one, axis=0).any() for one in outputs):
        raise ValueError(
            f"Trained for int8, {model.name!r} returns the same for all {count} samples: its weights or the ranges of "
            "its activations are lost. Train longer (`epochs`), or with a lower `learning_rate`."
        )


def _int8(tuned):
    import tensorflow as tf

    module = tf.Module()
    module.serve = _serving(tuned)
    module.model_variables = tuned.variables
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with warnings.catch_warnings(), silent_stderr():
        warnings.simplefilter("ignore")  # that ranges were trained, not passed
        return converter.convert()


def _serving(tuned):
    """The model as a bare function: LiteRT's converter would trace a tf_keras model once more for each layer."""
    import tensorflow as tf

    def serve(*inputs):
        outputs = tuned(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
        return dict(zip(tuned.output_names, tf.nest.flatten(outputs), strict=True))

    wanted = [tf.TensorSpec(one.shape, one.dtype, name=one.name) for one in tuned.inputs]
    return tf.function(serve, input_signature=wanted, autograph=False)


def check_layers(legacy):
    """Raises `ValueError` with all layers of a tf_keras model that TF-MOT's 8-bit scheme does not support."""
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
            f"TF-MOT's quantization-aware training does not support these layers of {legacy.name!r}: "
            f"{'; '.join(reasons)}. int8 without training does: firekeras.export_model(model, path, samples=x, "
            "int8=True)."
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
