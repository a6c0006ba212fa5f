"""The methods, one file per paper: each decides, round by round, which filters go next."""

from __future__ import annotations

from functools import partial
from typing import Any

from firekeras.arguments import typed
from firekeras.discovery import import_all
from firekeras.methods.by_score import ByScore
from firekeras.methods.fire import FirePruning
from firekeras.methods.fppmo import FPPMO
from firekeras.methods.l1 import L1Pruning
from firekeras.methods.play_and_prune import PlayAndPrune
from firekeras.refusals import unknown
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
    method = get(name, **options)
    return get(name, **options, seed=seed) if "seed" in vars(method) else method


def names() -> list[str]:
    """Lists the names that `get` knows.

    Returns:
        The methods, then the criteria that are not themselves methods, each in alphabetical order.

    Example:
    >>> "fire" in firekeras.methods.names()
    True
    """
    return [*sorted(METHODS), *(name for name in sorted(CRITERIA) if name not in METHODS)]
