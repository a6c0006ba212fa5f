"""Options of methods on the command line: NAME=VALUE."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

WORDS = {"true": True, "false": False, "none": None}


def parsed_options(texts: Iterable[str] | None) -> dict[str, Any]:
    """Parses options of a method: what Python reads as a value is one, all else is text.

    Raises:
        ValueError: If one is not NAME=VALUE, or is given twice.

    Example:
    >>> from firekeras.cli.method_options import parsed_options
    >>> parsed_options(["rates={'conv1': 0.5}", "selection=greedy", "iterative=true"])
    {'rates': {'conv1': 0.5}, 'selection': 'greedy', 'iterative': True}
    """
    options: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name.isidentifier() and equals and value):
            raise ValueError(f"--option is NAME=VALUE, such as mode=measured. Received: {text!r}.")
        if name in options:
            raise ValueError(f"--option is given twice for {name!r}. Leave one of them out.")
        options[name] = _value(value)
    return options


def options_by_method(texts: Iterable[str] | None) -> dict[str, dict[str, Any]]:
    """Parses options of several methods, METHOD.NAME=VALUE each, as `parsed_options` does those of one.

    Raises:
        ValueError: If one does not say for which method it is.

    Example:
    >>> from firekeras.cli.method_options import options_by_method
    >>> options_by_method(["fire.mode=measured", "fire:paper.regressor=mlp"])
    {'fire': {'mode': 'measured'}, 'fire:paper': {'regressor': 'mlp'}}
    """
    of_method: dict[str, list[str]] = {}
    for text in texts or ():
        left, equals, value = text.partition("=")
        method, dot, name = left.rpartition(".")
        if not (method and dot):
            raise ValueError(
                f"--option is METHOD.NAME=VALUE in a comparison, such as fire.mode=measured. Received: {text!r}."
            )
        of_method.setdefault(method, []).append(f"{name}{equals}{value}")
    return {method: parsed_options(options) for method, options in of_method.items()}


def _value(text):
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
