"""Exports a Keras model to a file for deployment: written to a temporary path, run, compared with Keras, then moved."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from firekeras import atomic
from firekeras.arguments import typed
from firekeras.channels.check import check_model
from firekeras.export.formats import Format, format_named
from firekeras.export.formats.format import either, formats_with
from firekeras.export.running import open_runtime, run
from firekeras.export.verification import VERIFIED, Difference, compare, samples_of
from firekeras.paths import as_path
from firekeras.quiet import without_retracing_warnings

if TYPE_CHECKING:
    import keras

FLOAT_TOLERANCE = 1e-4
INT8_TOLERANCE = 0.15


@dataclasses.dataclass(frozen=True)
class Export:
    """An exported file that was run, and computes what the model does.

    Args:
        path: The file, or the folder of a SavedModel.
        to: Its format.
        int8: Whether it computes in 8-bit integers.
        size: Its size in bytes.
        samples: The number of samples it was compared on.
        difference: The `Difference` of its outputs from the model's.
    """

    path: Path
    to: str
    int8: bool
    size: int
    samples: int
    difference: Difference


@typed
@without_retracing_warnings()
def export_model(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    to: str = "litert",
    samples: Any = None,
    int8: bool = False,
    int8_inputs: bool = False,
    tolerance: float | None = None,
) -> Export:
    """Exports a model, and verifies the file before it appears.

    Keras's own `model.export` writes it to a temporary path. It is then run by LiteRT, ONNX Runtime or
    TensorFlow, and its outputs are compared with the model's. Only a file that agrees appears at `path`;
    one that fails is deleted.

    Args:
        model: A built Functional or Sequential model, as `firekeras.prune` and `compress` return.
        path: `NAME.tflite` for LiteRT, `NAME.onnx` for ONNX, a new folder for a SavedModel.
        to: `"litert"` or `"tflite"`, `"onnx"`, `"saved-model"`, or a format that was registered with
            `firekeras.export.formats.export_format`. Defaults to `"litert"`. LiteRT needs the TensorFlow
            backend, SavedModel TensorFlow or JAX; ONNX works on all (on JAX with jax2onnx).
        samples: Inputs as `model.predict` takes them: arrays `(n, ...)`, or a data set. The first 32 are compared;
            `int8` uses up to 300 of them to find the ranges of values. Defaults to 32 random ones, uniform in [0, 1).
        int8: Whether convolutions and dense layers compute in 8-bit integers; LiteRT only, and needs
            `samples`. Inputs and outputs stay float32. Defaults to False.
        int8_inputs: With `int8`: whether inputs and outputs are 8-bit integers too, as microcontrollers have them: the
            file that `costs.ram` and `costs.flash` count. Defaults to False.
        tolerance: How far outputs may differ. Defaults to 1e-4, for the largest difference as a share of the
            largest output; with `int8` to 0.15, for the ratio of the root mean squares of difference and
            output.

    Returns:
        `Export`.

    Raises:
        ValueError: If this backend cannot export to the format, Keras cannot export the model, or the file
            computes something else.
        ImportError: If a package is missing; says how to install it.

    Example:
    >>> exported = firekeras.export_model(pruned, "pruned.tflite", samples=x_train, int8=True)
    >>> exported.difference.rms < 0.15
    True
    """
    path, chosen = as_path(path), format_named(to)
    chosen.check(keras.backend.backend())
    check_model(model)
    check_path(path, chosen)
    if int8_inputs and not int8:
        raise ValueError("int8_inputs=True is for int8=True. Received: int8=False.")
    if int8:
        _check_int8(chosen, samples)
    arrays = samples_of(model, samples)
    settings = chosen.int8_settings(arrays, int8_inputs) if int8 else {}
    shown = {name: array[:VERIFIED] for name, array in arrays.items()}
    expected = run(open_runtime(model), list(shown.values()))
    with atomic.whole_file(path) if chosen.ending else atomic.whole_folder(path) as temporary:
        chosen.write(model, temporary, **settings)
        found = compare(temporary, expected, shown)
        check_close(found, path, int8, tolerance)
        if int8:
            chosen.check_int8(temporary)
    return Export(path, chosen.name, int8, size_of(path), len(expected[0]), found)


def _check_int8(chosen, samples):
    if not chosen.has_int8:
        able = either(f"to={other.name!r}" for other in formats_with("has_int8"))
        raise ValueError(f"int8 is for {able}. Received: to={chosen.name!r}.")
    if samples is None:
        raise ValueError(
            "int8 needs `samples`: a few hundred training inputs, from which it learns which values occur. Received "
            "none, and random ones would teach it wrong ranges."
        )


@contextlib.contextmanager
def momentary_file(model):
    """Yields a temporary LiteRT file of a model, verified by `export_model`."""
    with tempfile.TemporaryDirectory() as folder:
        yield export_model(model, Path(folder) / "network.tflite", to="litert").path


def check_path(path: Path, to: Format) -> None:
    """Raises `ValueError`, before any work, if a path does not suit the format or cannot be written."""
    ending = to.ending
    if ending and path.suffix != ending:
        raise ValueError(f"A file for {to.name!r} ends in {ending}. Received: {path}.")
    if not ending and path.exists():
        raise ValueError(f"{path} exists already. Expected {to.title}: give the name of a new one.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Expected a file, such as {path / ('model' + ending)}.")
    atomic.check_can_write(path)


def check_close(found: Difference, path: Path, int8: bool, tolerance: float | None = None) -> None:
    """Raises `ValueError` if outputs differ by more than the tolerance, or are not numbers."""
    measure, allowed = (found.rms, INT8_TOLERANCE) if int8 else (found.largest, FLOAT_TOLERANCE)
    allowed = allowed if tolerance is None else tolerance
    if not measure <= allowed:
        kind = "root mean squares" if int8 else "largest values"
        raise ValueError(
            f"{path} is not written: the outputs of the exported file differ from the model's by {measure:.2g} "
            f"(by {kind}), and {allowed:g} is allowed."
            + (" Pass more, and typical, samples; or fine-tune: firekeras.export.quantize_aware." if int8 else "")
        )


def size_of(path: Path) -> int:
    """The size of a file, or of all files in a folder, in bytes."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size
