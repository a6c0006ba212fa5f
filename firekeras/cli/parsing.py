"""How values of options are read and shown: numbers with our own sentences, and no types of Python's in the help."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from firekeras.refusals import LARGEST, shortened

METAVARS = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH", bool: ""}  # a flag takes no value


def parsed_number(text: str) -> float:
    """A number, or a fraction such as 1/255, of an option; also infinity."""
    try:
        above, slash, below = str(text).partition("/")
        value = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError) as error:
        raise _wrong(text, "a number such as 0.5, or a fraction such as 1/255") from error
    if math.isnan(value):
        raise _wrong(text, "a number")
    return value


def parsed_finite(text: str) -> float:
    """A number that is not infinite."""
    value = parsed_number(text)
    if not math.isfinite(value):
        raise _wrong(text, "a finite number")
    return value


def parsed_factor(text: str) -> float:
    """A finite number other than 0."""
    value = parsed_finite(text)
    if not value:
        raise _wrong(text, "a number other than 0")
    return value


def parsed_numbers(text: str) -> list[float]:
    """Numbers with commas between them."""
    return [parsed_finite(part) for part in str(text).split(",")]


def parsed_factors(text: str) -> list[float]:
    """Numbers other than 0 with commas between them."""
    return [parsed_factor(part) for part in str(text).split(",")]


def at_least(least: float | None) -> Callable[[str], int]:
    """A parser of whole numbers, none below `least`, if there is a least one."""

    def whole(text: str) -> int:
        kind = "a whole number" if least is None else f"a whole number, at least {least}"
        try:
            value = int(str(text))
        except ValueError as error:
            raise _wrong(text, kind) from error
        if abs(value) >= LARGEST or (least is not None and value < least):
            raise _wrong(text, kind)
        return value

    return whole


def _wrong(text, expected):
    return typer.BadParameter(
        f"Expected {expected}. Received: {shortened(str(text)) or repr(text)}.{_percent(str(text))}"
    )


def _percent(text):
    try:
        return f" {text} is {float(text[:-1]) / 100:g}." if text.endswith("%") else ""
    except ValueError:
        return ""


def prepared(command: Callable) -> Callable:
    """A command whose options are read by the parsers above and whose help shows what they take, by their types.

    Args:
        command: A function with `typer.Option` and `typer.Argument` in its annotations.
    """
    # Typer reads the annotations again, and would make those that are spelled as text again
    command.__annotations__ = typing.get_type_hints(command, include_extras=True)
    for hint in command.__annotations__.values():
        for info in getattr(hint, "__metadata__", ()):
            _prepare(info, _kind_of(typing.get_args(hint)[0]))
    return command


def _kind_of(hint) -> Any:
    """The type of a value: `int` of `int | None`, `Path` of `list[Path]`."""
    while typing.get_args(hint):
        hint = typing.get_args(hint)[0]
    return hint


def _prepare(info, kind):
    if info.metavar is None:
        info.metavar = METAVARS.get(kind)
    if info.parser is None and kind in (int, float):
        info.parser = at_least(info.min) if kind is int else parsed_number
        info.min = None  # the parser checks it


def without_types(parameters: list) -> list:
    """The parameters of a command, with no type beside arguments, whose names say it, and none beside `--help`."""
    for each in parameters:
        if each.param_type_name == "argument":
            each.display_type_rich = _nothing
        elif each.metavar is None:
            each.metavar = ""
    return parameters


def _nothing(ctx):
    return ""
