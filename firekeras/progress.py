"""A progress bar for long work: nothing is shown of what is over before one could read it."""

from __future__ import annotations

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds


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
