"""JSON of strangers, read by its schema: a Python type says which fields there are, of which types and in which ranges.

msgspec decodes bytes straight into dataclasses and structs and checks them on the way: `true` is no number, `1.0` no
whole number, NaN, Infinity, half characters and deep nesting are refused, and memory stays within a few dozen times the
text. pydantic would do the same with ten times the code to install and to import, and answers on several lines.

Example:
>>> import dataclasses
>>> from firekeras.strict_json import Count, parse
>>> @dataclasses.dataclass
... class Point:
...     x: Count
>>> parse(b'{"x": 3}', Point, "point.json", "a point")
Point(x=3)
>>> parse(b'{"x": -3}', Point, "point.json", "a point", "Write it again.")
Traceback (most recent call last):
ValueError: point.json is not a point: expected int >= 0 at x. Write it again.
"""

from __future__ import annotations

import contextlib
import os
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from firekeras.paths import read_bytes
from firekeras.refusals import printable

T = TypeVar("T")

LARGEST = 2**62  # sums of a few stay within 64 bits
Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Positive = Annotated[int, Meta(ge=1, le=LARGEST)]
Share = Annotated[float, Meta(ge=0, le=1)]

_WORDS = {
    "Input data was truncated": "it is cut off, or holds half a character",
    ", got ": ", received ",
    " - at key in $.": " as a key of ",
}


def read(path: str | os.PathLike, kind: type[T], what: str, advice: str = "", *, most: int = 1 << 26) -> T:
    """Reads a JSON file as a type.

    Args:
        path: The file.
        kind: A dataclass, `msgspec.Struct` or any other type that msgspec knows.
        what: What the file is, for the error: `"a pruning plan"`.
        advice: What to do if it is not, a sentence. Defaults to none.
        most: The number of bytes that it may have. Defaults to 64 MiB.

    Raises:
        ValueError: If there is no such file, or it is not of the type; says where, and what was expected.
    """
    return parse(read_bytes(path, most), kind, str(path), what, advice)


def parse(data: bytes | str, kind: type[T], where: str, what: str, advice: str = "") -> T:
    """Reads JSON as a type.

    Args:
        data: The text.
        kind, what, advice: As in `read`.
        where: Where the text stands, for the error: `"run/events.jsonl, line 3"`.

    Raises:
        ValueError: If it is not of the type.
    """
    with _refused(where, what, advice):
        return msgspec.json.decode(data, type=kind)


def convert(data: object, kind: type[T], where: str, what: str, advice: str = "") -> T:
    """Reads plain lists and dicts as a type; arguments and errors as in `parse`."""
    with _refused(where, what, advice):
        return msgspec.convert(data, type=kind, str_keys=True)


@contextlib.contextmanager
def _refused(where, what, advice):
    try:
        yield
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{where} is not {what}: {_in_words(error)}. {advice}".rstrip()) from error


def _in_words(error):
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said, _, place = printable(error).replace("`", "").partition(" - at $")
    for words, better in _WORDS.items():
        said = said.replace(words, better)
    said = said if said.startswith("JSON") else said[:1].lower() + said[1:]
    return f"{said} at {place.lstrip('.')}" if place else said
