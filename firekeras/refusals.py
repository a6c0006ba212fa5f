"""Refusals: mistyped names with the nearest known one, and checks of the type of a value."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def nearest(name: object, names: Iterable[str]) -> str | None:
    """The closest match to `name` among `names`; None if there are no names."""
    return next(iter(difflib.get_close_matches(str(name), list(names), n=1, cutoff=0)), None)


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """The error for an unknown name, with the nearest known one."""
    known = list(known)
    near = nearest(name, known)
    hint = f" Did you mean {near!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}. Expected one of {known}.{hint}")


class Registry(dict):
    """Objects by name, to which users can add their own.

    Args:
        kind: What the objects are, for error messages: `"recovery step"`.
    """

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def register(self, *names: str) -> Callable[[Any], Any]:
        """A decorator that registers what it decorates under these names."""

        def decorate(entry):
            self.update(dict.fromkeys(names, entry))
            return entry

        return decorate

    def find(self, name: str) -> Any:
        """The object registered under a name.

        Raises:
            ValueError: If there is none; suggests the nearest name.
        """
        if name not in self:
            raise unknown(self.kind, name, self)
        return self[name]


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more layer{'s' * (more > 1)}" if more > 0 else "")


def is_number(value: object) -> bool:
    """Whether a value is a single number; True and False do not count as numbers."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
