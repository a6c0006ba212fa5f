"""Names that somebody mistyped, and values of another type than was asked for."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable


def nearest(name, names: Iterable[str]) -> str | None:
    """Which of `names` is most like `name`; None where there are none."""
    return next(iter(difflib.get_close_matches(str(name), list(names), n=1, cutoff=0)), None)


def listed(names, most=3) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more layer{'s' * (more > 1)}" if more > 0 else "")


def is_number(value) -> bool:
    """Whether a value is a single number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
