"""Schedules of the learning rate by name. Imports no Keras."""

from __future__ import annotations

import math
from collections.abc import Callable

from firekeras.refusals import check_one_of


def cosine(progress: float) -> float:
    """Falls from 1 at the beginning of a run to 0 at its end (Loshchilov and Hutter 2017, "SGDR", eq. 5, one period).

    Args:
        progress: From 0 to 1; stays at 0 beyond.
    """
    return (1 + math.cos(math.pi * min(1.0, progress))) / 2


def constant(progress: float) -> float:
    """Always 1."""
    return 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {"cosine": cosine, "constant": constant}


def get_schedule(schedule: str | Callable[[float], float]) -> Callable[[float], float]:
    """Looks up a schedule by name; a function is returned as it is.

    Args:
        schedule: `"cosine"`, `"constant"`, or a function of the progress from 0 to 1 that returns a factor.

    Raises:
        ValueError: If there is no schedule of that name.

    Example:
    >>> from firekeras.rounds.rate_schedules import get_schedule
    >>> get_schedule("cosine")(0.5)
    0.5
    """
    if callable(schedule):
        return schedule
    hint = " Or give a function from progress, 0 to 1, to the factor of the learning rate."
    check_one_of("schedule", schedule, SCHEDULES, hint=hint)
    return SCHEDULES[schedule]
