"""The metric that is watched: which way is better, and how far it may fall. No Keras in here."""

from __future__ import annotations

LOWER_IS_BETTER = ("loss", "error", "mae", "mse", "crossentropy", "divergence")


def lower_is_better(monitor) -> bool:
    """Whether small values of this metric are the good ones, by its name."""
    return any(word in monitor.lower() for word in LOWER_IS_BETTER)


def worst_accepted(baseline, tolerance, monitor) -> float:
    """The metric that a round must reach: `tolerance` worse than the baseline."""
    return baseline + tolerance if lower_is_better(monitor) else baseline - tolerance
