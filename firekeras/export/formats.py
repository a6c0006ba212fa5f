"""The formats that Keras's own `model.export` can write, and on which backend."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import warnings

import keras
import numpy as np

from firekeras.export.endings import ENDINGS
from firekeras.export.runtimes.runtime import PIP
from firekeras.keras_models.internals import all_layers

KERAS_NAMES = {"litert": "litert", "onnx": "onnx", "saved-model": "tf_saved_model"}
NEEDED = {"litert": ("ai_edge_litert",), "onnx": ("onnxruntime", "tf2onnx"), "saved-model": ()}
ON_TENSORFLOW = (
    "Set KERAS_BACKEND=tensorflow before Python starts, and load the saved .keras file there: it loads on every backend"
)
REFUSED = {
    ("jax", "litert"): f"Keras exports to LiteRT from TensorFlow. {ON_TENSORFLOW}.",
    ("torch", "litert"): f"Keras exports to LiteRT from TensorFlow. {ON_TENSORFLOW}.",
    ("torch", "saved-model"): f"Keras writes no SavedModel of a functional model from torch. {ON_TENSORFLOW}.",
}
NEEDED_BY_BACKEND = {("jax", "onnx"): ("onnxruntime", "jax2onnx"), ("torch", "onnx"): ("onnxruntime", "onnx")}


def check_format(to):
    """Raises if a format is unknown, its packages are missing, or this backend cannot export to it.

    Raises:
        ValueError: If the format is unknown, or Keras cannot export to it from this backend.
        ImportError: If a package is missing.
    """
    if to not in ENDINGS:
        raise ValueError(f"`to` is one of {', '.join(map(repr, ENDINGS))}. Received: {to!r}.")
    backend = keras.backend.backend()
    if (backend, to) in REFUSED:
        raise ValueError(f"No export to {to!r} from the backend {backend!r}: {REFUSED[backend, to]}")
    missing = [n for n in NEEDED_BY_BACKEND.get((backend, to), NEEDED[to]) if not importlib.util.find_spec(n)]
    if missing:
        how = f"pip install {' '.join(missing)}. Or: {ON_TENSORFLOW}" if "jax2onnx" in missing else PIP
        raise ImportError(f"Exporting to {to!r} needs {', '.join(missing)}: {how}.")


def write(model, path, to, **settings):
    """Lets Keras write a model, silently; errors are raised as a `ValueError` that names the model.

    Args:
        model: A built Keras model.
        path: The file or folder.
        to: The format.
        **settings: Settings of Keras's exporter.
    """
    try:
        with _quiet(), _constants_inside(model):
            model.export(str(path), format=KERAS_NAMES[to], verbose=False, **settings)
    except Exception as error:  # converters may raise anything
        raise ValueError(f"Keras could not export the model {model.name!r} to {to!r}: {error}") from error


@contextlib.contextmanager
def _quiet():
    """Suppresses output and warnings of converters: the file is run and compared afterwards."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _constants_inside(model):
    """Makes Normalization hold NumPy arrays: tf2onnx treats tensors from outside the function as inputs."""
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.Normalization)]
    kept = [(layer.mean, layer.variance) for layer in layers]
    try:
        for layer in layers:
            layer.mean, layer.variance = (
                np.asarray(keras.ops.convert_to_numpy(v)) for v in (layer.mean, layer.variance)
            )
        yield
    finally:
        for layer, (mean, variance) in zip(layers, kept, strict=True):
            layer.mean, layer.variance = mean, variance
