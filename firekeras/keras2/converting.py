"""A file of Keras 2 in, a `.keras` file out: verified if something is installed that can run the old file."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import warnings
from pathlib import Path

import keras
import numpy as np

from firekeras import atomic
from firekeras.arguments import typed
from firekeras.export.running import open_runtime, run
from firekeras.export.verification import Difference, compare, difference, samples_of
from firekeras.keras2.h5 import read_h5, written_by_keras_3
from firekeras.keras2.saved_model import is_saved_model, read_saved_model
from firekeras.paths import as_path
from firekeras.refusals import cause

TOLERANCE = 1e-4
ENDINGS = (".h5", ".hdf5")


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Args:
        path: The `.keras` file.
        notes: Sentences on what was left out, and why outputs could not be compared.
        difference: The `Difference` of its outputs from the old file's; None if that could not be run.
    """

    path: Path
    notes: list[str]
    difference: Difference | None


@typed
def convert_model(old: str | os.PathLike, new: str | os.PathLike, *, trust: bool = False) -> Conversion:
    """Converts a model that Keras 2 saved to a `.keras` file, without running any code of the old file.

    Settings that Keras 3 does not know are dropped if they have no effect (`groups=1` of a depthwise convolution),
    and refused if they would change the result. With tf_keras installed, and TensorFlow as backend, both files are
    run on 32 random samples, and nothing is written unless their outputs agree. The graph of a SavedModel is a
    program from its author, and is run only if you trust it.

    Args:
        old: An `.h5` file, or the folder of a SavedModel.
        new: The file to write: `NAME.keras`.
        trust: Whether the graph of a SavedModel may be run, to compare outputs. Defaults to False.

    Returns:
        `Conversion`.

    Raises:
        ValueError: If there is no such file; it holds a lambda, a class that is not part of Keras, or settings that
            Keras 3 lacks; or the new model computes something else.
        ImportError: If TensorFlow, which reads the weights of a SavedModel, is missing.

    Example:
    >>> firekeras.convert_model("keras2.h5", "keras3.keras").difference.largest < 1e-4
    True
    """
    old, new = as_path(old), as_path(new)
    _check_paths(old, new)
    model, notes = read_saved_model(old) if old.is_dir() else read_h5(old)
    samples = samples_of(model, None)
    expected, why = _outputs_of_old(old, list(samples.values()), trust)
    notes += [why] if why else []
    apart = None if expected is None else difference(run(open_runtime(model), list(samples.values())), expected)
    _check(apart, old, new, "the Keras 3 model of")
    with atomic.whole_file(new) as temporary:
        model.save(temporary)
        again = compare(temporary, run(open_runtime(model), list(samples.values())), samples)
        _check(again, old, new, "the new file of")
    return Conversion(new, notes, apart)


def _check_paths(old, new):
    if old.is_dir():
        if not is_saved_model(old):
            raise ValueError(f"{old} is a folder, but not a SavedModel: it holds no saved_model.pb.")
    elif not old.exists():
        raise ValueError(f"There is no file {old}.")
    elif old.suffix.lower() not in ENDINGS:
        raise ValueError(f"Expected a file of Keras 2, NAME.h5, or the folder of a SavedModel. Received: {old}.")
    if new.suffix != ".keras" or new.is_dir():
        raise ValueError(f"Expected the name of a new file, NAME.keras. Received: {new}.")


def _check(apart, old, new, what):
    if apart is not None and not apart.largest <= TOLERANCE:
        raise ValueError(
            f"{new} is not written: the outputs of {what} {old} differ from the old model's by {apart.largest:.2g} of "
            f"the largest; {TOLERANCE:g} is allowed."
        )


def _outputs_of_old(old: Path, arrays: list[np.ndarray], trust: bool) -> tuple[list[np.ndarray] | None, str]:
    """The outputs of the old model; or None, and the reason why it was not run."""
    if old.is_dir() and not trust:
        return (
            None,
            "Outputs are not compared: a SavedModel is a program, and is not run unless you trust it (--trust).",
        )
    name = "keras" if old.is_file() and written_by_keras_3(old) else "tf_keras"
    if name == "tf_keras" and (keras.backend.backend() != "tensorflow" or importlib.util.find_spec(name) is None):
        return None, "Outputs are not compared: that needs tf_keras, and KERAS_BACKEND=tensorflow."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            legacy = importlib.import_module(name).models.load_model(old, compile=False)
            outputs = legacy(arrays if len(arrays) > 1 else arrays[0], training=False)
    except Exception as error:
        return None, f"Outputs are not compared: {name} cannot run the old file ({cause(error, 150)})."
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)], ""
