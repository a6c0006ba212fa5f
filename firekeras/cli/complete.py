"""What the shell completes: the names that options take."""

from __future__ import annotations

from firekeras.cli import checks
from firekeras.discovery import registered
from firekeras.export.formats import FORMATS


def methods(incomplete: str) -> list[str]:
    """Methods and criteria."""
    return _beginning(incomplete, [*registered("methods", "register"), *registered("scores/criteria", "criterion")])


def criteria(incomplete: str) -> list[str]:
    """Criteria."""
    return _beginning(incomplete, registered("scores/criteria", "criterion"))


def modes(incomplete: str) -> list[str]:
    """Modes of the method "fire"."""
    return _beginning(incomplete, checks.MODES)


def schedules(incomplete: str) -> list[str]:
    """Schedules of the learning rate."""
    from firekeras.rounds.rate_schedules import SCHEDULES

    return _beginning(incomplete, SCHEDULES)


def formats(incomplete: str) -> list[str]:
    """Export formats."""
    return _beginning(incomplete, FORMATS)


def _beginning(start, names):
    return [name for name in dict.fromkeys(names) if name.startswith(start)]
