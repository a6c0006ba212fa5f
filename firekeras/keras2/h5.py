"""`.h5` files of Keras 2: their config mended, their weights and training settings as Keras 3 reads them."""

from __future__ import annotations

import inspect
import json
import tempfile
import warnings
from pathlib import Path

import h5py
import keras

from firekeras.keras2.config import Mender
from firekeras.keras_models.compiling import fresh_if_broken

CLASSES = {name: one for name, one in vars(keras.layers).items() if inspect.isclass(one)}
NESTED = {**CLASSES, "Sequential": keras.Sequential, "Functional": keras.Model}  # Keras does not find them in wrappers


def read_h5(path: Path) -> tuple[keras.Model, list[str]]:
    """The model of a file, and what a user should know.

    Raises:
        ValueError: If it is no file of a model, holds code or classes of others, or cannot be read.
    """
    mender = Mender()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mended.h5"
        copy.write_bytes(path.read_bytes())
        try:
            with h5py.File(copy, "a") as file:
                file.attrs["model_config"] = json.dumps(mender.model(_config(file, path)))
                if "training_config" in file.attrs:
                    settings = mender.training(json.loads(file.attrs["training_config"]))
                    file.attrs["training_config"] = json.dumps(settings)
        except (OSError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a whole HDF5 file of a model: {error}.") from error
        model, notes = load_mended(copy, path)
    return model, [*mender.notes, *notes]


def _config(file, path):
    text = file.attrs.get("model_config")
    if text is None:
        raise ValueError(
            f"{path} holds no model, perhaps weights alone. Build the model in Python, "
            f"model.load_weights({str(path)!r}), and model.save('NAME.keras')."
        )
    config = json.loads(text)
    if not isinstance(config, dict) or not isinstance(config.get("config"), (dict, list)):
        raise ValueError(f"{path} is damaged: its config is not that of a model.")
    return config


def load_mended(copy: Path, path: Path) -> tuple[keras.Model, list[str]]:
    """Loads an `.h5` file whose config Keras 3 knows; compiled, if its training settings can be had."""
    model, why = _loaded(copy, compile=True), None
    if isinstance(model, Exception):
        why, model = model, _loaded(copy, compile=False)
    if isinstance(model, Exception):
        raise ValueError(f"{path} cannot be read: {_first_line(model)}") from model
    if why is not None:
        words = f"Not compiled, since Keras 3 cannot read its training settings ({_first_line(why)[:100]} ...)."
        return model, [f"{words} Compile it before you train it on."]
    return model, [note for note in (fresh_if_broken(model),) if note]


def _loaded(path, compile):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of settings of optimizers that are there no more
            return keras.models.load_model(path, custom_objects=NESTED, compile=compile, safe_mode=True)
    except Exception as error:  # a strange file can make Keras raise anything
        return error


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
