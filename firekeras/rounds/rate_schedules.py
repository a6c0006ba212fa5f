"""Schedules of the learning rate by name. Imports no Keras."""

from __future__ import annotations

import math
from collections.abc import Callable

from firekeras.refusals import check_one_of, shortened


def cosine(progress: float) -> float:
    """Falls from 1 at the beginning of a run to 0 at its end (Loshchilov and Hutter 2017, "SGDR", eq. 5, one period).

    Args:
        progress: From 0 to 1; stays at 0 beyond.
    """
    return (1 + math.cos(math.pi * min(1.0, progress))) / 2


def constant(progress: float) -> float:
    """Always 1."""
    return 1.0


def steps(progress: float) -> float:
    """1, then a tenth from 60% on, and a hundredth from 80% on: epochs 60 and 80 of 100."""
    return 0.1 ** ((progress >= 0.6) + (progress >= 0.8))


def halvings(progress: float) -> float:
    """Halved after a sixth, a third, a half and five sixths: epochs 50, 100, 150, 250 of 300 (FIREPruning, 4.3.1)."""
    return 0.5 ** sum(progress >= epoch / 300 for epoch in (50, 100, 150, 250))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": cosine,
    "constant": constant,
    "steps": steps,
    "halvings": halvings,
}


def get_schedule(schedule: str | Callable[[float], float]) -> Callable[[float], float]:
    """Looks up a schedule by name; a function is returned as it is.

    Args:
        schedule: A name in `SCHEDULES`, or a function of the progress from 0 to 1 that returns a factor.

    Raises:
        ValueError: If there is no schedule of that name, or the function does not return a number from 0.

    Example:
    >>> from firekeras.rounds.rate_schedules import get_schedule
    >>> get_schedule("cosine")(0.5)
    0.5
    """
    if callable(schedule):
        return _checked(schedule)
    hint = " Or give a function from progress, 0 to 1, to the factor of the learning rate."
    check_one_of("schedule", schedule, SCHEDULES, hint=hint)
    return SCHEDULES[schedule]


def _checked(schedule):
    """The same function, if it gives factors; tried at the beginning, in the middle and at the end."""
    for progress in (0.0, 0.5, 1.0):
        factor = schedule(progress)
        if not _is_factor(factor):
            raise ValueError(
                "schedule must return the factor of the learning rate, a number from 0, for a progress from 0 to 1. "
                f"For {progress} it returned {shortened(repr(factor))}."
            )
    return schedule


def _is_factor(value):
    """Whether a value is a number from 0; a scalar of a backend is one too."""
    try:
        return not isinstance(value, str) and 0 <= float(value) < math.inf
    except (TypeError, ValueError):
        return False
