"""How much of a layer may be removed at once: no more than requested, unless the plan needs more."""

from __future__ import annotations

import functools
from collections.abc import Callable

STEPS = (0.5, 0.75, 1.0)


def narrowest_cut(reaches: Callable[[float], float], max_cut: float, wanted: float) -> float:
    """The smallest share per layer with which a plan gets as far as wanted, or else as far as possible.

    Args:
        reaches: A function of the share that returns how far a plan gets: how many filters it removes, or
            how much of a cost.
        max_cut: The share to start with, above 0, up to 1.
        wanted: How far it should get.
    """
    reached = functools.cache(reaches)
    if max_cut >= 1 or reached(max_cut) >= wanted:
        return max_cut
    enough = min(wanted, reached(1.0))
    shares = (max_cut, *(share for share in STEPS if share > max_cut))
    return next(share for share in shares if reached(share) >= enough)


def widened_because(asked: str, max_cut: float, cut: float) -> list[str]:
    """A note if a layer may lose more than requested."""
    if cut <= max_cut:
        return []
    return [f"Layers may lose up to {cut:.0%} of their filters here, not {max_cut:.0%}: {asked} needs it (max_cut)."]
