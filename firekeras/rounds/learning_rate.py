"""The learning rate of a run: one curve over all its epochs, whatever is cut along the way."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras

from firekeras.keras_models.compiling import compile_settings, copy_optimizer_state, followed_by, fresh_optimizer
from firekeras.keras_models.copying import Copier
from firekeras.refusals import check_number
from firekeras.rounds.rate_schedules import constant, get_schedule

WARM_UP = 0.25  # epochs after a cut over which the rate comes back
PER_EPOCH = 20  # changes of the rate within an epoch: with JAX each one syncs the training state
RUN_OUT = 0.01  # share of its first rate below which a schedule inside an optimizer has ended


class RateCurve:
    """The learning rate at each point of a run.

    Args:
        peak: The rate that the schedule's factors multiply, above 0.
        epochs: Epochs of the whole run; None if unknown, which keeps the rate constant.
        schedule: The name of a schedule, or a function of the progress from 0 to 1. Defaults to `"cosine"`.
    """

    def __init__(self, peak: float, epochs: int | None, schedule: str | Callable[[float], float] = "cosine"):
        self.peak, self.epochs = peak, epochs
        self._factor = get_schedule(schedule) if epochs else constant

    def rate(self, spent: float, since_cut: float = math.inf) -> float:
        """The rate at one point of the run.

        Args:
            spent: Epochs since the run began; fractions count.
            since_cut: Epochs since the last cut. Defaults to infinity: no warm-up.
        """
        return self.peak * self._factor(spent / (self.epochs or 1)) * min(1.0, (since_cut + 0.02) / WARM_UP)


class LearningRate(keras.callbacks.Callback):
    """Sets the learning rate while a network trains, and restores it afterwards.

    Args:
        curve: A `RateCurve`.
        spent: Epochs of the run before this `fit`.
        since_cut: Epochs since the last cut before this `fit`; infinity for no warm-up.
    """

    def __init__(self, curve: RateCurve, spent: float, since_cut: float = 0.0):
        super().__init__()
        self.curve, self.spent, self.since_cut = curve, spent, since_cut
        self._steps: int | None = None

    def on_train_begin(self, logs=None):
        self._before = rate_of(self.model.optimizer)
        self._steps = (self.params or {}).get("steps")

    def on_epoch_begin(self, epoch, logs=None):
        self._set(0)

    def on_train_batch_begin(self, batch, logs=None):
        if batch and self._steps and batch % max(1, self._steps // PER_EPOCH) == 0:
            self._set(batch / self._steps)

    def on_epoch_end(self, epoch, logs=None):
        self.spent, self.since_cut = self.spent + 1, self.since_cut + 1

    def on_train_end(self, logs=None):
        self.model.optimizer.learning_rate = self._before

    def _set(self, part):
        set_rate(self.model, self.curve.rate(self.spent + part, self.since_cut + part))


def set_rate(model: keras.Model, rate: float):
    """Sets the learning rate of a model that is being trained."""
    if getattr(model, "_jax_state", None) is not None:
        model.jax_state_sync()  # with JAX, Keras keeps the optimizer's state outside its variables while it trains
    model.optimizer.learning_rate = rate


def rate_of(optimizer: keras.optimizers.Optimizer) -> float:
    """The current learning rate of an optimizer."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


# Schedules inside optimizers


def scheduled(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether an optimizer has a schedule inside, so that its learning rate cannot be set from outside."""
    return followed_by(optimizer) is not None


def peak_rate(optimizer: keras.optimizers.Optimizer, learning_rate: float | None) -> float:
    """The rate to begin with: as given, else as compiled; the first rate if the optimizer has a schedule inside.

    Raises:
        ValueError: If a rate is not above 0.
    """
    if learning_rate is None and scheduled(optimizer):
        learning_rate = _of_schedule(optimizer, 0)
    rate = rate_of(optimizer) if learning_rate is None else learning_rate
    check_number("learning_rate", rate, above=0)
    return rate


def run_out(optimizer: keras.optimizers.Optimizer) -> str | None:
    """A sentence if the schedule inside an optimizer has come to its end; else None."""
    if not scheduled(optimizer):
        return None
    first, now = _of_schedule(optimizer, 0), rate_of(optimizer)
    if now > RUN_OUT * first:
        return None
    return (
        f"The schedule inside the model's optimizer has run out: its learning rate is now {now:.2g}. The run "
        f"begins with its first rate, {first:.2g}; give learning_rate=... for another."
    )


def with_plain_rate(model: keras.Model, rate: float):
    """Replaces an optimizer that has a schedule inside by one with a plain rate and the same state."""
    if scheduled(model.optimizer):
        replace_optimizer(model, fresh_optimizer(model.optimizer, rate))


def restore_rate(model: keras.Model, optimizer: keras.optimizers.Optimizer):
    """Gives a model the learning rate, or the schedule, that another optimizer has."""
    if scheduled(optimizer):
        replace_optimizer(model, fresh_optimizer(model.optimizer, followed_by(optimizer)))
    elif rate_of(model.optimizer) != rate_of(optimizer):
        model.optimizer.learning_rate = rate_of(optimizer)


def replace_optimizer(model: keras.Model, fresh: keras.optimizers.Optimizer):
    """Compiles a model with another optimizer of the same kind, which takes over the state of the old one."""
    copier = Copier()
    for variable in model.variables:
        copier.remember(variable, variable)
    copy_optimizer_state(model.optimizer, fresh, copier)
    keras.Model.compile(model, **compile_settings(model, fresh))


def _of_schedule(optimizer, step) -> float:
    rate = followed_by(optimizer)
    at_step = (step,) if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else ()
    return float(keras.ops.convert_to_numpy(rate(*at_step)))
