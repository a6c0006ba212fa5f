"""Criteria by name: a new one needs one registered function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from firekeras.refusals import Registry

F = TypeVar("F", bound=Callable[..., Any])

NEEDS = ("kernel", "model", "data")


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A registered criterion: its function, and what the function needs, one of `NEEDS`."""

    score: Callable
    needs: str


CRITERIA = Registry("criterion", "firekeras.scores.criteria.criterion")


def criterion(name: str, needs: str = "kernel") -> Callable[[F], F]:
    """Registers a criterion: a function that scores how dispensable filters are, higher is removed first.

    Args:
        name: The name to pass to `score_filters`.
        needs: The arguments of the function, and so what it returns. Defaults to `"kernel"`.
            `"kernel"`: for each layer separately, its kernel, `(*taps, input channels, filters)`, and a
            NumPy random generator; it returns one number per filter, `(filters,)`.
            `"model"`: the model; it returns `FilterScores`.
            `"data"`: the model, and data as `model.fit` takes them; it returns `FilterScores`.

    Returns:
        A decorator that registers a function and returns it.

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

    def register(function: F) -> F:
        CRITERIA[name] = Criterion(function, needs)
        return function

    return register


def get_criterion(name: str) -> Criterion:
    """The criterion of a name; raises `ValueError` with the nearest name if there is none."""
    return CRITERIA.find(name)
