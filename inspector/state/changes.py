"""What a cost changes by, as a share of what it was."""

from __future__ import annotations


def change(before: int, after: int) -> float | None:
    """From -1, all gone, to 0, all left; `None` if there was nothing."""
    return (after - before) / before if before else None


def percent(share: float | None) -> str:
    """In percent; 0% is exactly nothing, and what there was none of has none."""
    if share is None:
        return ""
    return f"{share:+.1%}" if share else "0%"
