"""Untrusted model files: loaded in Keras's safe mode, or refused with the reason."""

from __future__ import annotations

import os
import shlex
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from firekeras.paths import as_path
from firekeras.refusals import SIMILAR, cause, nearest

if TYPE_CHECKING:
    import keras


def load_model(path: str | os.PathLike, *, compile: bool = True) -> keras.Model:
    """Loads a `.keras` file in Keras's safe mode, so no code in it is executed.

    Args:
        path: The file.
        compile: Whether to compile it as it was when saved. Defaults to True.

    Returns:
        The `keras.Model`.

    Raises:
        ValueError: If there is no such file, it has another format or is damaged, it declares or unpacks to far
            more than it holds, or it holds something that safe mode refuses; names the layer.
    """
    from firekeras.keras_models import archive  # reads HDF5 and so needs NumPy, for which --help does not wait

    path = as_path(path)
    check_path(path)
    with archive.opened(path) as (content, file):
        config, stored = archive.read_config(content), archive.count_stored(content, file)
    import keras

    from firekeras.keras_models.limits import variables_limited

    try:
        with warnings.catch_warnings(), variables_limited(stored):
            # an optimizer saved before its first step has no state to load, and needs none
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            return keras.models.load_model(path, compile=compile)
    except Exception as error:  # Keras can raise anything on a damaged or foreign file
        raise ValueError(_why_refused(path, config, error)) from error


def names_in(path: Path) -> set[str]:
    """The names of all layers that the config of a `.keras` file spells, at any depth; Keras is not imported.

    Raises:
        ValueError: If it is damaged.
    """
    from firekeras.keras_models import archive

    with archive.opened(path) as (content, _):
        config = archive.read_config(content)
    return set(_names(config))


def _names(config):
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            yield str(value["config"].get("name"))
        if isinstance(value, (dict, list)):
            yield from _names(value)


def check_path(path: Path):
    """Raises `ValueError` unless there is a `.keras` file at `path`."""
    if (path / "saved_model.pb").is_file():
        raise ValueError(f"{path} is a SavedModel, not a .keras file. Convert it once: {_conversion(path)}.")
    if path.is_dir():
        raise ValueError(
            f"{path} is a folder. Expected a file NAME.keras: load the model in Python, and model.save('NAME.keras')."
        )
    if not path.exists():
        raise ValueError(f"There is no file {path}.{_near(path)}")
    if not path.is_file():
        raise ValueError(f"{path} is a pipe or a device. Expected a file NAME.keras.")
    if path.name.lower().endswith(".weights.h5"):  # what Keras calls them
        raise ValueError(
            f"{path} holds the weights of a model, but not the model. Build it in Python as it was, "
            f"model.load_weights({str(path)!r}), and model.save('NAME.keras')."
        )
    if path.suffix.lower() in (".h5", ".hdf5"):
        raise ValueError(f"{path} is not a .keras file but a legacy HDF5 file. Convert it once: {_conversion(path)}.")
    if path.suffix != ".keras":
        raise ValueError(f"Expected a model that Keras saved, NAME.keras. Received: {path}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a .keras file inside, or is truncated. Save or copy it again.")


def _conversion(path):
    return f"firekeras convert {shlex.quote(str(path))} {shlex.quote(str(path.with_suffix('.keras')))}"


def _near(path):
    stems = {p.stem: p for p in path.parent.glob("*.keras")} if path.parent.is_dir() else {}
    near = nearest(path.stem, stems, cutoff=SIMILAR)  # all share folder and ending
    return f" Did you mean {str(stems[near])!r}?" if near else ""


def _why_refused(path, config, error):
    for part, reason in (("config", _strange_layer), ("compile_config", _strange_setting)):
        stranger = next(_strangers(config.get(part), config.get("class_name", "")), None)
        if stranger:
            return f"{path} was not loaded: {reason(*stranger)}"
    if _is_stranger(config):
        return f"{path} was not loaded: {_strange_model(config['class_name'])}"
    return f"{path} cannot be loaded, it may be damaged: {cause(error)}"


def _strangers(value, owner):
    """Yields (layer, kind, name) of everything that is not part of Keras; `kind` is "class", "function" or "code"."""
    if isinstance(value, list):
        for item in value:
            yield from _strangers(item, owner)
    if not isinstance(value, dict):
        return
    settings = value.get("config")
    owner = settings.get("name", owner) if isinstance(settings, dict) and "registered_name" in value else owner
    if value.get("class_name") == "__lambda__":
        yield owner, "code", "a Python lambda"
    elif _is_stranger(value):
        function = value["class_name"] == "function"
        yield owner, "function" if function else "class", str(settings if function else value["class_name"])
    for item in value.values():
        yield from _strangers(item, owner)


def _is_stranger(value):
    return "registered_name" in value and "class_name" in value and str(value.get("module")).split(".")[0] != "keras"


def _strange_layer(layer, kind, name):
    if kind == "code":
        return (
            f"layer {layer!r} holds {name}, and code from a file is never executed here. Use Keras layers or keras.ops "
            "instead, and save the model again."
        )
    return (
        f"layer {layer!r} needs the {kind} {name!r}, which is not part of Keras; third-party code is never executed "
        "here. If you trust it, import it in Python, load the model there, and call firekeras.compress or prune."
    )


def _strange_model(name):
    return (
        f"the model is of a custom class, {name!r}, and third-party code is never executed here. What such a class "
        "computes cannot be followed either: build it as a functional model, keras.Model(inputs, outputs)."
    )


def _strange_setting(owner, kind, name):
    return (
        f"it was compiled with {name!r}, which is not part of Keras; third-party code is never executed here. Load it "
        "in Python with compile=False and save it again; firekeras compress then compiles it itself."
    )
