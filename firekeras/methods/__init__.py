"""The methods, one file per paper: each says, round by round, which filters go next."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from firekeras.methods.by_score import ByScore, criterion_names
from firekeras.methods.fire import FirePruning
from firekeras.methods.fppmo import FPPMO
from firekeras.methods.l1 import L1Pruning
from firekeras.methods.play_and_prune import PlayAndPrune
from firekeras.names import nearest
from firekeras.plan.planning import PruningPlan

METHODS: dict[str, Callable] = {
    "fire": FirePruning,
    "fire_paper": partial(FirePruning, beside=(), balance=0),  # FIRE alone, over all layers together
    "l1": L1Pruning,
    "l1_global": partial(ByScore, "l1", balance=0),  # the criterion, over all layers together
    "play_and_prune": PlayAndPrune,
    "fppmo": FPPMO,
}


class Method(Protocol):
    """What the round engine asks of a method.

    It may have more: `balance`, by which `run.plan` ranks in place of the run's own; `check(model, train_data)`,
    which raises `ValueError` if it can do nothing with them, asked before long work; `prepare(model, run)`, which
    returns the network to plan for and to cut, such as a copy trained in a way of its own, by
    `run.train_for_method`; `details`, a dict of what it has to say of a round; and, for runs that are killed and
    resumed, `profile`, the `FireProfile` that it measured last, `state()`, a dict of plain numbers and lists, and
    `restore(profile, state)`, which takes both up again.

    Example:
    >>> class SmallestNorms:
    ...     def plan(self, model, run):
    ...         return run.plan(model, firekeras.score_filters(model, "l2"))
    >>> firekeras.compress(model, train, validation, method=SmallestNorms())
    """

    def plan(self, model, run) -> PruningPlan:
        """Says what goes next.

        Args:
            model: The network as it is now.
            run: The `compression_rounds`: `run.plan(model, scores)` makes a plan within all its limits,
                `run.train_data` are the data, `run.judged(model)` settles a network and measures the metric.
        """


def described(method) -> dict:
    """A method's class and plain settings, for `run.json`."""
    settings = {name: value for name, value in vars(method).items() if isinstance(value, (bool, int, float, str))}
    return {"class": type(method).__qualname__, **settings}


def check(method, model, train_data):
    """Raises `ValueError` where a method says, after a quick look, that it can do nothing with a network."""
    if hasattr(method, "check"):
        method.check(model, train_data)


def prepared(method, model, run):
    """The network that a method wants to plan for and cut; mostly the one that it is given."""
    return method.prepare(model, run) if hasattr(method, "prepare") else model


def state(method) -> dict:
    """What a method has to remember from round to round, as plain numbers and lists."""
    return method.state() if hasattr(method, "state") else {}


def restore(method, profile, state):
    """Gives a method back what it had measured and remembered, where it takes it."""
    if hasattr(method, "restore"):
        method.restore(profile, state)


def get(identifier: str | Method | type, **options) -> Method:
    """A method by its name, `"fire"`, or that of a criterion, `"l2"`, with its options; a method object as it is.

    Raises:
        ValueError: If there is no method of that name; names the nearest.
    """
    if not isinstance(identifier, str):
        return identifier(**options) if isinstance(identifier, type) else identifier
    known = names()
    if identifier not in known:
        near = nearest(identifier, known)
        raise ValueError(f"Unknown method {identifier!r}. Expected one of {known}. Did you mean {near!r}?")
    return METHODS[identifier](**options) if identifier in METHODS else ByScore(identifier, **options)


def seeded(name: str, seed: int, **options) -> Method:
    """A method by its name, with its options; where it draws at random, a seed decides what."""
    method = get(name, **options)
    return get(name, **options, seed=seed) if "seed" in vars(method) else method


def names() -> list[str]:
    """What `get` knows: the methods, then the criteria that no method is named after."""
    return [*METHODS, *(name for name in criterion_names() if name not in METHODS)]


def register(name: str):
    """Registers a method class under a name, for `compress` and the command line."""

    def decorate(method):
        METHODS[name] = method
        return method

    return decorate


__all__ = [
    *("FPPMO", "METHODS", "ByScore", "FirePruning", "L1Pruning", "Method", "PlayAndPrune"),
    *("check", "described", "get", "names", "prepared", "register", "restore", "seeded", "state"),
]
