"""What happens to a network between the cut and its judgement: recovery, then training."""

from __future__ import annotations

import math

import keras

from firekeras.devices import several_processes
from firekeras.recovery import get_recovery


class FineTuning:
    """Repairs what a cut has broken.

    Args:
        settings: `RunSettings`.
        train_data: As `model.fit` takes them.
        teacher: The network that the run began with, for distillation.
    """

    def __init__(self, settings, train_data, teacher):
        self.settings, self.train_data, self.teacher = settings, train_data, teacher
        self.steps = get_recovery(settings.recovery)

    def recover(self, model, candidate, plan) -> list[str]:
        """Does in place what can be done without training; returns what there is to say of it.

        Args:
            model: The network before the cut.
            candidate: The network after it.
            plan: What was cut.
        """
        if self.steps and several_processes():
            return ["Recovery was left out: it does not run over several processes."]
        data, batch_size = self.train_data, self.settings.batch_size
        return [note for step in self.steps for note in step(model, candidate, plan, data, batch_size)]

    def train(self, candidate, callbacks) -> float:
        """Trains in place; returns the last training loss: NaN where it got lost, 0 where none is known."""
        if self.settings.fine_tune is not None:
            self.settings.fine_tune(candidate)
            return 0.0
        if not self.settings.epochs_per_round:
            return 0.0
        fit = {"epochs": self.settings.epochs_per_round, "verbose": 0, **self.settings.fit}
        fit["callbacks"] = [*_listed(fit.get("callbacks")), keras.callbacks.TerminateOnNaN(), *callbacks]
        x = self.train_data if isinstance(self.train_data, tuple) else (self.train_data,)
        given = {"x": x[0], "y": x[1] if len(x) > 1 else None, "sample_weight": x[2] if len(x) > 2 else None, **fit}
        history = self._distilled(candidate, given) if self.settings.distill else candidate.fit(**given)
        losses = history.history.get("loss", [])
        return losses[-1] if losses else math.nan  # a first epoch that stopped at NaN leaves none

    def _distilled(self, candidate, given):
        from firekeras.recovery.distill import fit_distilled

        return fit_distilled(candidate, self.teacher, **given)


def _listed(callbacks):
    return keras.tree.flatten(callbacks) if callbacks is not None else []


class EpochEvents(keras.callbacks.Callback):
    """Tells of each epoch as it ends.

    Args:
        tell: A function of (epoch, epochs, logs), epochs from 1.
    """

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def on_epoch_end(self, epoch, logs=None):
        self.tell(epoch + 1, self.params["epochs"], dict(logs or {}))
