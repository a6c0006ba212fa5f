"""Refusals: mistyped names with the nearest known one, and checks of the type of a value."""

from __future__ import annotations

import difflib
import math
import numbers
import operator
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

LARGEST = 2**63  # int64 ends below
LONGEST = 80  # characters of a value in a message
LEAST_PART = 2  # characters: one is in too many names
LEAST_PERCENT = 2
HOLD_OUT = (
    "Hold some samples out: firekeras.datasets.hold_out, or (x[:n], y[:n]) to train on and (x[n:], y[n:]) to judge by."
)
OF_TENSORFLOW = ("Graph execution error", "Detected at node", "<stack traces")  # its headers, before what was wrong
SIMILAR = 0.6  # a cutoff for suggestions: what is less like what was typed was not meant


def nearest(name: object, names: Iterable[str], cutoff: float = 0) -> str | None:
    """The closest match to `name` among `names`: one that `name` is a part of, if there is any; case does not count.

    None if none is as similar as the cutoff, from 0 to 1.
    """
    typed, known = str(name).lower(), {str(each).lower(): each for each in names}
    within = [each for each in known if typed in each] if len(typed) >= LEAST_PART else []
    close = difflib.get_close_matches(typed, within or known, n=1, cutoff=0 if within else cutoff)
    return known[close[0]] if close else None


def nearest_first(name: object, names: Iterable[str]) -> list[str]:
    """The names, the most similar to `name` first; case does not count."""
    matcher = difflib.SequenceMatcher(b=str(name).lower())

    def similarity(known):
        matcher.set_seq1(str(known).lower())
        return matcher.ratio()

    return sorted(names, key=similarity, reverse=True)


def suggestion(name: object, names: Iterable[str], cutoff: float = SIMILAR) -> str:
    """A sentence with the closest match to `name`, and a space before it; empty if none is as similar as the cutoff."""
    near = nearest(name, names, cutoff)
    return f" Did you mean {near!r}?" if near else ""


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """The error for an unknown name, with the nearest known one."""
    known = list(known)
    received = " ".join(repr(name).split())[:80]
    return ValueError(f"Unknown {kind} {received}. Expected one of {known}.{suggestion(name, known, cutoff=0.5)}")


class Registry(dict):
    """Objects by name, to which users can add their own.

    Args:
        kind: What the objects are, for error messages: `"recovery step"`.
        decorator: What registers others, for error messages: `"firekeras.recovery.recovery_step"`.
    """

    def __init__(self, kind: str, decorator: str):
        super().__init__()
        self.kind, self.decorator = kind, decorator

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
        if not isinstance(name, str) or name not in self:
            raise ValueError(f"{unknown(self.kind, name, self)} Add others with {self.decorator}(name).")
        return self[name]


def printable(text: object) -> str:
    """Text on one line without control characters, since names come from files and go to terminals."""
    return "".join(character if character.isprintable() else " " for character in str(text))


def cause(error: BaseException, most: int = 200) -> str:
    """What an error of another library says, in one line of at most `most` characters; its class if that is nothing."""
    said = str(error).rpartition("Exception encountered:")[2]  # Keras puts all of a config before it
    lines = (line for line in said.splitlines() if line.strip() and not line.startswith(OF_TENSORFLOW))
    line = " ".join(printable(next(lines, "")).split())
    if isinstance(error, LookupError) or not line:  # a lookup's error says only what was looked up
        line = f"{type(error).__name__} {line}".strip()
    return line if len(line) <= most else f"{line[:most]} ..."


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more layer{'s' * (more > 1)}" if more > 0 else "")


def by_reason(reasons: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The names that share a reason, by the reason, in order.

    Args:
        reasons: Pairs of a name and its reason.
    """
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        names.setdefault(reason, []).append(name)
    return names


def warn_caller(message: str) -> None:
    """Warns, and points at the line of the user's code that called firekeras, through however many frames."""
    frame, ours = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("firekeras", "keras", "contextlib"):
        frame, ours = frame.f_back, ours + 1
    warnings.warn(message, stacklevel=ours)


def is_number(value: object) -> bool:
    """Whether a value is a single number; True and False do not count as numbers."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a value is a single number that equals a whole one: 3, 3.0, and NumPy's."""
    return is_number(value) and (isinstance(value, numbers.Integral) or float(value).is_integer())


def percent_hint(share: Any) -> str:
    """A sentence for a share that was meant in percent, with a space before it; empty if it was not.

    Numbers up to 2 without a sign are too close to shares to be sure.
    """
    text = str(share).strip()
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        return ""
    least = 0 if text.endswith("%") else LEAST_PERCENT
    return f" {percent:g}% is {percent / 100:g}." if least < percent <= 100 else ""


def quotes_hint(share: Any) -> str:
    """A sentence for a share that is text in Python, with a space before it; empty if it is no such text."""
    try:
        number = float(share) if isinstance(share, str) else 0.0
    except ValueError:
        return ""
    return f" Write the number without quotes: {number:g}." if 0 < number <= 1 else ""


# Arguments: NAME must be WHAT, in which range, or one of which. Received: VALUE.

_BOUNDS = {"least": operator.ge, "above": operator.gt, "most": operator.le, "below": operator.lt}
_RANGES = {
    ("least",): "at least {}",
    ("above",): "above {}",
    ("least", "most"): "from {} to {}",
    ("above", "most"): "above {}, up to {}",
    ("least", "below"): "from {} to below {}",
    ("above", "below"): "above {} and below {}",
}


def check_number(name: str, value: Any, meaning: str = "a number", *, hint: str = "", **bounds: float) -> None:
    """Raises `ValueError` unless a value is a number within bounds, and finite unless `most` is infinity.

    Args:
        name: The argument, as the caller knows it.
        value: What was received.
        meaning: What it stands for; completes "NAME must be ...". Defaults to `"a number"`.
        hint: A sentence to add, with a space before it. Defaults to none.
        **bounds: `least` or `above`, then `most` or `below`: the ends of its range, themselves in it or not.

    Example:
    >>> from firekeras.refusals import check_number
    >>> check_number("delta", 0, above=0)
    Traceback (most recent call last):
    ValueError: delta must be a number, above 0. Received: 0.
    """
    finite = is_number(value) and (math.isfinite(value) or value == bounds.get("most"))
    _check(name, value, finite, meaning, hint, bounds)


def checked_whole(
    name: str, value: Any, least: int, meaning: str = "a whole number", *, hint: str = "", **bounds: float
) -> int:
    """Returns a whole number as an `int`; any number that equals one is taken: `3.0` and NumPy's are 3.

    Args:
        name, value, meaning, hint: As in `check_number`.
        least: The smallest value that is accepted.
        **bounds: `most` or `below`, as in `check_number`.

    Returns:
        The number.

    Raises:
        ValueError: If it is not a whole number in this range; True and False are not numbers.

    Example:
    >>> from firekeras.refusals import checked_whole
    >>> checked_whole("epochs", 3.0, least=1)
    3
    """
    if is_whole(value) and abs(value) >= LARGEST:
        hint = " It is larger than any number that arrays can hold."
    _check(name, value, is_whole(value) and abs(value) < LARGEST, meaning, hint, {"least": least, **bounds})
    return int(value)


def check_share(name: str, value: Any, meaning: str = "a share", *, hint: str = "", **bounds: float) -> None:
    """Raises `ValueError` unless a value is from 0 to 1; `above=0` and `below=1` leave the ends out."""
    low = {} if "above" in bounds else {"least": 0}
    high = {} if "below" in bounds else {"most": 1}
    check_number(name, value, meaning, hint=hint or percent_hint(value), **low, **high, **bounds)


def _check(name, value, fits, meaning, hint, bounds):
    if not fits or not all(_BOUNDS[end](value, limit) for end, limit in bounds.items()):
        raise ValueError(f"{name} must be {meaning}{_range(bounds)}. Received: {_in_a_line(value)}.{hint}")


def _in_a_line(value):
    return shortened(" ".join(repr(value).split()))


def shortened(text: str) -> str:
    """A text in a message, cut if it is long."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _range(bounds):
    said = [end for end in _BOUNDS if math.isfinite(bounds.get(end, math.inf))]
    return f", {_RANGES[tuple(said)].format(*(bounds[end] for end in said))}" if said else ""


def check_one_of(name: str, value: Any, known: Iterable, *, hint: str = "") -> None:
    """Raises `ValueError` unless a value is one of those known."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}. Received: {_in_a_line(value)}.{hint}")


def check_batch_size(size: Any) -> None:
    """Raises `ValueError` unless it is the number of samples in a batch, or None for a default."""
    if size is not None:
        checked_whole("batch_size", size, 1)
