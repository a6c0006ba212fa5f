"""Networks as they are run: Keras models, and files in the runtime of their format, all called in the same way."""

from __future__ import annotations

import contextlib
import math
import threading
from pathlib import Path

import numpy as np

from firekeras.export.formats import FORMATS, format_of
from firekeras.export.formats.format import Input, Runtime, either, formats_with
from firekeras.paths import existing_file
from firekeras.refusals import checked_whole

LARGEST_INPUT = 2**28  # numbers in a sample
LONGEST_PASS = 60.0  # seconds for one sample, or for as many as a file takes at once
KERAS_ENDINGS = (".keras", ".h5", ".hdf5")


def open_runtime(model_or_path, *, threads=None, trust=False) -> Runtime:
    """The runtime for a model, or for a file by its ending.

    Args:
        model_or_path: A built Keras model; or the path of a `.keras` file, or of one of the `FORMATS`.
        threads: How many threads LiteRT and ONNX Runtime take. Defaults to 1. Keras and TensorFlow fix
            theirs when they start.
        trust: Whether a file may do more than compute, such as read and write other files. Defaults to False:
            it is refused.

    Raises:
        ValueError: If there is no such file, or none of these is its ending, or `threads` is given for Keras; or
            the file may do more than compute, takes inputs of no sensible size, or computes without an end.
        ImportError: If the runtime is not installed; says how to install it.
    """
    if threads is not None:
        threads = checked_whole("threads", threads, 1)
    if not isinstance(model_or_path, (str, Path)):
        return _of_keras(model_or_path, threads)
    path = Path(model_or_path)
    if path.suffix in KERAS_ENDINGS:
        from firekeras.keras_models.model_file import load_model

        return _of_keras(load_model(path, compile=False), threads)
    if not path.is_dir():
        existing_file(path)
    file_format = format_of(path)
    if file_format is None:
        titles = either(["a .keras file", *(known.title for known in FORMATS.values())])
        raise ValueError(f"Expected {titles}. Received: {path}.")
    if not file_format.sets_threads:
        _check_not_set(threads, file_format.runtime)
    if not trust:
        check_harmless(path)
    runtime = file_format.open(path, threads)
    _check_inputs(path, runtime)
    if not trust:
        _check_ends(path, runtime)
    return runtime


def check_harmless(path: Path) -> None:
    """Raises `ValueError` if a file may do more than compute when it is run."""
    file_format = format_of(path)
    reason = file_format.why_untrusted(path) if file_format else None
    if reason:
        raise ValueError(f"{path} is not run: {reason}. If you know and trust its author, allow it: trust=True.")


def _check_inputs(path, runtime):
    if not runtime.inputs or not all(tensor.shape for tensor in runtime.inputs):
        raise ValueError(f"{path} takes no batches of samples: its inputs are {_shapes(runtime)}.")
    for tensor in runtime.inputs:
        if math.prod(size or 1 for size in tensor.shape[1:]) > LARGEST_INPUT:
            raise ValueError(f"{path} takes samples of shape {tensor.shape[1:]}, over {LARGEST_INPUT:,} numbers each.")


def _check_ends(path, runtime):
    """Tries one pass apart: a stranger's file may hold a loop without an end, and nothing interrupts a runtime."""
    trial = threading.Thread(target=_one_pass, args=(runtime,), daemon=True)
    trial.start()
    trial.join(LONGEST_PASS)
    if trial.is_alive():
        raise ValueError(
            f"{path} is not run: a pass on random numbers has not ended after {LONGEST_PASS:.0f} s. If you know and "
            "trust its author, and it takes that long, allow it: trust=True."
        )


def _one_pass(runtime):
    with contextlib.suppress(Exception):  # what goes wrong is said when it is run in earnest
        runtime.prepare(random_samples(runtime.inputs, runtime.inputs[0].shape[0] or 1))
        runtime.invoke()


def _shapes(runtime):
    return ", ".join(f"{tensor.name!r} of shape {tensor.shape}" for tensor in runtime.inputs) or "none"


def _of_keras(model, threads):
    from firekeras.export.keras_model import KerasModel

    _check_not_set(threads, "Keras")
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"The model {model.name!r} has no inputs of known shape. Build it first: start it with keras.Input(shape), "
            "or call model.build(input_shape)."
        )
    return KerasModel(model)


def _check_not_set(threads, name):
    if threads is not None:
        others = either(other.runtime for other in formats_with("sets_threads"))
        raise ValueError(
            f"{name} fixes its threads when it starts, so that `threads={threads}` cannot be kept. Leave it out, or "
            f'export the model to run it in {others}: firekeras.export_model(model, "model.tflite").'
        )


def run(runtime: Runtime, arrays, *, batch_size=64) -> list[np.ndarray]:
    """What a network gives for samples of any number, batch by batch.

    Args:
        runtime: Of `open_runtime`.
        arrays: One array per input, `(samples, ...)`.
        batch_size: Samples per pass; where a file fixes it, that is taken. Defaults to 64.

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
    """Seeded random samples, uniform in [0, 1), one array per input, `(count, ...)`; open sizes are taken as 32."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(size=(count, *(d or 32 for d in input.shape[1:]))).astype(input.dtype) for input in inputs]
