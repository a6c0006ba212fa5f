"""The output of the callback: a line per round, between the epochs that Keras shows."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from firekeras.report import tables
from firekeras.rounds.lines import plain
from firekeras.rounds.run_directory import now
from firekeras.terminal import Terminal


class Voice:
    """Reports events to a function, and on the terminal.

    Args:
        verbose: 0 shows nothing, 1 a line per round.
        on_event: A function that is called with each event, a dict; or None.
    """

    def __init__(self, verbose: int, on_event: Callable[[dict], None] | None):
        self.verbose, self._on_event = verbose, on_event
        self._lines: list[Text] = []
        self._started: dict = {}

    def event(self, event: str, **fields):
        """Reports an event; its line is held back until Keras has ended its own."""
        line = plain({"event": event, **fields, "time": now()})
        if event == "start":
            self._started = line
        if self._on_event is not None:
            self._on_event(line)
        if self.verbose and event in ("start", "round", "note", "stop"):
            self._lines.append(tables.event_line(line, self._started))

    def speak(self):
        """Shows the lines that were held back."""
        console = Terminal(highlight=False)
        for line in self._lines:
            console.print(line)
        self._lines.clear()
