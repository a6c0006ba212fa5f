"""Which of the numbers that `fit` logs is watched, and what it says."""

from __future__ import annotations

import math
import warnings

from firekeras.rounds.monitor import lower_is_better


class Watched:
    """The metric that a `fit` is judged by.

    Args:
        monitor: Its name in the logs. Defaults to the first that `default_monitor` finds.
    """

    def __init__(self, monitor=None):
        self.name = monitor

    def is_in(self, logs) -> bool:
        """Whether an epoch has a value: with `validation_freq`, not every one has."""
        return self.name in logs

    def value(self, logs) -> float:
        """Its value, NaN too where the loss is not finite.

        Raises:
            ValueError: If there is no such metric, with those that there are.
        """
        if self.name is None:
            self.name = default_monitor(logs)
        if self.name not in logs:
            raise ValueError(
                f"There is no {self.name!r} in the logs, which hold {sorted(logs)}. Pass validation_data to fit (and "
                "where it has a validation_freq, a start_epoch that validates), compile with metrics=['accuracy'], or "
                "say monitor=... with one of these. What another callback adds to the logs comes too late."
            )
        return float(logs[self.name]) if math.isfinite(logs.get("loss", 0.0)) else math.nan


def default_monitor(logs) -> str:
    """The accuracy to watch: on validation data where there is one, else in training, with a warning."""
    names = [name for name in logs if "acc" in name.lower() and not lower_is_better(name)]
    held_out = [name for name in names if name.startswith("val_")]
    if not names:
        raise ValueError(
            f"There is no accuracy in the logs, which hold {sorted(logs)}. Compile with metrics=['accuracy'], or say "
            "monitor=... with one of these."
        )
    if not held_out:
        warnings.warn(
            "No validation accuracy is there, so that FirePruningCallback watches the training's "
            f"{names[0]!r}, which says little of new data. Pass validation_data to fit.",
            stacklevel=2,
        )
    return _first_of(held_out or names)


def _first_of(names):
    plain = next((name for name in names if name.removeprefix("val_") in ("accuracy", "acc")), None)
    if plain is None and len(names) > 1:
        warnings.warn(
            f"There are several accuracies, {names}, of which FirePruningCallback watches the first alone. Say which: "
            "monitor=...",
            stacklevel=2,
        )
    return plain or names[0]
