"""The library's sentences in the words of the command line: options in the place of Python's arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import partial

OTHER_NAMES = {"pruning_ratio": "ratio", "layer_caps": "cap"}  # arguments whose options have other names
_VALUE = r"""'[^']*'|"[^"]*"|\.\.\.|[\w.+-]*\w"""
_RULES: list[tuple[re.Pattern, Callable]] = [
    (re.compile(r"(layer_caps)=\{'([^']+)': ([\d.]+)\}"), lambda m: (m[1], f"{m[2]}={m[3]}")),
    (re.compile(r"""(?:method=)?FirePruning\((mode)=['"](\w+)['"]\)"""), lambda m: (m[1], m[2])),
    (re.compile(r"\{'(\w+)': ([\d.]+|'[\w. ]+')\}"), lambda m: (m[1], m[2].replace(" ", ""))),
    (re.compile(rf"\b([a-z_]+)=({_VALUE})"), lambda m: (m[1], m[2])),
    (re.compile(r"^([a-z]\w*)(?= must be )"), lambda m: (m[1], "...")),
    (re.compile(r"(?<![\w/.'\"-])([a-z]+(?:_[a-z]+)+)(?![\w/.'\"(-])"), lambda m: (m[1], "...")),
]
_ENTRY = r"'\w+': (?:[\d.]+|'[\w. ]+')"
_SEVERAL = re.compile(rf"\{{({_ENTRY}(?:, {_ENTRY})+)\}}")


def in_options(text: str, options: Collection[str]) -> str:
    """A sentence of the library with options in the place of Python's arguments.

    Args:
        text: The sentence.
        options: The options of the command, as Python knows them: `"max_rounds"`.

    Example:
    >>> from firekeras.cli.words import in_options
    >>> in_options("Expected more. Pass epochs=None, or max_rounds=3.", {"epochs", "max_rounds"})
    'Expected more. Pass --epochs none, or --max-rounds 3.'
    """
    text = _SEVERAL.sub(partial(_one_by_one, options), text)
    for pattern, parts in _RULES:
        text = pattern.sub(partial(_replaced, parts, options), text)
    return text


def _one_by_one(options, match):
    """Several targets as one each: `{'ram': 0.5, 'macs': 0.4}` as `{'ram': 0.5} {'macs': 0.4}`."""
    entries = match[1].split(", ")
    known = all(entry.split("'")[1] in options for entry in entries)
    return " ".join(f"{{{entry}}}" for entry in entries) if known else match[0]


def _replaced(parts, options, match):
    name, value = parts(match)
    name = OTHER_NAMES.get(name, name)
    if name not in options:
        return match[0]
    return f"{option(name, negated=value == 'False')}{_written(value)}"


def option(name: str, *, negated: bool = False) -> str:
    """A parameter as an option: `"max_rounds"` becomes `"--max-rounds"`."""
    return f"--{'no-' * negated}{name.replace('_', '-')}"


def _written(value):
    """A value as the command line takes it, with a space before it; empty if it takes none."""
    if value in ("...", "True", "False"):
        return ""
    return f" {'none' if value == 'None' else value.strip(chr(39) + chr(34))}"
