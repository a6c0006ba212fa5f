"""Criteria by name: adding one is registering one function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from firekeras.refusals import Registry

NEEDS = ("kernel", "model", "data")


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A registered criterion: its function, and what that needs, one of `NEEDS`."""

    score: Callable
    needs: str


CRITERIA = Registry("criterion", "firekeras.scores.criteria.criterion")


def criterion(name: str, needs: str = "kernel"):
    """Registers a criterion: a function that says how dispensable filters are, higher goes first.

    Args:
        name: What `score_filters` finds it by.
        needs: What the function is called with, and so what it gives. Defaults to `"kernel"`.
            `"kernel"`: for each layer by itself, its kernel, `(*taps, input channels, filters)`, and a
            NumPy random generator; it gives one number per filter, `(filters,)`.
            `"model"`: the model; it gives `FilterScores`.
            `"data"`: the model, and data as `model.fit` takes them; it gives `FilterScores`.

    Raises:
        ValueError: If `needs` is none of these.

    Example:
    >>> from firekeras.scores.criteria import criterion
    >>> @criterion("largest_weight")
    ... def largest_weight(kernel, rng):
    ...     return -np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    >>> firekeras.score_filters(model, "largest_weight")["conv1"].shape
    (8,)
    """
    if needs not in NEEDS:
        raise ValueError(f"needs says what a criterion is called with: one of {NEEDS}. Received: {needs!r}.")

    def register(function):
        CRITERIA[name] = Criterion(function, needs)
        return function

    return register


def get_criterion(name: str) -> Criterion:
    """The criterion of a name; `ValueError` with the nearest where there is none."""
    return CRITERIA.find(name)
