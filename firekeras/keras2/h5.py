"""`.h5` files of Keras 2: the config is converted, weights and training settings are left to Keras 3."""

from __future__ import annotations

import inspect
import json
import tempfile
import textwrap
import warnings
from pathlib import Path

import h5py
import keras

from firekeras.keras2.config import Mender
from firekeras.keras_models.archive import count_values
from firekeras.keras_models.compiling import fresh_if_broken
from firekeras.keras_models.limits import variables_limited
from firekeras.paths import open_regular

CLASSES = {name: cls for name, cls in vars(keras.layers).items() if inspect.isclass(cls)}
NESTED = {**CLASSES, "Sequential": keras.Sequential, "Functional": keras.Model}  # Keras does not find them in wrappers


def read_h5(path: Path) -> tuple[keras.Model, list[str]]:
    """The model in a file, and notes for the user.

    Raises:
        ValueError: If it is not the file of a model, holds code or third-party classes, or cannot be read.
    """
    mender = Mender()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mended.h5"
        try:
            with open_regular(path) as old:
                copy.write_bytes(old.read())
            with h5py.File(copy, "a") as file:
                stored = _stored(file, path)
                file.attrs["model_config"] = json.dumps(mender.model(_config(file, path)))
                if "training_config" in file.attrs:
                    settings = mender.training(json.loads(file.attrs["training_config"]))
                    file.attrs["training_config"] = json.dumps(settings)
        except (OSError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a whole HDF5 file of a model: {error}.") from error
        model, notes = load_mended(copy, path, stored)
    return model, [*mender.notes, *notes]


def _stored(file, path):
    try:
        return count_values(file, path.stat().st_size)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _config(file, path):
    text = file.attrs.get("model_config")
    if text is None:
        raise ValueError(
            f"{path} holds no model, perhaps only weights. Build the model in Python, "
            f"model.load_weights({str(path)!r}), and model.save('NAME.keras')."
        )
    try:
        config = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{path} is damaged: its config has too many lists and dicts within each other.") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), (dict, list)):
        raise ValueError(f"{path} is damaged: its config is not that of a model.")
    return config


def load_mended(copy: Path, path: Path, stored: int) -> tuple[keras.Model, list[str]]:
    """Loads an `.h5` file with a Keras 3 config and `stored` weights; compiled, if its settings can be read."""
    model, why = _loaded(copy, stored, compile=True), None
    if isinstance(model, Exception):
        why, model = model, _loaded(copy, stored, compile=False)
    if isinstance(model, Exception):
        raise ValueError(f"{path} cannot be read: {first_line(model)}") from model
    if why is not None:
        reason = f"Not compiled, since Keras 3 cannot read its training settings ({first_line(why, 100)})."
        return model, [f"{reason} Compile it before training it further."]
    return model, [note for note in (fresh_if_broken(model),) if note]


def _loaded(path, stored, compile):
    try:
        with warnings.catch_warnings(), variables_limited(stored):
            warnings.simplefilter("ignore")  # about optimizer settings that no longer exist
            return keras.models.load_model(path, custom_objects=NESTED, compile=compile, safe_mode=True)
    except Exception as error:  # Keras can raise anything on a foreign file
        return error


def first_line(error: Exception, most: int = 200) -> str:
    """The first line of an error, in at most so many characters."""
    return textwrap.shorten((str(error).splitlines() or [type(error).__name__])[0], most, placeholder=" ...")
