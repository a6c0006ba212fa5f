"""The common interface of the runtimes, and the right one for a model or a file."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Protocol

import numpy as np

from firekeras.paths import existing_file

PIP = 'pip install "firekeras[deployment]"'


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of a network.

    Args:
        name: Its name.
        shape: Its shape, None for open sizes.
        dtype: Its NumPy dtype.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype


class Runtime(Protocol):
    """A network that can be run.

    Args:
        name: The name of the runtime.
        inputs: Its `Input`s.
        threads: The number of threads; None if it cannot be set.
    """

    name: str
    inputs: list[Input]
    threads: int | None

    def prepare(self, arrays: list[np.ndarray]) -> None:
        """Accepts one array per input, `(batch, ...)`."""

    def invoke(self) -> None:
        """Runs one forward pass of the prepared arrays: this is what is timed."""

    def outputs(self) -> list[np.ndarray]:
        """The outputs of the last pass, one array each, `(batch, ...)`."""


def open_runtime(model_or_path, *, threads=None) -> Runtime:
    """The runtime for a model, or for a file by its ending.

    Args:
        model_or_path: A built Keras model; or the path of a `.keras`, `.tflite` or `.onnx` file, or of a
            SavedModel's folder.
        threads: The number of threads of LiteRT and ONNX Runtime. Defaults to 1. Keras and TensorFlow fix
            theirs when they start.

    Raises:
        ValueError: If there is no such file, it has another ending, or `threads` is set for Keras.
        ImportError: If the runtime is not installed; says how to install it.
    """
    _check_threads(threads)
    if not isinstance(model_or_path, (str, Path)):
        return _of_keras(model_or_path, threads)
    path = Path(model_or_path)
    if path.suffix in (".keras", ".h5", ".hdf5"):
        from firekeras.keras_models.model_file import load_model

        return _of_keras(load_model(path, compile=False), threads)
    if path.is_dir():
        return _of_saved_model(path, threads)
    existing_file(path)
    if path.suffix == ".tflite":
        from firekeras.export.runtimes.litert import LiteRT

        return LiteRT(path, threads=threads or 1)
    if path.suffix == ".onnx":
        from firekeras.export.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path, threads=threads or 1)
    raise ValueError(f"Expected a .keras, .tflite or .onnx file, or the folder of a SavedModel. Received: {path}.")


def _of_keras(model, threads):
    from firekeras.export.runtimes.keras_model import KerasModel

    _check_not_set(threads, "Keras")
    return KerasModel(model)


def _of_saved_model(path, threads):
    from firekeras.export.runtimes.saved_model import SavedModel

    _check_not_set(threads, "TensorFlow")
    return SavedModel(path)


def _check_threads(threads):
    if threads is not None and not (isinstance(threads, int) and threads > 0):
        raise ValueError(f"`threads` is a whole number from 1. Received: {threads!r}.")


def _check_not_set(threads, name):
    if threads is not None:
        raise ValueError(
            f"{name} fixes its threads when it starts, so `threads={threads}` cannot be applied. Leave it out, or "
            'export the model to LiteRT or ONNX: firekeras.export_model(model, "model.tflite").'
        )


def run(runtime: Runtime, arrays, *, batch_size=64) -> list[np.ndarray]:
    """The outputs of a network for any number of samples, computed in batches.

    Args:
        runtime: From `open_runtime`.
        arrays: One array per input, `(samples, ...)`.
        batch_size: Samples per pass, unless the file fixes it. Defaults to 64.

    Returns:
        One array per output, `(samples, ...)`.
    """
    size = runtime.inputs[0].shape[0] or batch_size
    if (runtime.inputs[0].shape[0] or 1) > 1 and len(arrays[0]) % size:
        raise ValueError(f"The file takes batches of {size} samples, which {len(arrays[0])} do not fill.")
    parts = []
    for start in range(0, len(arrays[0]), size):
        runtime.prepare([array[start : start + size] for array in arrays])
        runtime.invoke()
        parts.append([np.array(output) for output in runtime.outputs()])
    return [np.concatenate(batches) for batches in zip(*parts, strict=True)]


def random_samples(inputs: list[Input], count, seed=0) -> list[np.ndarray]:
    """Seeded random samples, uniform in [0, 1), one array per input, `(count, ...)`; open sizes become 32."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(size=(count, *(d or 32 for d in one.shape[1:]))).astype(one.dtype) for one in inputs]


def in_order(names) -> list[str]:
    """Names in Keras's numeric order: `output_2` before `output_10`."""
    return sorted(names, key=lambda name: [int(s) if s.isdigit() else s for s in re.split(r"(\d+)", name)])


def needed(module: str):
    """Imports a module of the `deployment` extra, or says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"This needs {module.split('.')[0]}, which is not installed: {PIP}.") from error
