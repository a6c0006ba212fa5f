"""How much of a layer may go at once: no more than was asked for, unless the plan cannot be had otherwise."""

from __future__ import annotations

import functools
from collections.abc import Callable

STEPS = (0.5, 0.75, 1.0)


def narrowest_cut(reaches: Callable[[float], float], max_cut: float, wanted: float) -> float:
    """The least share of a layer that may go at once by which a plan comes as far as is wanted.

    Where no share does, the least by which it comes as far as it can.

    Args:
        reaches: How far a plan comes with a share: how many filters go, or how much of a cost.
        max_cut: The share to begin with, above 0, up to 1.
        wanted: How far it shall come.
    """
    reached = functools.cache(reaches)
    if max_cut >= 1 or reached(max_cut) >= wanted:
        return max_cut
    enough = min(wanted, reached(1.0))
    shares = (max_cut, *(share for share in STEPS if share > max_cut))
    return next(share for share in shares if reached(share) >= enough)


def widened_because(asked: str, max_cut: float, cut: float) -> list[str]:
    """What a user should know where a layer may lose more than was asked for."""
    if cut <= max_cut:
        return []
    return [f"Layers may lose up to {cut:.0%} of their filters here, not {max_cut:.0%}: {asked} needs it (max_cut)."]
