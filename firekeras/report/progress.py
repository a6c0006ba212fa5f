"""Progress of a run: its events as lines on a terminal, or as JSON for programs."""

from __future__ import annotations

import contextlib
import errno
import json
import time
from collections.abc import Callable
from functools import partial

from rich.console import Console

from firekeras.refusals import check_one_of
from firekeras.report import tables
from firekeras.terminal import Activity, Terminal, activity

DOING = {
    "start": "Round 1: cutting",
    "resume": "Continuing",
    "cut": "Fine-tuning",
    "epoch": "Fine-tuning",
    "round": "Cutting",
}


class RoundsOnTerminal:
    """Shows the events of a run: a line per round, and on terminals the current activity.

    Args:
        verbose: 0 shows nothing, 1 a line per round, 2 the epochs too.
        console: The console to write to. Defaults to None: standard error.
        words: A function that puts the library's sentences in the words of who reads them. Defaults to none.
    """

    def __init__(
        self, verbose: int = 1, console: Console | None = None, words: Callable[[str], str] = lambda text: text
    ):
        check_one_of("verbose", verbose, (0, 1, 2), hint=" 0 shows nothing, 1 a line per round, 2 the epochs too.")
        self.verbose = verbose
        self.console = console or Terminal(stderr=True, highlight=False)
        self.words = words
        self._live = contextlib.ExitStack()
        self._doing: Activity | None = None
        self._started: dict = {}
        self._rounds: list[dict] = []
        self._ended = 0.0  # when the last of them did

    def __enter__(self):
        if self.verbose:
            self._doing = self._live.enter_context(activity("Measuring the baseline", self.console))
        return self

    def __exit__(self, *error):
        self._live.close()

    def show(self, table):
        """Shows a table."""
        self.console.print(table)

    def event(self, event: dict):
        """Shows an event, a dict like the lines of `events.jsonl`."""
        kind = event["event"]
        if kind in ("start", "resume"):
            self._started = event
        if kind == "round":
            self._rounds.append(event)
            self._ended = time.monotonic()
        if kind in ("start", "resume", "note", "round", "stop", "written") or (kind == "epoch" and self.verbose > 1):
            self._line(tables.event_line(self._worded(event), self._started))
        if self._doing is not None:
            self._doing.update(partial(self._now, DOING.get(kind, "Working")))

    def _now(self, doing):
        return f"{doing}{time_left(self._rounds, self._started, time.monotonic() - self._ended)}"

    def _worded(self, event):
        return {**event, **{key: self.words(event[key]) for key in ("text", "reason") if key in event}}

    def _line(self, text):
        if self.verbose:
            self.console.print(text)


class EventLines:
    """Writes each event as a line of JSON, for programs that run firekeras as a child process.

    Args:
        write: A function that writes a line; it may return False if nobody reads it.
    """

    def __init__(self, write: Callable[[str], object]):
        self.write: Callable[[str], object] | None = write

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def show(self, table):
        """Does nothing: tables are for people, and programs get the events."""

    def event(self, event: dict):
        """Writes an event; after an error, which the run notes, no more of them."""
        write, self.write = self.write, None
        if write is not None:
            if write(json.dumps(event)) is False:
                raise BrokenPipeError(errno.EPIPE, "nobody reads standard output")
            self.write = write


def time_left(rounds, started, since: float = 0.0) -> str:
    """About how long the remaining epochs will take; empty if unknown, or if they take longer than expected.

    Args:
        rounds: The events of the finished rounds.
        started: The event that began the run.
        since: The seconds since the last round ended. Defaults to 0.
    """
    spent = sum(event.get("epochs", 1) for event in rounds)
    left = (started.get("epochs") or 0) - spent
    if not spent or left <= 0:
        return ""
    each = sum(event["seconds"] for event in rounds) / spent
    remaining = each * left - since
    return f"; at most about {tables.duration(remaining)} more" if remaining >= 1 else ""
