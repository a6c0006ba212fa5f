"""The methods, one file per paper: each decides, round by round, which filters go next."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import partial
from typing import Any

from firekeras.arguments import typed
from firekeras.discovery import import_all
from firekeras.methods.by_score import ByScore
from firekeras.methods.fire import FirePruning
from firekeras.methods.fppmo import FPPMO
from firekeras.methods.l1 import L1Pruning
from firekeras.methods.play_and_prune import PlayAndPrune
from firekeras.refusals import suggestion, unknown
from firekeras.rounds.method import METHODS, Method, register
from firekeras.scores.criteria import CRITERIA

import_all(__name__, __path__)

__all__ = [
    "FPPMO",
    "METHODS",
    "ByScore",
    "FirePruning",
    "L1Pruning",
    "Method",
    "PlayAndPrune",
    "get",
    "names",
    "options_of",
    "register",
    "seeded",
]


@typed
def get(identifier: str | Method | type[Method], **options: Any) -> Method:
    """Makes a method from a name; a method object is returned as it is.

    Args:
        identifier: The name of a method, such as `"fire"`, or of a criterion, such as `"l2"`; a class derived from
            `Method`; or a method object.
        **options: Arguments for the method's constructor.

    Returns:
        The method.

    Raises:
        ValueError: If there is no method of that name (the message suggests the nearest one), or an object is not a
            `Method`.

    Example:
    >>> method = firekeras.methods.get("fire", mode="measured")
    """
    if isinstance(identifier, str):
        check_options(identifier, options)
        return _maker(identifier)(**options)
    method = identifier(**options) if isinstance(identifier, type) else identifier
    if not isinstance(method, Method):
        raise ValueError(
            f"Expected a method: one of {names()}, or an object of a class derived from firekeras.methods.Method. "
            f"Received: {identifier!r}."
        )
    return method


def _maker(name):
    if name in METHODS:
        return METHODS[name]
    if name in CRITERIA:
        return partial(ByScore, name)
    raise unknown("method", name, names())


@typed
def seeded(name: str, seed: int, **options: Any) -> Method:
    """Makes a method from a name, seeded if it draws at random.

    Args:
        name: As `get` takes it.
        seed: Seeds everything that the method draws at random.
        **options: Arguments for the method's constructor.

    Returns:
        The method.

    Raises:
        ValueError: If there is no method of that name; suggests the nearest one.

    Example:
    >>> firekeras.methods.seeded("random", seed=3).seed
    3
    """
    return get(name, **{**({"seed": seed} if "seed" in options_of(name) else {}), **options})


@typed
def options_of(name: str) -> dict[str, inspect.Parameter]:
    """The options of a method, from the signature of the class or function that makes it.

    Args:
        name: The name of a method or criterion.

    Returns:
        A parameter for each option, by its name.

    Raises:
        ValueError: If there is no method of that name; suggests the nearest one.

    Example:
    >>> firekeras.methods.options_of("l1")["selection"].default
    'independent'
    """
    return dict(inspect.signature(_maker(name)).parameters)


def documentation_of(name: str) -> str:
    """The docstring of the class whose options a method takes."""
    maker = _maker(name)
    documented = getattr(maker, "of", getattr(maker, "func", maker))
    return inspect.getdoc(documented) or ""


def summary_of(name: str) -> str:
    """The first line about a method or criterion."""
    described = METHODS.get(name) or CRITERIA[name].score
    return (inspect.getdoc(described) or "").split("\n")[0]


def check_options(name: str, options: Iterable[str]) -> None:
    """Raises `ValueError` if a method has no option of such a name."""
    known = options_of(name)
    if any(each.kind is each.VAR_KEYWORD for each in known.values()):
        return  # what it takes, only it knows
    for option in options:
        if option not in known:
            raise ValueError(
                f"The method {name!r} has no option {option!r}.{suggestion(option, known)} It takes {', '.join(known)}."
            )


def names() -> list[str]:
    """Lists the names that `get` knows.

    Returns:
        The methods, then the criteria that are not themselves methods, each in alphabetical order.

    Example:
    >>> "fire" in firekeras.methods.names()
    True
    """
    return [*sorted(METHODS), *(name for name in sorted(CRITERIA) if name not in METHODS)]
