"""Types of arguments: public functions check what they receive against their own signature, before any work.

Beartype and typeguard check hints as well, and stricter; but a user of Keras expects a sentence such as `epochs must be
a whole number. Received: '8'.`, NumPy's numbers are numbers, and True is none.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import numbers
import os
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from firekeras.refusals import LONGEST, is_number, is_whole, percent_hint

Function = TypeVar("Function", bound=Callable)

_EXAMPLES = {"target": {"conv_macs": 0.5}, "layer_caps": {"conv1": 0.5}, "image_size": (32, 32)}
_SHORT = reprlib.Repr()
_SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 60, 80, 40


def typed(function: Function) -> Function:
    """A decorator: arguments that are not of the types in the signature raise `ValueError` before the call.

    Hints of the kinds Any, numbers, text, paths, classes, functions, collections and unions of these are checked;
    of `Iterable` only that it can be iterated over, for one look would consume it.

    Args:
        function: A function, or the `__init__` of a class, with types in its signature.

    Returns:
        The function with checks in front, of the same signature.

    Example:
    >>> from firekeras.arguments import typed
    >>> @typed
    ... def train(epochs: int, rate: float | None = None): ...
    >>> train("8")
    Traceback (most recent call last):
    ValueError: epochs must be a whole number. Received: '8' (str).
    """

    @functools.wraps(function)
    def checked(*args, **kwargs):
        received = _received(function, args, kwargs)
        if received is None:
            return function(*args, **kwargs)  # Python says what is wrong with the call
        for name, hint in _hints(function).items():
            if name in received.arguments:
                received.arguments[name] = checked_type(name, received.arguments[name], hint)
        return function(*received.args, **received.kwargs)

    return typing.cast(Function, checked)


def checked_type(name: str, value: Any, hint: Any) -> Any:
    """A value of a type, given as a hint such as `int | None`; 3.0 becomes 3 if a whole number is expected.

    Raises:
        ValueError: If it is of another type.
    """
    if not fits(value, hint):
        example = f", such as {_EXAMPLES[name]}" if name in _EXAMPLES else ""
        raise ValueError(f"{name} must be {in_words(hint)}{example}. Received: {short(value)}.{_advice(value, hint)}")
    return int(value) if is_number(value) and not isinstance(value, numbers.Integral) and _only_whole(hint) else value


def _only_whole(hint):
    options = typing.get_args(hint) or (hint,)
    return int in options and float not in options


def _received(function, args, kwargs):
    """The arguments by name; None for a call that Python refuses."""
    try:
        return _signature(function).bind(*args, **kwargs)
    except TypeError:
        return None


_signature = functools.cache(inspect.signature)


@functools.cache
def _hints(function):
    """The hints of a signature; without those that name something imported for type checkers only."""
    named = [p for p in _signature(function).parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    hints = {p.name: _resolved(p.annotation, function) for p in named}
    return {name: hint for name, hint in hints.items() if hint not in (Any, inspect.Parameter.empty)}


def _resolved(annotation, function):
    """What a hint stands for, as `typing.get_type_hints` resolves it, but one by one; Any if it is not imported."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, {"keras": types.SimpleNamespace(Model=Model), **_globals(function)})
    except (NameError, AttributeError):
        return Any


def _globals(function):
    """Where a function's hints have their meaning: in the module that it was written in, not in its decorators'."""
    return inspect.unwrap(function).__globals__


class _KnowsModels(type):
    def __instancecheck__(cls, value):
        keras = sys.modules.get("keras")  # as long as nobody has imported it, there is no model
        return keras is not None and isinstance(value, keras.Model)


class Model(metaclass=_KnowsModels):
    """Stands for `keras.Model` where Keras is imported for type checkers only: planning works without it."""

    __module__ = "keras"


# What a value must be, and how to say it: one entry for each kind of hint


_PLAIN: dict[Any, tuple[Callable[[Any], bool], str, str]] = {
    bool: (lambda value: isinstance(value, (bool, np.bool_)), "True or False", "True or False"),
    int: (is_whole, "a whole number", "whole numbers"),
    float: (is_number, "a number", "numbers"),
    complex: (lambda value: isinstance(value, numbers.Number), "a number", "numbers"),  # in NumPy's ArrayLike
    str: (lambda value: isinstance(value, str), "text", "texts"),
    None: (lambda value: value is None, "None", "None"),
    os.PathLike: (lambda value: isinstance(value, os.PathLike), "a path", "paths"),
    Path: (lambda value: isinstance(value, os.PathLike), "a path", "paths"),
    Callable: (callable, "a function", "functions"),
    Mapping: (lambda value: isinstance(value, Mapping), "a dict", "dicts"),
    dict: (lambda value: isinstance(value, dict), "a dict", "dicts"),
    np.ndarray: (lambda value: isinstance(value, np.ndarray), "an array", "arrays"),
}
_PLAIN[types.NoneType] = _PLAIN[None]


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the type that a hint stands for."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, ArrayLike):  # NumPy says what it cannot convert
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in inside)
    if origin is Literal:
        return value in inside
    if origin is builtins.type:
        return inspect.isclass(value) and issubclass(value, inside)
    if origin is not None:
        return fits(value, origin) and all(fits(entry, kind) for entry, kind in _entries(value, inside))
    if hint in _PLAIN:
        return _PLAIN[hint][0](value)
    if hint in (Iterable, Collection, Sequence):
        return isinstance(value, (hint, np.ndarray)) and not isinstance(value, (str, bytes))
    if hint is tuple:
        return isinstance(value, (tuple, list))
    return not inspect.isclass(hint) or isinstance(value, hint)


def _entries(value, kinds):
    """Pairs of what a collection holds and of what kind it has to be."""
    if isinstance(value, Mapping) and len(kinds) == 2:
        return [*((key, kinds[0]) for key in value), *((entry, kinds[1]) for entry in value.values())]
    if isinstance(value, (list, tuple, set, frozenset)) and kinds:
        return zip(value, kinds[:1] * len(value) if kinds[-1] is ... or len(kinds) == 1 else kinds, strict=False)
    return []


def in_words(hint: Any, several: bool = False) -> str:
    """A hint as a reader says it: `int | None` is "a whole number or None"."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(in_words(option, several) for option in inside))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, inside))
    if origin is builtins.type:
        return f"a class of {inside[0].__name__}"
    if hint in _PLAIN or origin is Callable:
        _, alone, of_them = _PLAIN[hint if hint in _PLAIN else Callable]
        return of_them if several else alone
    if origin in (Mapping, dict) and len(inside) == 2:
        return f"a dict of {in_words(inside[1], several=True)} by {'name' if inside[0] is str else 'number'}"
    if (origin or hint) in (Iterable, Collection, Sequence, list, tuple):
        kinds = [kind for kind in inside if kind is not ...]
        holder = "a tuple" if (origin or hint) is tuple else "a list"
        return f"{holder} of {in_words(kinds[0], several=True)}" if kinds else holder
    return _class_in_words(origin or hint, several)


def _class_in_words(cls, several):
    name = f"{'keras.' if cls.__module__.startswith('keras') else ''}{cls.__name__}"
    return f"{name}s" if several else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def short(value: Any) -> str:
    """A value in a message: never longer than a line, however large it is."""
    if shape := getattr(value, "shape", None):
        return f"an array of shape {tuple(shape)}"
    if isinstance(value, (list, tuple)) and any(hasattr(part, "shape") for part in value):
        return f"a {type(value).__name__} of {len(value)}: {', '.join(short(part) for part in value[:3])}"
    if isinstance(value, dict) and any(hasattr(part, "shape") for part in value.values()):
        return f"a dict of arrays: {', '.join(map(repr, [*value][:3]))}"
    if value is None or isinstance(value, bool) or not repr(value).strip():
        return repr(value)
    text = " ".join(_SHORT.repr(value).split())
    return f"{text if len(text) <= LONGEST else text[: LONGEST - 3] + '...'} ({type(value).__name__})"


def _advice(value, hint):
    """How to read an object whose file was passed in its place, or the share of a percentage; nothing otherwise."""
    if not isinstance(value, (str, os.PathLike)):
        return ""
    if float in (typing.get_args(hint) or (hint,)) and str(value).endswith("%"):
        return percent_hint(value)
    for option in typing.get_args(hint) or (hint,):
        if getattr(option, "__name__", "") == "Model":
            return " Load it first: keras.saving.load_model(path)."
        if hasattr(option, "load"):
            return f" Load it first: {option.__name__}.load(path)."
    return ""
