"""The output of the callback: a line per round, between the epochs that Keras shows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from rich.text import Text

from firekeras.keras_models import devices
from firekeras.report import tables
from firekeras.rounds.lines import plain
from firekeras.rounds.run_directory import now
from firekeras.terminal import Terminal


class Voice:
    """Reports events to a function, and on the terminal.

    Args:
        verbose: 0 shows nothing, 1 a line per round.
        on_event: A function that is called with each event, a dict; or None.
        record: A function that writes each event, or None: what it raises ends the training.
    """

    def __init__(
        self,
        verbose: int,
        on_event: Callable[[dict], None] | None,
        record: Callable[[dict], None] | None = None,
    ):
        silent = devices.follows()  # of several processes the first one speaks
        self.verbose, self._on_event, self._record = 0 if silent else verbose, None if silent else on_event, record
        self._lines: list[Text] = []
        self._started: dict = {}

    def event(self, event: str, **fields):
        """Reports an event; its line is held back until Keras has ended its own."""
        line = plain({"event": event, **fields, "time": now()})
        if event == "start":
            self._started = line
        if self._record is not None:
            self._record(line)
        if self._on_event is not None:
            self._pass_on(line, self._on_event)
        if self.verbose and event in ("start", "round", "note", "stop"):
            self._lines.append(tables.event_line(line, self._started))

    def _pass_on(self, line, listener):
        """Passes an event on; a full disk, or a server that is away, ends no training."""
        try:
            listener(line)
        except OSError as error:
            self._on_event = None
            warnings.warn(f"on_event is not called any more: {type(error).__name__}: {error}.", stacklevel=2)

    def speak(self):
        """Shows the lines that were held back."""
        console = Terminal(highlight=False)
        for line in self._lines:
            console.print(line)
        self._lines.clear()
