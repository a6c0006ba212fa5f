"""The methods, one file per paper: each says, round by round, which filters go next."""

from __future__ import annotations

from functools import partial

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


def get(identifier: str | Method | type[Method], **options) -> Method:
    """A method by its name, `"fire"`, or that of a criterion, `"l2"`, with its options; a method object as it is.

    Raises:
        ValueError: If there is no method of that name; names the nearest. If an object is no `Method`.
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


def seeded(name: str, seed: int, **options) -> Method:
    """A method by its name, with its options; where it draws at random, a seed decides what."""
    method = get(name, **options)
    return get(name, **options, seed=seed) if "seed" in vars(method) else method


def names() -> list[str]:
    """What `get` knows: the methods, then the criteria that no method is named after."""
    return [*sorted(METHODS), *(name for name in sorted(CRITERIA) if name not in METHODS)]
