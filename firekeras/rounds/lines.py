"""Values as lines of JSON, and back: null stands for NaN, and older lines lack newer fields."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def plain(value):
    """Converts settings and records for JSON: NaN becomes null, and other objects the names of their classes."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return getattr(value, "__qualname__", str(value) if isinstance(value, Path) else type(value).__qualname__)


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
