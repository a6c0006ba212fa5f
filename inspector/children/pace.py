"""Estimates how long work will take from its progress."""

from __future__ import annotations

from firekeras.report.tables import duration


class Pace:
    """Estimates from the first report on, since work before it, such as compiling, is not repeated."""

    def __init__(self):
        self._first: tuple[float, int, int] | None = None
        self._last = 0

    def left(self, done: int, of: int, now: float) -> str:
        """The remaining time, as a phrase; empty if unknown.

        Args:
            done: How much is done.
            of: The total; 0 if unknown.
            now: A clock, in seconds.
        """
        if self._first is None or done < self._last or of != self._first[2]:
            self._first = (now, done, of) if done else None
        self._last = done
        if self._first is None or not self._first[1] < done < of:
            return ""
        began, first, _ = self._first
        return f"about {duration((now - began) / (done - first) * (of - done))} left"
