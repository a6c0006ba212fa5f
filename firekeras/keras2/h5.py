"""`.h5` files of Keras 2: the config is converted, weights and training settings are left to Keras 3."""

from __future__ import annotations

import inspect
import io
import json
import tempfile
import warnings
from pathlib import Path

import h5py
import keras

from firekeras.atomic import naming
from firekeras.keras2.config import Mender
from firekeras.keras_models.archive import EXPANSION, FLOOR, count_values
from firekeras.keras_models.compiling import fresh_if_broken
from firekeras.keras_models.limits import variables_limited
from firekeras.paths import open_regular
from firekeras.refusals import cause

CLASSES = {name: cls for name, cls in vars(keras.layers).items() if inspect.isclass(cls)}
NESTED = {**CLASSES, "Sequential": keras.Sequential, "Functional": keras.Model}  # Keras does not find them in wrappers


def read_h5(path: Path) -> tuple[keras.Model, list[str]]:
    """The model in a file, and notes for the user.

    Raises:
        ValueError: If it is not the file of a model, holds code or third-party classes, or cannot be read.
    """
    mender = Mender()
    try:
        content, stored = _mended(mender, path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be converted: {cause(error, 400)}") from error
    except Exception as error:  # h5py raises anything on a damaged file
        raise ValueError(f"{path} is not a whole HDF5 file of a model: {cause(error)}.") from error
    model, notes = load_mended(content, path, stored)
    return model, [*mender.notes, *notes]


def written_by_keras_3(path: Path) -> bool:
    """Whether Keras 3 wrote a file that `read_h5` could read."""
    with h5py.File(path) as file:
        return str(file.attrs.get("keras_version", "")).startswith("3.")


def _mended(mender, path):
    """The bytes of the file with a config of Keras 3, and how many numbers its weights hold."""
    with open_regular(path) as file:
        size = file.seek(0, io.SEEK_END)
        stored = count_values(file, size)
        if size > FLOOR + EXPANSION * stored:
            raise ValueError(f"it has {size:,} bytes, and its weights hold only {stored:,} numbers.")
        file.seek(0)
        copy = io.BytesIO(file.read())
    with h5py.File(copy, "a") as new:  # in memory: HDF5 crashes if a disk is full
        new.attrs["model_config"] = json.dumps(mender.model(_config(new, path)))
        if "training_config" in new.attrs:
            new.attrs["training_config"] = json.dumps(mender.training(_read_json(new, "training_config")))
    return copy.getvalue(), stored


def _config(file, path):
    if "model_config" not in file.attrs:
        raise ValueError(
            "it holds no model, perhaps only weights. Build the model in Python, "
            f"model.load_weights({str(path)!r}), and model.save('NAME.keras')."
        )
    config = _read_json(file, "model_config")
    if not isinstance(config, dict) or not isinstance(config.get("config"), (dict, list)):
        raise ValueError("its model_config is not that of a model.")
    return config


def _read_json(file, name):
    try:
        return json.loads(file.attrs[name])
    except RecursionError as error:
        raise ValueError(f"its {name} has too many lists and dicts within each other.") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"its {name} is not JSON ({error}).") from error


def load_mended(content: bytes, path: Path, stored: int) -> tuple[keras.Model, list[str]]:
    """Loads the bytes of an `.h5` file with a Keras 3 config; compiled, if its settings can be read.

    Args:
        content: The bytes.
        path: The file or folder that they were made of, for errors.
        stored: How many numbers its weights hold.

    Returns:
        The model, and notes for the user.

    Raises:
        ValueError: If Keras cannot load it.
        OSError: If the folder for temporary files is full; names it.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mended.h5"
        with naming(copy):
            copy.write_bytes(content)
        return _from_copy(copy, path, stored)


def _from_copy(copy, path, stored):
    model, why = _loaded(copy, stored, compile=True), None
    if isinstance(model, Exception):
        why, model = model, _loaded(copy, stored, compile=False)
    if isinstance(model, Exception):
        raise ValueError(f"{path} cannot be read: {cause(model)}") from model
    if why is not None:
        reason = f"Not compiled, since Keras 3 cannot read its training settings ({cause(why, 100)})."
        return model, [f"{reason} Compile it before training it further."]
    return model, [note for note in (fresh_if_broken(model),) if note]


def _loaded(path, stored, compile):
    try:
        with warnings.catch_warnings(), variables_limited(stored):
            warnings.simplefilter("ignore")  # about optimizer settings that no longer exist
            return keras.models.load_model(path, custom_objects=NESTED, compile=compile, safe_mode=True)
    except Exception as error:  # Keras can raise anything on a foreign file
        return error
