"""The relative change of a cost."""

from __future__ import annotations


def change(before: float, after: float) -> float | None:
    """The relative change, from -1 (everything gone) to 0 (no change); `None` if the cost was 0."""
    return (after - before) / before if before else None


def percent(share: float | None) -> str:
    """A change in percent: "0%" only if there is exactly no change, empty if there was no cost."""
    if share is None:
        return ""
    return f"{share:+.1%}" if share else "0%"


def milliseconds(seconds: float) -> str:
    """A time in three digits, without a unit; zeros at the end count: "0.0300"."""
    time = 1e3 * seconds
    return f"{time:#.3g}".rstrip(".") if time < 999.5 else f"{time:,.0f}"


def short_score(score: float) -> str:
    """A score in two digits, or in whole numbers of three or more, which are shorter than powers of ten."""
    score += 0.0  # -0.0 becomes 0
    return f"{score:.0f}" if 100 <= abs(score) < 1e6 else f"{score:.2g}"
