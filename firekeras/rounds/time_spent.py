"""How a run spent its time: training, compiling, judging, cutting, measuring."""

from __future__ import annotations

import contextlib
import statistics
import time

import keras

TYPICAL = 50  # steps; their median is the time of a typical step


class TimeSpent:
    """Seconds by part. Time in a part inside another part counts for the inner one only.

    Example:
    >>> spent = TimeSpent()
    >>> with spent.on("judging"):
    ...     metrics = model.evaluate(x, y, verbose=0)
    >>> list(spent.seconds)
    ['judging']
    """

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    @contextlib.contextmanager
    def on(self, part: str):
        """Counts the time inside the context towards a part."""
        start = time.monotonic()
        self._inner.append(0.0)
        try:
            yield
        finally:
            passed, inner = time.monotonic() - start, self._inner.pop()
            self.add(part, passed - inner)
            self._inner[-1] += passed

    def add(self, part: str, seconds: float):
        """Adds seconds that were measured elsewhere."""
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    def move(self, source: str, target: str, seconds: float):
        """Moves seconds from one part to another."""
        self.add(source, -seconds)
        self.add(target, seconds)

    @property
    def total(self) -> float:
        """The sum of all parts, in seconds."""
        return sum(self.seconds.values())


class FirstSteps(keras.callbacks.Callback):
    """Measures the time of compiling: how much longer the first step of a `fit` takes than a typical one.

    Attributes:
        compiling: Seconds, known once `fit` has ended.
    """

    def __init__(self):
        super().__init__()
        self.compiling, self._steps, self._from = 0.0, [], 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self._from = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if len(self._steps) < TYPICAL:
            self._steps.append(time.monotonic() - self._from)

    def on_train_end(self, logs=None):
        if self._steps:
            typical = statistics.median(self._steps[1:] or self._steps)
            self.compiling = max(0.0, self._steps[0] - typical)
