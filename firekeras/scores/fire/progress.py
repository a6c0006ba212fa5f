"""Progress of a measurement: a bar on a terminal, or numbers for a program."""

from __future__ import annotations

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds: no bar for work that ends before anyone could read it
EVERY = 0.2  # seconds between two reports to a program


class ProgressBar(keras.callbacks.Callback):
    """Shows the progress of `evaluate` on a terminal, once it has run for two seconds.

    Args:
        title: The text beside the bar.
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


class ProgressReports(keras.callbacks.Callback):
    """Reports the progress of `evaluate` to a function: at the first batch, then a few times a second, and at the end.

    Args:
        report: A function of the number of finished batches and the number of all, `None` if unknown.
    """

    def __init__(self, report):
        super().__init__()
        self.report = report
        self._done, self._reported, self._next = 0, 0, 0.0

    def on_test_batch_end(self, batch, logs=None):
        self._done = batch + 1
        if time.monotonic() >= self._next:
            self._report()

    def on_test_end(self, logs=None):
        if self._reported != self._done:
            self._report()

    def _report(self):
        self.report(self._done, (self.params or {}).get("steps"))
        self._reported, self._next = self._done, time.monotonic() + EVERY
