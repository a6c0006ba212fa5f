"""Lines of JSON and the dataclasses that they are read as: null stands for NaN, and older lines lack newer fields."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def as_number(value) -> float:
    """A number from JSON, in which null stands for NaN."""
    return math.nan if value is None else float(value)


READ: dict[str, Callable] = {"float": as_number, "int": int, "bool": bool}  # by annotation; others stay as they are


def needed(source: Mapping, key: str) -> Any:
    """The value of a key that every event of its kind, or every `run.json`, has.

    Raises:
        ValueError: If it is missing.
    """
    if key not in source:
        kind = f"An event {source['event']!r}" if "event" in source else "run.json"
        raise ValueError(
            f"{kind} lacks {key!r}: the run directory is damaged, or another version of firekeras wrote it."
        )
    return source[key]


def read(cls: type[T], line: Mapping, **others: Any) -> T:
    """An object of a dataclass from a line, whose further keys are ignored.

    Args:
        cls: The dataclass.
        line: The line, parsed. Fields that have a default may be missing.
        **others: Fields that do not come from the line.

    Raises:
        ValueError: If a field without a default is missing.
    """
    fields = [field for field in dataclasses.fields(cls) if field.name not in others]  # type: ignore[arg-type]
    return cls(**{field.name: _value(field, line) for field in fields if not _by_default(field, line)}, **others)


def _by_default(field, line):
    has_default = (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)
    return has_default and line.get(field.name) is None


def _value(field, line):
    value = needed(line, field.name)
    return READ[field.type](value) if field.type in READ else value
