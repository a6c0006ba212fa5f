"""Progress of measuring: a bar on a terminal, or numbers for a program."""

from __future__ import annotations

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds: no bar is shown for work that ends before anyone could read it
EVERY = 0.2  # seconds between two reports to a program


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


class ProgressReports(keras.callbacks.Callback):
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
