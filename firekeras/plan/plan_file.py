"""Plans as JSON files: written whole or not at all; damaged ones are refused with the reason."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TypeVar

import numpy as np

from firekeras.atomic import write_text
from firekeras.channels.costs import Costs, LayerCosts
from firekeras.paths import existing_file

T = TypeVar("T")
FORMAT, VERSION = "firekeras.plan", 2
ALSO_CALLED = "firekeras.plan.planning"  # by one release
WITHOUT_BALANCE = 1  # the version whose plans all ranked by the scores alone
IntArrays = dict[str, np.ndarray]  # by layer, int64
FloatArrays = dict[str, np.ndarray]  # by layer, float64


def save(plan, path):
    """Writes a plan: each of its fields by name."""
    fields = {field.name: _plain(getattr(plan, field.name)) for field in dataclasses.fields(plan)}
    write_text(path, json.dumps({"format": FORMAT, "version": VERSION, **fields}))


def _plain(value):
    """A field for JSON, in which null stands for NaN."""
    if isinstance(value, np.ndarray):
        return [None if math.isnan(number) else number for number in value.tolist()]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return dataclasses.asdict(value) if isinstance(value, Costs) else value


def load(cls: type[T], path) -> T:
    """Reads a plan, an object of the dataclass `cls`."""
    kinds = {field.name: field.type for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    data = _current(path, _parsed(path))
    missing = [name for name in kinds if data.get(name) is None]
    if missing or set(data) - set(kinds):
        raise ValueError(f"{path} is not a whole pruning plan: it lacks {missing}, of the fields {tuple(kinds)}.")
    try:
        return cls(**{name: READ[kind](data[name]) if kind in READ else data[name] for name, kind in kinds.items()})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not a whole pruning plan: {error}.") from error


def _parsed(path):
    existing_file(path)
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a pruning plan, or is damaged: {error}.") from error


def _current(path, data) -> dict:
    """The fields, as the present version has them."""
    if not isinstance(data, dict) or data.pop("format", None) not in (FORMAT, ALSO_CALLED):
        raise ValueError(f'{path} is not a pruning plan: expected JSON with "format": {FORMAT!r}.')
    version = data.pop("version", None)
    if version not in (WITHOUT_BALANCE, VERSION):
        raise ValueError(f"{path} is a plan of another version; this firekeras reads version {VERSION}.")
    return {"balance": 0.0, **data} if version == WITHOUT_BALANCE else data


def _costs(data):
    by_layer = {name: LayerCosts(**c) for name, c in data["by_layer"].items()}
    return Costs(**{**data, "by_layer": by_layer, "uncounted": tuple(data.get("uncounted", ()))})


def _arrays(dtype):
    return lambda data: {name: np.array(values, dtype) for name, values in data.items()}


READ = {"IntArrays": _arrays("int64"), "FloatArrays": _arrays("float64"), "Costs": _costs}  # by annotation
