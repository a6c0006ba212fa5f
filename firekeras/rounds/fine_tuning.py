"""What happens to a network between the cut and its judgement: recovery and training."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from typing import Any

import keras

from firekeras.data.ending import watched
from firekeras.data.samples import shuffles
from firekeras.keras_models.devices import several_processes
from firekeras.plan.planning import PruningPlan
from firekeras.recovery import get_recovery
from firekeras.recovery.distill import Teacher
from firekeras.rounds.learning_rate import LearningRate, RateCurve, peak_rate, with_plain_rate
from firekeras.rounds.settings import RunSettings
from firekeras.rounds.time_spent import FirstSteps, TimeSpent

WITHOUT_TRAINING = ("fold_means",)  # helps only if no training follows


class FineTuning:
    """Recovers accuracy after a cut, first without training and then by training.

    Args:
        settings: `RunSettings`.
        train_data: As `model.fit` takes them.
        model: The network that the run begins with; its optimizer says how to train.
        epochs: Epochs of the whole run; None if unknown.
        time: The `TimeSpent` of the run.

    Attributes:
        teacher: A `Teacher` for distillation, or None.
    """

    def __init__(self, settings: RunSettings, train_data: Any, model: keras.Model, epochs: int | None, time: TimeSpent):
        self.settings, self.train_data, self.time = settings, train_data, time
        recovery = settings.recovery
        self.steps = (
            get_recovery(() if settings.trains else WITHOUT_TRAINING) if recovery is None else get_recovery(recovery)
        )
        self.teacher: Teacher | None = None
        if settings.fine_tune is None:
            self.curve = RateCurve(peak_rate(model.optimizer, settings.learning_rate), epochs, settings.schedule)

    def recover(self, model: keras.Model, candidate: keras.Model, plan: PruningPlan) -> list[str]:
        """Recovers in place what can be recovered without training; returns notes on it.

        Args:
            model: The network before the cut.
            candidate: The network after it.
            plan: What was cut.
        """
        if self.steps and several_processes():
            return ["Recovery was skipped: it does not run over several processes."]
        data, batch_size = self.train_data, self.settings.batch_size
        return [note for step in self.steps for note in step(model, candidate, plan, data, batch_size)]

    def prepare(self, candidate: keras.Model):
        """Replaces a schedule inside the network's optimizer by a plain learning rate."""
        if self.settings.fine_tune is None:
            with_plain_rate(candidate, self.curve.peak)

    def train(
        self,
        candidate: keras.Model,
        epochs: int,
        callbacks: Iterable[keras.callbacks.Callback] = (),
        *,
        spent: float = 0.0,
        since_cut: float = 0.0,
    ) -> float:
        """Trains in place.

        Args:
            candidate: The network.
            epochs: How many epochs.
            callbacks: In addition to those in the settings.
            spent: Epochs that the run has used so far.
            since_cut: Epochs since the last cut so far.

        Returns:
            The last training loss: NaN if it diverged, 0 if it is unknown.
        """
        if not epochs:
            return 0.0
        with self.time.on("training"):
            if self.settings.fine_tune is not None:
                _check_in_place(candidate, self.settings.fine_tune(candidate))
                return 0.0
            return self._fit(candidate, epochs, callbacks, spent, since_cut)

    def _fit(self, candidate, epochs, callbacks, spent, since_cut):
        rate, first = LearningRate(self.curve, spent, since_cut), FirstSteps()
        fit = {"verbose": 0, "shuffle": shuffles(self.train_data), **self.settings.fit, "epochs": epochs}
        own = keras.tree.flatten(fit.get("callbacks")) if fit.get("callbacks") is not None else []
        x, y, weights = keras.utils.unpack_x_y_sample_weight(self.train_data)
        endless = None if fit.get("steps_per_epoch") else self.train_data
        with self._taught(candidate), watched(endless, "Training") as watch:
            fit["callbacks"] = [rate, first, *own, keras.callbacks.TerminateOnNaN(), *callbacks, *watch]
            history = candidate.fit(x, y, sample_weight=weights, **fit)
        self.time.move("training", "compiling", first.compiling)
        losses = history.history.get("loss", [])
        return losses[-1] if losses else math.nan  # a first epoch that stopped at NaN leaves none

    @contextlib.contextmanager
    def _taught(self, candidate):
        """Attaches the teacher, if there is one, while the network trains."""
        if self.teacher is not None:
            self.teacher.attach(candidate)
        try:
            yield
        finally:
            if self.teacher is not None:
                self.teacher.detach()


def _check_in_place(candidate, returned):
    if isinstance(returned, keras.Model) and returned is not candidate:
        raise ValueError(
            f"fine_tune trains the model in place; it returned another model, {returned.name!r}. Train the one that it "
            "is given, or copy the weights back: model.set_weights(trained.get_weights())."
        )


class EpochEvents(keras.callbacks.Callback):
    """Reports each epoch as it ends.

    Args:
        report: A function of (epoch, epochs, logs), epochs from 1.
    """

    def __init__(self, report: Callable[[int, int, dict], None]):
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch, logs=None):
        self._report(epoch + 1, self.params["epochs"], dict(logs or {}))
