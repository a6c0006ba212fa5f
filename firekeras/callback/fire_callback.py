"""Pruning inside `fit`: the model that is being trained gets smaller round by round."""

from __future__ import annotations

import math
import time
import warnings

import keras
import numpy as np

from firekeras.callback.interruption import FitGuard, Guarded
from firekeras.callback.live import LiveModel
from firekeras.callback.neighbours import callbacks_of_fit, check_neighbours, go_first
from firekeras.callback.trials import Trial, Trials
from firekeras.callback.watched import Watched
from firekeras.channels import traced
from firekeras.channels.check import check_weights
from firekeras.data import checked_data
from firekeras.measure.counting import ZeroCounter
from firekeras.measure.measuring import check_has_relus, filters_behind, measure_fire, profile_from_counters
from firekeras.methods.fire import FirePruning
from firekeras.plan.planning import checked_target, plan_pruning
from firekeras.profile import FilterScores, FireProfile
from firekeras.rounds.engine import check_prunable
from firekeras.rounds.records import CompressionResult
from firekeras.rounds.settings import RunSettings, check_whole
from firekeras.surgery import checked_units, rebuild


class FirePruningCallback(keras.callbacks.Callback):
    """Prunes the model that `fit` trains, in rounds, and leaves it pruned.

    The first epoch trains as usual while FIRE is counted inside the training step (or, with
    `data`, is measured after it); its end sets the baseline. Then, round by round: filters of
    highest FIRE go at the beginning of an epoch, `epochs_per_round` epochs train on, with the
    optimizer's state cut along, and if the monitored metric is then within the tolerance, the next
    round begins. Else, or where the loss or a weight is NaN, the round is undone, exactly: weights,
    optimizer, statistics, iterations and learning rate; the next one takes half as many filters,
    and no longer starves single layers (`firekeras.plan.balance`).

    After more than `backtracks` such rounds training stops, so that the model is the one that was
    judged. When the target is reached or no filter is left that may go, training goes on without
    cuts. A round that `fit` has no epochs left for is not begun, and one that it does not finish
    (`EarlyStopping`) is undone, as it is at Ctrl-C, and at an error in a training step, an evaluation
    or another callback.

    The tolerance refers to the end of the first epoch: give it a trained model, or say with
    `start_epoch` how long to train first. Other callbacks' `on_epoch_end` see the network that the
    epoch's metrics are of. `ModelCheckpoint(save_best_only=True)` may keep a larger network than the
    last one.

    Args:
        data: What to measure FIRE on, in inference mode, as `fit` takes it. Defaults to none:
            FIRE is counted in training mode, on the batches that train.
        pruning_ratio: Share of the remaining prunable filters that go in a round. Defaults to 0.05.
        tolerance: By how much the metric may fall, in absolute points. Defaults to 0.01.
        epochs_per_round: Epochs between two cuts. Defaults to 1.
        layer_caps: As in `plan_pruning`, over the whole run.
        target: Where to stop cutting: `{"macs": 0.5}`, `{"conv_macs": ...}` or `{"params": ...}`, as a
            share of what the network has to begin with. Defaults to none.
        backtracks: How many rounds are tried again with half the ratio, in all. Defaults to 3; with 0
            the first round that is undone ends the training.
        monitor: What to watch in the logs. Defaults to the validation accuracy where there is one, else
            the training's, with a warning. An epoch that logs none of it does not end a round.
        start_epoch: How many epochs to train before the one that measures. Defaults to 0.

    Attributes:
        profile: The `FireProfile`, once the epoch that measures is over.
        result: A `CompressionResult`, once `fit` is over, however it ended.

    Raises:
        ValueError: Before any training, if the model cannot be pruned, an argument is out of range,
            the target is out of reach, or another callback does not go with a network that shrinks.

    Example:
    >>> callback = firekeras.FirePruningCallback()
    >>> model.fit(x, y, validation_data=(x_val, y_val), epochs=20, callbacks=[callback])
    >>> model.save("pruned.keras")
    """

    _guard: FitGuard
    _live: LiveModel
    _trial: Trial | None
    _unprobed: dict | None  # the network without the counters that are in it now

    def __init__(
        self,
        data=None,
        *,
        pruning_ratio=0.05,
        tolerance=0.01,
        epochs_per_round=1,
        layer_caps=None,
        target=None,
        backtracks=3,
        monitor=None,
        start_epoch=0,
    ):
        super().__init__()
        if target is not None:
            checked_target(target)
        self.settings = RunSettings(
            pruning_ratio=pruning_ratio,
            tolerance=tolerance,
            layer_caps=dict(layer_caps or {}),
            target=target,
            epochs_per_round=epochs_per_round,
            backtracks=backtracks,
        )
        self.settings.check()
        check_whole("epochs_per_round", epochs_per_round, 1)
        check_whole("start_epoch", start_epoch, 0)
        self.data, self.monitor, self.start_epoch = data, monitor, start_epoch
        self.profile: FireProfile | None = None
        self.result: CompressionResult | None = None

    def on_train_begin(self, logs=None):
        """Checks the model and its neighbours before any training, and forgets earlier runs."""
        callbacks = callbacks_of_fit(self)
        check_neighbours(self, callbacks, probes=self.data is None)
        _end_unfinished_run(self.model)
        trace = traced(self.model)
        self._check(trace)
        self._forget(trace.graph)
        go_first(self, callbacks)
        self._guard = FitGuard(callbacks, self._leave)
        self._live = LiveModel(self.model, self._guard.around)

    def on_epoch_begin(self, epoch, logs=None):
        """Undoes a rejected round; then puts the counters in, or begins the next round."""
        self._live.guard_steps()
        if self._trial is not None and self._trial.rejected:
            self._undo(self._trial)
        if not self._measured:
            if epoch >= self.start_epoch and self.data is None:
                self._put_counters_in()
        elif self._trial is None and self._may_begin(epoch):
            self._begin_round()

    def on_epoch_end(self, epoch, logs=None):
        """Ends the epoch that measures, or a round on trial; changes nothing that others could see."""
        if epoch < self.start_epoch:
            return
        if not self._measured:
            self._measure(logs)
        elif self._trial is not None:
            self._trial.epochs += 1
            if self._trial.epochs >= self.settings.epochs_per_round and self._watched.is_in(logs):
                self._judge(self._watched.value(logs))
        elif self._watched.is_in(logs):
            self._trials.value = self._watched.value(logs)

    def on_train_end(self, logs=None):
        """Undoes a round that was rejected or not finished, and sums up."""
        trial = self._trial
        self._put_in_order()
        if trial is not None:  # as `fit` has just done with the network that was on trial
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        if trial is not None and not trial.rejected:
            number = len(self._trials.records) + 1
            self._trials.stop(f"fit ended before round {number} was over, which was undone.")
        self.result = self._trials.result(self.model)
        self._guard.stop()
        self._guard.raise_wished()
        if not self.result.rounds:
            warnings.warn(f"FirePruningCallback did not prune: {self.result.stopped_because}", stacklevel=2)

    def put_back(self):
        """Puts the model back into its last accepted state, after an error that callbacks are not told of.

        There is no need to after most errors, nor before the next `fit` with such a callback, which does it
        too. But where Keras itself fails between two calls, on validation data that do not fit the model
        or in reading data under torch, a round on trial or counting layers may be left inside.
        """
        if hasattr(self, "_guard"):
            self._guard.leave(None)

    def _check(self, trace):
        check_has_relus(self.model, trace)
        check_prunable(self.model, trace.graph, self.settings.layer_caps)
        if self.data is not None:
            checked_data(self.model, self.data)
        limits = {name: getattr(self.settings, name) for name in ("pruning_ratio", "layer_caps", "target")}
        plan_pruning(trace.graph, _equal_scores(trace), **limits)  # how far one can get hardly depends on scores

    def _forget(self, graph):
        self.profile = self.result = None
        self._method, self._watched = FirePruning(), Watched(self.monitor)
        self._trials = Trials(self._method, self.settings, self.model, graph)
        self._trial = self._unprobed = None
        self._measured = False

    def _put_counters_in(self):
        self._trace = traced(self.model)
        self._counters = {relu.key: ZeroCounter(relu.axis, only_training=True) for relu in self._trace.relus}
        self._unprobed = self._live.insert(self._trace, self._counters)

    def _take_counters_out(self):
        if self._unprobed is not None:
            self._live.withdraw(self._unprobed)
            self._unprobed = None

    def _measure(self, logs):
        self._take_counters_out()
        self._measured = True
        self._trials.baseline = self._trials.value = self._watched.value(logs)
        lost = self._lost(self._trials.baseline)
        if lost:
            self._trials.stop(f"There is no baseline: {lost}")
            return
        self.profile = measure_fire(self.model, self.data) if self.data is not None else self._counted()
        self._method.learn(self.profile)

    def _counted(self) -> FireProfile:
        counted = {key: counter for key, counter in self._counters.items() if counter.built}
        return profile_from_counters(self.model, self._trace, counted, mode="training")

    def _lost(self, value) -> str | None:
        """Why training has lost its way, in words; None where it has not."""
        if not math.isfinite(value):
            return f"the loss or {self._watched.name} is not finite."
        try:
            check_weights(self.model)
        except ValueError as error:
            return str(error)
        return None

    def _may_begin(self, epoch) -> bool:
        return not self._trials.over and epoch + self.settings.epochs_per_round <= self.params["epochs"]

    def _begin_round(self):
        trial = self._trials.next(self.model, self.data)
        if trial is None:
            return
        trial.began = time.monotonic()
        smaller = rebuild(self.model, trial.trace, checked_units(trial.trace.graph, trial.plan))
        trial.before = self._live.become(smaller)
        self._trial = trial

    def _judge(self, value):
        lost = self._lost(value)
        if self._trials.judge(self._trial, value, lost, self._watched.name, self.model):
            self._trial = None
        elif self._trials.over:
            self.model.stop_training = True

    def _undo(self, trial):
        self._live.put_back(trial.before)
        self._trial = None

    def _leave(self, error, arguments):
        """Puts the model into its last accepted state: an error is about to end `fit`."""
        self._put_in_order(whole=self._live.hand_back(arguments))
        self.result = self._trials.result(self.model, _ended_by(error))

    def _put_in_order(self, whole=True):
        """Takes out what is there only for a while: counters, a network on trial, guards.

        Args:
            whole: Whether the network in the model still has all its weights. Defaults to True.
        """
        if self._unprobed is not None and not whole:  # as it was at the beginning of the epoch
            self._live.put_back(self._unprobed)
            self._unprobed = None
        self._take_counters_out()
        if self._trial is not None:
            self._undo(self._trial)
        self._live.release()


def _end_unfinished_run(model):
    """Puts a model in order that an earlier `fit` with a callback left without its being told."""
    step = vars(model).get("train_function")
    if isinstance(step, Guarded):
        step.guard.leave(None)


def _ended_by(error) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "fit was interrupted."
    return f"fit ended in an error: {error!r}." if error else "fit ended in an error that callbacks are not told of."


def _equal_scores(trace) -> FilterScores:
    """The same score for all filters that have FIRE, NaN for the others."""
    scores = {name: np.full(width, np.nan) for name, width in trace.graph.widths.items()}
    for relu in trace.relus:
        for name, filters, _ in filters_behind(trace, relu):
            scores[name][filters] = 0.0
    return FilterScores(scores, criterion="fire", reasons=trace.unscored)
