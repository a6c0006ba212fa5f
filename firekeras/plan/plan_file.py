"""Plans as JSON files: written whole or not at all; what is damaged, or contradicts itself, is refused.

A file is read by its schema, which is the fields of the plan, then checked by `firekeras.plan.consistency`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, TypeVar

import msgspec
import numpy as np

from firekeras.atomic import write_text
from firekeras.channels.costs import Costs
from firekeras.paths import read_bytes
from firekeras.plan.consistency import check_consistent
from firekeras.strict_json import Count, Positive, Share, parse

T = TypeVar("T")
FORMAT, VERSION = "firekeras.plan", 3
ALSO_CALLED = "firekeras.plan.planning"  # by one release
MOST = 1 << 28  # bytes
IntArrays = dict[str, np.ndarray]  # by layer, int64
FloatArrays = dict[str, np.ndarray]  # by layer, float64

ADVICE = "Make it again with plan_pruning(...).save(...)."
BEFORE: dict[int, dict[str, Any]] = {  # the fields that earlier versions lack, and what they stood for
    1: {"balance": 0.0, "norms": {}},
    2: {"norms": {}},
    VERSION: {},
}
IN_FILES = {  # by annotation; those that are not here are read as they are
    "IntArrays": dict[str, list[Count]],
    "FloatArrays": dict[str, list[float | None]],
    "Costs": Costs,
    "dict[str, int]": dict[str, Positive],
    "list[str]": list[str],
    "str": str,
    "int": Count,
    "float": Share,
}
ARRAYS = {"IntArrays": "int64", "FloatArrays": "float64"}


class Head(msgspec.Struct):
    """What says whether a file is a plan."""

    format: Any = None
    version: Any = None


def save(plan, path):
    """Writes a plan: each of its fields by name."""
    fields = {field.name: _plain(getattr(plan, field.name)) for field in dataclasses.fields(plan)}
    write_text(path, json.dumps({"format": FORMAT, "version": VERSION, **fields}, allow_nan=False))


def _plain(value):
    """A field for JSON, in which null stands for what is not a finite number."""
    if isinstance(value, np.ndarray):
        return [number if math.isfinite(number) else None for number in value.tolist()]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return dataclasses.asdict(value) if isinstance(value, Costs) else value


def load(cls: type[T], path) -> T:
    """Reads a plan, an object of the dataclass `cls`."""
    data = read_bytes(path, MOST)
    version = _version(path, data)
    kinds = {field.name: str(field.type) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    fields = [_entry(name, kind, BEFORE[version]) for name, kind in kinds.items()]
    schema = msgspec.defstruct("Plan", fields, kw_only=True)
    read = parse(data, schema, str(path), "a whole pruning plan", ADVICE)
    plan: Any = cls(**{name: _value(getattr(read, name), kind) for name, kind in kinds.items()})
    try:
        check_consistent(plan)
    except ValueError as error:
        raise ValueError(f"{path} is not a whole pruning plan: {error}. {ADVICE}") from error
    return plan


def _version(path, data):
    head = parse(data, Head, str(path), "a pruning plan, or is damaged", ADVICE)
    if head.format not in (FORMAT, ALSO_CALLED):
        raise ValueError(f'{path} is not a pruning plan: expected JSON with "format": {FORMAT!r}.')
    if type(head.version) is not int or head.version not in BEFORE:
        raise ValueError(
            f"{path} is a plan of another version, {head.version!r}; this firekeras reads versions up to {VERSION}. "
            "Plan again, or use the firekeras that wrote it."
        )
    return head.version


def _entry(name, kind, defaults):
    """A field of the schema: (name, type), with a default if files of that version lack it."""
    default = [msgspec.field(default_factory=lambda: defaults[name])] if name in defaults else []
    return (name, IN_FILES[kind], *default)


def _value(value, kind):
    return {name: np.array(values, ARRAYS[kind]) for name, values in value.items()} if kind in ARRAYS else value
