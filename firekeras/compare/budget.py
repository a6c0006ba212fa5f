"""The epochs of one run and their learning rates, whichever `fit` they are spent in."""

from __future__ import annotations

import math

import keras


class BudgetSpent(Exception):  # noqa: N818 (no error: a run of a comparison is over)
    """A training was about to begin that the epochs of the run do not allow."""


class EpochBudget(keras.callbacks.Callback):
    """Counts epochs over all trainings of a run, and lowers the learning rate along one cosine.

    Epoch k of n has the learning rate `first * (1 + cos(pi * k / n)) / 2`, k from 0, no matter how
    many cuts came before it: what a method gains, it does not gain from another schedule.

    Args:
        epochs: How many there shall be in all.
        learning_rate: Of the first epoch.

    Attributes:
        spent: How many there have been.

    Raises:
        BudgetSpent: Out of `fit`, where that is asked for more epochs than are left.
    """

    def __init__(self, epochs: int, learning_rate: float):
        super().__init__()
        self.epochs, self.learning_rate, self.spent = epochs, learning_rate, 0

    @property
    def left(self) -> int:
        """How many may follow."""
        return max(0, self.epochs - self.spent)

    def on_train_begin(self, logs=None):
        if self.params["epochs"] > self.left:
            raise BudgetSpent(f"{self.params['epochs']} epochs were asked for; {self.left} are left.")

    def on_epoch_begin(self, epoch, logs=None):
        done = self.spent / self.epochs
        self.model.optimizer.learning_rate = self.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def on_epoch_end(self, epoch, logs=None):
        self.spent += 1
