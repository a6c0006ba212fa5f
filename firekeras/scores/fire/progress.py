"""Progress of a measurement: on the terminal's live line, or numbers for a program."""

from __future__ import annotations

import contextlib
import time

import keras

from firekeras.terminal import Activity, activity

PATIENCE = 2.0  # seconds: nothing is shown of work that ends before anyone could read it
EVERY = 0.2  # seconds between two reports to a program


class ProgressLine(keras.callbacks.Callback):
    """Shows the progress of `evaluate` on a terminal, once it has run for two seconds; `with` it, also if that fails.

    Args:
        title: What is going on.
    """

    def __init__(self, title):
        super().__init__()
        self.title = title
        self._live = contextlib.ExitStack()
        self._doing: Activity | None = None

    def on_test_begin(self, logs=None):
        self._started = time.monotonic()

    def on_test_batch_end(self, batch, logs=None):
        if self._doing is None and time.monotonic() - self._started > PATIENCE:
            self._doing = self._live.enter_context(activity(self.title))
        if self._doing is not None:
            self._doing.update(f"{self.title}: {batch + 1}{self._of_all()} batches")

    def _of_all(self):
        steps = (self.params or {}).get("steps")
        return f"/{steps}" if steps else ""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._live.close()


class ProgressReports(keras.callbacks.Callback):
    """Reports the progress of `evaluate` to a function: at the first batch, then a few times a second, and at the end.

    Args:
        report: A function of the number of finished batches and the number of all, `None` if unknown.
    """

    title = "Measuring FIRE"

    def __init__(self, report):
        super().__init__()
        self.report = report
        self._done, self._reported, self._next = 0, 0, 0.0

    def on_test_batch_end(self, batch, logs=None):
        self._done = batch + 1
        if time.monotonic() >= self._next:
            self._report()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def on_test_end(self, logs=None):
        if self._reported != self._done:
            self._report()

    def _report(self):
        self.report(self._done, (self.params or {}).get("steps"))
        self._reported, self._next = self._done, time.monotonic() + EVERY
