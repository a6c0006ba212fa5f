"""A file of Keras 2 in, a `.keras` file out: proven where something is at hand that runs the old file."""

from __future__ import annotations

import dataclasses
import importlib.util
import warnings
from pathlib import Path

import keras
import numpy as np

from firekeras import atomic
from firekeras.export.running import open_runtime, run
from firekeras.export.verification import Difference, compare, difference, samples_of
from firekeras.keras2.h5 import read_h5
from firekeras.keras2.saved_model import is_saved_model, read_saved_model
from firekeras.paths import as_path

TOLERANCE = 1e-4
ENDINGS = (".h5", ".hdf5")


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A model that was converted.

    Args:
        path: The `.keras` file.
        notes: What a user should know: what was left out, and why outputs could not be compared.
        difference: How far its outputs are from the old file's; None if nothing could run that.
    """

    path: Path
    notes: list[str]
    difference: Difference | None


def convert_model(old, new, *, trust=False) -> Conversion:
    """Converts a model that Keras 2 saved to a `.keras` file, without running any code of the old file.

    What Keras 3 does not know of a config is left out if it says nothing (`groups=1` of a depthwise convolution);
    what would change the result is refused. With tf_keras installed, and TensorFlow as backend, the old file is run
    beside the new one on 32 random samples, and nothing is written unless both give the same. The graph of a
    SavedModel is a program of whoever wrote it, and is run only if you say that you trust it.

    Args:
        old: An `.h5` file, or the folder of a SavedModel.
        new: Where the model goes: `NAME.keras`.
        trust: Whether the graph of a SavedModel may be run, to compare outputs. Defaults to False.

    Returns:
        `Conversion`.

    Raises:
        ValueError: If there is no such file; it holds a lambda, a class that is not of Keras, or settings that Keras 3
            does not have; or the new model computes something else.
        ImportError: If TensorFlow is missing, which reads the weights of a SavedModel.

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
    found = None if expected is None else difference(run(open_runtime(model), list(samples.values())), expected)
    _check(found, old, new, "what Keras 3 makes of")
    with atomic.whole_file(new) as temporary:
        model.save(temporary)
        again = compare(temporary, run(open_runtime(model), list(samples.values())), samples)
        _check(again, old, new, "the file that was made of")
    return Conversion(new, notes, found)


def _check_paths(old, new):
    if old.is_dir():
        if not is_saved_model(old):
            raise ValueError(f"{old} is a folder, but no SavedModel: it holds no saved_model.pb.")
    elif not old.exists():
        raise ValueError(f"There is no file {old}.")
    elif old.suffix.lower() not in ENDINGS:
        raise ValueError(f"Expected a file of Keras 2, NAME.h5, or the folder of a SavedModel. Received: {old}.")
    if new.suffix != ".keras" or new.is_dir():
        raise ValueError(f"Expected the name of a new file, NAME.keras. Received: {new}.")


def _check(found, old, new, what):
    if found is not None and not found.largest <= TOLERANCE:
        raise ValueError(
            f"{new} is not written: {what} {old} gives outputs that are {found.largest:.2g} of the largest away from "
            f"the old model's; {TOLERANCE:g} is allowed."
        )


def _outputs_of_old(old, arrays, trust) -> tuple[list[np.ndarray] | None, str]:
    """What the old model gives; or None, and in words why it was not run."""
    if old.is_dir() and not trust:
        return (
            None,
            "Outputs are not compared: a SavedModel is a program, and is not run unless you trust it (--trust).",
        )
    if keras.backend.backend() != "tensorflow" or importlib.util.find_spec("tf_keras") is None:
        return None, "Outputs are not compared: that needs tf_keras, and KERAS_BACKEND=tensorflow."
    import tf_keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            legacy = tf_keras.models.load_model(old, compile=False)
            given = legacy(arrays if len(arrays) > 1 else arrays[0], training=False)
    except Exception as error:
        words = (str(error).splitlines() or [type(error).__name__])[0][:150]
        return None, f"Outputs are not compared: tf_keras cannot run the old file ({words})."
    return [np.asarray(output) for output in keras.tree.flatten(given)], ""
