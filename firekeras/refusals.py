"""Words of refusal: names that somebody mistyped, and values of another type than was asked for."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable


def nearest(name, names: Iterable[str]) -> str | None:
    """Which of `names` is most like `name`; None where there are none."""
    return next(iter(difflib.get_close_matches(str(name), list(names), n=1, cutoff=0)), None)


def unknown(kind: str, name, known: Iterable[str]) -> ValueError:
    """The error for a name that is not among those known."""
    known = list(known)
    near = nearest(name, known)
    hint = f" Did you mean {near!r}?" if near else ""
    return ValueError(f"Unknown {kind} {name!r}. Expected one of {known}.{hint}")


class Registry(dict):
    """Things by name, to which others may add theirs.

    Args:
        kind: What they are, for errors: `"recovery step"`.
        decorator: What registers others, for errors: `"firekeras.recovery.recovery_step"`.
    """

    def __init__(self, kind: str, decorator: str):
        super().__init__()
        self.kind, self.decorator = kind, decorator

    def register(self, *names: str):
        """A decorator that makes what it decorates known by these names."""

        def decorate(thing):
            self.update(dict.fromkeys(names, thing))
            return thing

        return decorate

    def find(self, name: str):
        """What is known by a name.

        Raises:
            ValueError: If there is nothing; names the nearest.
        """
        if name not in self:
            raise ValueError(f"{unknown(self.kind, name, self)} Add others with {self.decorator}(name).")
        return self[name]


def listed(names, most=3) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more layer{'s' * (more > 1)}" if more > 0 else "")


def is_number(value) -> bool:
    """Whether a value is a single number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
