"""Progress of long work on a terminal: nothing is shown of what is over before one could read it."""

from __future__ import annotations

import json
import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status

from firekeras.report import tables

PATIENCE = 2.0  # seconds
EVERY = 0.2  # seconds between two reports to a program
DOING = {
    "start": "Round 1: cutting",
    "resume": "Going on",
    "cut": "Fine-tuning",
    "epoch": "Fine-tuning",
    "round": "Cutting",
}


class ProgressBar(keras.callbacks.Callback):
    """Shows how far `evaluate` has come, once it has run for two seconds, on a terminal only.

    Args:
        title: What is being done.
    """

    def __init__(self, title):
        super().__init__()
        self.title = title
        self._bar: Progress | None = None

    def on_test_begin(self, logs=None):
        self._started = time.monotonic()

    def on_test_batch_end(self, batch, logs=None):
        if self._bar is None and time.monotonic() - self._started > PATIENCE:
            self._bar = self._shown()
        if self._bar is not None:
            self._bar.update(self._task, completed=batch + 1)

    def _shown(self) -> Progress:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        bar.disable = not bar.console.is_terminal
        self._task = bar.add_task(self.title, total=(self.params or {}).get("steps"))
        bar.start()
        return bar

    def on_test_end(self, logs=None):
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class ProgressTold(keras.callbacks.Callback):
    """Tells a function how far `evaluate` has come: at the first batch, then a few times a second, and at the end.

    Args:
        tell: A function of how many batches are done, and of how many; of `None` where nobody knows.
    """

    def __init__(self, tell):
        super().__init__()
        self.tell = tell
        self._done, self._told, self._next = 0, 0, 0.0

    def on_test_batch_end(self, batch, logs=None):
        self._done = batch + 1
        if time.monotonic() >= self._next:
            self._tell()

    def on_test_end(self, logs=None):
        if self._told != self._done:
            self._tell()

    def _tell(self):
        self.tell(self._done, (self.params or {}).get("steps"))
        self._told, self._next = self._done, time.monotonic() + EVERY


class RoundsOnTerminal:
    """Shows the events of a run: a line per round, and on terminals what goes on meanwhile.

    Args:
        verbose: 0 shows nothing, 1 a line per round, 2 the epochs too.
        console: Where. Defaults to standard error.
    """

    def __init__(self, verbose=1, console: Console | None = None):
        if verbose not in (0, 1, 2):
            raise ValueError(f"verbose is 0 for nothing, 1 for a line per round, or 2 for epochs. Received: {verbose}.")
        self.verbose = verbose
        self.console = console or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._started: dict = {}
        self._rounds: list[dict] = []

    def __enter__(self):
        if self.verbose and self.console.is_terminal:
            self._status = self.console.status("Measuring the baseline")
            self._status.start()
        return self

    def __exit__(self, *error):
        if self._status is not None:
            self._status.stop()

    def show(self, table):
        """Shows a table."""
        self.console.print(table)

    def event(self, event):
        """Shows one event, a dict as the lines of `events.jsonl` have them."""
        kind = event["event"]
        if kind in ("start", "resume"):
            self._started = event
        if kind == "round":
            self._rounds.append(event)
        if kind in ("start", "resume", "note", "round", "stop", "written") or (kind == "epoch" and self.verbose > 1):
            self._line(tables.event_line(event, self._started))
        if self._status is not None:
            self._status.update(f"{DOING.get(kind, 'Working')}{time_left(self._rounds, self._started)}")

    def _line(self, text):
        if self.verbose:
            self.console.print(text)


class EventLines:
    """Writes each event as one line of JSON, for programs that run firekeras as a child.

    Args:
        write: A function that writes a line.
    """

    def __init__(self, write):
        self.write = write

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def show(self, table):
        """Tables are for people: a program has the events."""

    def event(self, event):
        """Writes one event."""
        self.write(json.dumps(event))


def time_left(rounds, started) -> str:
    """About how long the epochs that are left will take; empty if nobody knows.

    Args:
        rounds: Events of finished rounds.
        started: The event of the run's start.
    """
    spent = sum(one.get("epochs", 1) for one in rounds)
    left = (started.get("epochs") or 0) - spent
    if not spent or left <= 0:
        return ""
    each = sum(one["seconds"] for one in rounds) / spent
    return f"; at most about {tables.duration(each * left)} more"
