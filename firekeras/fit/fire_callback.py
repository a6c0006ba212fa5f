"""Pruning inside `fit`: the model that is being trained gets smaller round by round."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras

from firekeras import methods
from firekeras.arguments import typed
from firekeras.channels.check import check_weights
from firekeras.channels.latency_table import LatencyTable
from firekeras.data.checks import check_kind, checked_data
from firekeras.data.ending import with_an_end
from firekeras.data.labels import check_labels
from firekeras.fit.checks import check_can_be_pruned, check_epochs, check_not_settings, check_rate
from firekeras.fit.fit_data import data_of_fit
from firekeras.fit.interruption import FitGuard, Guarded
from firekeras.fit.live import LiveModel
from firekeras.fit.neighbours import callbacks_of_fit, check_neighbours, go_first
from firekeras.fit.record import FitRecord
from firekeras.fit.trial import Trial
from firekeras.fit.voice import Voice
from firekeras.keras_models.compiling import fresh_if_broken
from firekeras.keras_models.devices import several_processes
from firekeras.keras_models.internals import evaluated_again
from firekeras.methods.fire import FirePruning
from firekeras.network import Network
from firekeras.paths import as_path
from firekeras.plan.goals import check_table, checked_target
from firekeras.plan.pruning import checked_units
from firekeras.recovery.batch_statistics import Settler, settled_copy
from firekeras.recovery.distill import Teacher
from firekeras.refusals import checked_whole
from firekeras.rounds.evaluation import metric_names
from firekeras.rounds.learning_rate import LearningRate, RateCurve
from firekeras.rounds.method import Method
from firekeras.rounds.monitor import chosen_monitor
from firekeras.rounds.records import CompressionResult, RoundRecord
from firekeras.rounds.run import Run
from firekeras.rounds.settings import RunSettings
from firekeras.scores.detector.features import extract_features
from firekeras.scores.fire.counting import ZeroCounter
from firekeras.scores.fire.measuring import measure_fire, profile_from_counts
from firekeras.scores.profile import FireProfile

OURS = ("conv_macs", "filters")  # in the logs
UNTIL_NO_EPOCHS = "fit had no epochs left for another round."


class FirePruningCallback(keras.callbacks.Callback):
    """Prunes the model that `fit` trains, in rounds, and leaves it pruned.

    The first epoch trains as usual while FIRE is counted inside the training step (or, with
    `data`, measured after it); the end of that epoch sets the baseline. From then on filters are removed at the
    beginning of an epoch, the optimizer's state is sliced like the weights, and training goes on.

    With a `target` the network reaches it within the epochs of `fit`: a few cuts in the first part, spaced
    evenly in the target's cost. Without one, each round is judged: if the monitored metric is within the
    `tolerance`, the next round begins. If not, the round trains for as many epochs again; if that does not help, or
    if the loss or a weight is NaN, it is undone exactly (weights, optimizer, statistics, iterations and learning
    rate), and the next round takes half as much. Rounds come in the first part of the epochs; after them, or after
    more than `backtracks` undone rounds in a row, training goes on without cuts.

    Before each validation BatchNormalization's statistics are measured exactly on the data that `fit` was
    given, since its moving averages lag behind the weights. Data that can be read only once, such as a generator's,
    are not read for this: pass `data`.

    A round that `fit` does not finish (`EarlyStopping`) is undone unless there is a target. So is the round in progress
    at Ctrl-C, or at an error in a training step, an evaluation or another callback. The tolerance refers to the end of
    the epoch that measures: start with a trained model, or set `start_epoch` to train first. With `learning_rate` no
    other callback may set the rate. In `on_epoch_end`, other callbacks see the network that the epoch's metrics belong
    to, and `conv_macs` and `filters` in the logs.

    Source: Fang et al., "FIREPruning", ACML 2020, section 3 (FIRE, the detector, and pruning in rounds). Counting
    FIRE inside the training step, ranking within layers, the paces and undoing rounds are not in the paper.

    Args:
        data: Data to measure FIRE and statistics on, in inference mode, as `fit` takes them. Defaults to None: FIRE
            is counted in training mode, on the training batches. Of a data set whose end is unknown, as many batches
            are read as the `steps_per_epoch` of `fit` says.
        target: `{measure: share or amount}`, of one or several costs, as in `plan_pruning`: `{"conv_macs": 0.5}`,
            `{"ram": "256 kB", "flash": "512 kB"}`. Defaults to None: the tolerance decides.
        tolerance: How far the metric may fall, from 0: absolute points (0.01 is one point), or a share of the
            baseline if lower is better. Defaults to 0.01.
        learning_rate: If given (above 0), the learning rate begins here, falls along `schedule` over the epochs of
            `fit`, and warms up over a quarter of an epoch after each cut. Defaults to None: the callback leaves the
            rate alone.
        schedule: As in `compress`: `"cosine"`, `"constant"`, `"steps"`, `"halvings"`, or a function of the progress
            from 0 to 1 that returns a factor. Defaults to `"cosine"`.
        distill: Whether pruned networks also learn from the network before the first cut, settled
            (`firekeras.recovery.distill`). That helps if it is fully trained. Defaults to False: the loss stays as
            compiled.
        method: The name of a method or criterion, or a method object, as in `compress`. Defaults to `"fire"`, without
            the drift guard, which would measure FIRE again after each cut.
        pruning_ratio: The share of the remaining prunable filters that go in a round, from 0 to below 1. Defaults to
            None: sized by the epochs.
        layer_caps, round_to, min_keep, max_cut, balance: As in `plan_pruning`; caps hold for the whole run.
        latency: The `LatencyTable` of this network, for a target in `"latency"`. Defaults to None.
        epochs_per_round: Epochs between two cuts, at least 1. Defaults to None: sized by the epochs.
        backtracks: How many rounds in a row may be undone before cutting ends, from 0. Defaults to 3.
        monitor: The metric to watch: the name of a metric that the model is compiled with, or `"loss"`, with or
            without `"val_"`. It is read from the validation logs if `fit` has validation data, else from the training
            logs, with a warning. Names with "loss", "error", "mse" and the like are better if lower, all others if
            higher. An epoch whose logs lack the metric (`validation_freq`) does not end a round. Defaults to None: the
            accuracy, else another score, else the loss.
        start_epoch: The index of the epoch that measures, from 0: earlier epochs only train. Defaults to 0.
        verbose: 0 shows nothing, 1 a line per round. Defaults to 1.
        on_event: A function that is called with each event as it happens, a dict, as in `compress`. Defaults to None.
        run_dir: A new folder for a record of the run, as `compress` writes it, with the metrics and the widths of each
            epoch: for `firekeras report` and the inspector. It cannot be resumed. Defaults to None: no record.

    Attributes:
        profile: The `FireProfile`, once the epoch that measures is over.
        result: A `CompressionResult`, once `fit` is over, however it ended.

    Raises:
        ValueError: Before any training, if the model cannot be pruned, an argument is out of range or the method does
            not read it, the target is out of reach, there is no such metric, or another callback does not work with a
            network that shrinks.

    Example:
    >>> callback = firekeras.FirePruningCallback(target={"conv_macs": 0.5}, verbose=0)
    >>> history = model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=3, callbacks=[callback])
    >>> callback.result.costs_after.conv_macs <= 0.5 * callback.result.costs_before.conv_macs
    True
    >>> model.save("pruned.keras")
    """

    _guard: FitGuard
    _live: LiveModel
    _run: Run
    _trial: Trial | None
    _unprobed: dict | None  # the network without the counters that are in it now

    @typed
    def __init__(
        self,
        data: Any = None,
        *,
        target: Mapping[str, float | str] | None = None,
        tolerance: float = 0.01,
        learning_rate: float | None = None,
        schedule: str | Callable[[float], float] = "cosine",
        distill: bool = False,
        method: str | Method | type[Method] = "fire",
        pruning_ratio: float | None = None,
        layer_caps: Mapping[str, float] | None = None,
        round_to: int = 1,
        min_keep: float = 0.1,
        max_cut: float = 0.5,
        balance: float = 1.0,
        latency: LatencyTable | None = None,
        epochs_per_round: int | None = None,
        backtracks: int = 3,
        monitor: str | None = None,
        start_epoch: int = 0,
        verbose: int = 1,
        on_event: Callable[[dict], None] | None = None,
        run_dir: str | os.PathLike | None = None,
    ):
        arguments = {**locals(), "layer_caps": dict(layer_caps or {})}
        super().__init__()
        methods.get(method)
        check_not_settings(data)
        if data is not None:
            check_kind(data)
        if target is not None:
            checked_target(target)
            check_table(target, latency)
        self.settings = RunSettings.among(arguments).checked()
        if epochs_per_round is not None:
            checked_whole("epochs_per_round", epochs_per_round, 1)
        self.start_epoch = checked_whole("start_epoch", start_epoch, 0)
        self.data, self.method = data, method
        self.verbose, self.on_event, self.run_dir = verbose, on_event, run_dir
        self.profile: FireProfile | None = None
        self.result: CompressionResult | None = None
        self._inside_fit = False

    # What Keras calls

    def set_model(self, model: keras.Model) -> None:
        """Takes the model that `fit` trains, and gives it an optimizer that works if its own does not."""
        super().set_model(model)
        self._mended = fresh_if_broken(model)

    def on_train_begin(self, logs=None):
        """Checks the model and the other callbacks before any training, and forgets earlier runs."""
        callbacks = callbacks_of_fit(self)
        method = FirePruning(drift_threshold=-1) if self.method == "fire" else methods.get(self.method)
        _end_unfinished_run(self.model)
        network = Network.of(self.model)
        self._measures = isinstance(method, FirePruning) and bool(network.relus)
        self._counts = self._measures and self.data is None
        check_neighbours(self, callbacks, probes=self._counts, sets_rate=self.settings.learning_rate is not None)
        self._fit = data_of_fit(self.model)
        self._check(network, method)
        self._forget(network.graph, method)
        go_first(self, callbacks)
        self._inside_fit = True
        self._guard = FitGuard(callbacks, self._leave)
        self._live = LiveModel(self.model, self._guard.around)

    def on_epoch_begin(self, epoch, logs=None):
        """Undoes a rejected round; then inserts the counters, or begins the next round."""
        self._voice.speak()
        self._live.guard_steps()
        if self._trial is not None and self._trial.rejected:
            self._undo(self._trial)
        if not self._measured:
            if epoch >= self.start_epoch and self._counts:
                self._put_counters_in()
        elif self._trial is None and not self._training_on:
            self._next(epoch)
        if self._rate is not None:
            self._rate.on_epoch_begin(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the learning rate, if the callback controls it."""
        if self._rate is not None:
            self._rate.on_train_batch_begin(batch)

    def on_test_begin(self, logs=None):
        """Settles the network before `fit` validates it; an `evaluate` of the user's measures it as it is."""
        if self._inside_fit:
            self._settle()

    def on_epoch_end(self, epoch, logs=None):
        """Ends the epoch that measures, or a round on trial; changes nothing that other callbacks could see."""
        logs, self._done = {} if logs is None else logs, epoch + 1
        if self._rate is not None:
            self._rate.on_epoch_end(epoch)
        if epoch >= self.start_epoch and not self._measured:
            self._measure(epoch, logs)
        elif self._measured:
            self._report_epoch(epoch, logs)
            self._after_epoch(self._value(logs))
        logs.update(conv_macs=self._costs_now().conv_macs, filters=self._filters_now())

    def on_train_end(self, logs=None):
        """Judges or undoes the round on trial, and sets `result`."""
        self._judge_unfinished()
        trial = self._trial
        self._put_in_order()
        if trial is not None:  # `fit` has just done this, but for the network that was on trial
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self._record_training_on()
        if not self._fit.validates:
            self._settle()
        self._sum_up(self._run.stopped_because or self._run.exhausted or self._out_of_epochs())
        self._guard.stop()
        self._guard.raise_wished()
        if not self._run.records:
            warnings.warn(f"FirePruningCallback did not prune: {self._run.stopped_because}", stacklevel=2)

    def put_back(self) -> None:
        """Restores the last accepted state of the model, after an error that callbacks do not hear of.

        Most errors do not require this, nor does another `fit` with such a callback, which restores the model itself.
        But if Keras fails between two calls, on validation data that do not fit the model
        or while reading data with torch, a round on trial or counting layers may be left in the model.
        """
        if hasattr(self, "_guard"):
            self._guard.leave(None)

    # Before training

    def _check(self, network, method):
        check_can_be_pruned(network, self.model, method, self._fit.train, self.settings)
        if self.data is not None:
            checked_data(self.model, self._data)
        if self._fit.train is not None:
            check_labels(self.model, "fit", self._fit.train)
        check_epochs(max(self._fit.initial_epoch, self.start_epoch) + 1, self.params["epochs"])
        check_rate(self.model.optimizer, self.settings.learning_rate)

    def _forget(self, graph, method):
        self.profile = self.result = None
        self._settle_on = self._fit.train if self.data is None else self._data
        self._run = Run(self.settings, method, self.model, graph, epochs=None, train_data=self._settle_on)
        self._settler: Settler | None = None
        self._trial = self._unprobed = None
        self._measured = self._training_on = False
        self._later_epochs, self._last = 0, math.nan
        self._done = self._fit.initial_epoch
        self._record_of_fit = FitRecord(None if self.run_dir is None else as_path(self.run_dir), graph.widths)
        self._voice = Voice(self.verbose, self.on_event, self._record_of_fit.event)
        self._rate = self._new_rate()
        self._choose_monitor(metric_names(self.model, self._fit.train))

    def _choose_monitor(self, names):
        if names is not None:
            self._run.monitor = chosen_monitor(self.settings.monitor, names, len(self.model.outputs))

    def _new_rate(self) -> LearningRate | None:
        if self.settings.learning_rate is None:
            return None
        curve = RateCurve(self.settings.learning_rate, self._epochs_of_fit(), self.settings.schedule)
        rate = LearningRate(curve, spent=0.0, since_cut=math.inf)
        rate.set_model(self.model)
        rate.set_params(self.params)
        rate.on_train_begin()
        return rate

    def _epochs_of_fit(self) -> int:
        return max(1, self.params["epochs"] - self._fit.initial_epoch)

    # Statistics and metrics

    def _settle(self):
        if self._settle_on is None or several_processes():
            return
        with self._run.time.on("judging"):
            if self._settler is None:
                self._settler = Settler(self.model, self._settle_on)
            with contextlib.suppress(ValueError):  # what is not finite cannot be settled, and will be undone
                self._settler.settle()

    @property
    def _watched(self) -> str:
        """The name of the metric in the logs."""
        return f"val_{self._run.monitor}" if self._fit.validates else self._run.monitor

    def _value(self, logs: Mapping[str, float]) -> float | None:
        """The metric of an epoch; NaN if the loss is not finite, None if the metric is not in the logs."""
        if self._watched not in logs:
            return None
        return float(logs[self._watched]) if math.isfinite(logs.get("loss", 0.0)) else math.nan

    def _lost(self, value: float) -> str | None:
        """Why the network cannot be used any more; None if it can."""
        if not math.isfinite(value):
            return f"the loss or {self._watched} is not finite."
        try:
            check_weights(self.model)
        except ValueError as error:
            return str(error)
        return None

    # Measuring

    @property
    def _data(self):
        """The data to measure on; of data whose end is unknown as many batches as an epoch has, if `fit` was told."""
        return with_an_end(self.data, self._fit.steps)

    def _put_counters_in(self):
        self._network = Network.of(self.model)
        self._counters = {relu.key: ZeroCounter(relu.axis, only_training=True) for relu in self._network.relus}
        self._unprobed, self._settler = self._live.insert(self._network, self._counters), None

    def _take_counters_out(self):
        if self._unprobed is not None:
            self._live.withdraw(self._unprobed)
            self._unprobed, self._settler = None, None

    def _measure(self, epoch, logs):
        self._choose_monitor([name for name in logs if name not in OURS])
        unsettled = self._unsettled(logs)
        self._take_counters_out()
        self._measured = True
        value = self._value(logs)
        if value is None:
            raise ValueError(
                f"There is no {self._watched!r} in the logs of epoch {epoch + 1}, which hold {sorted(logs)}, so "
                "rounds have no baseline. Give the start_epoch of an epoch that validates, or leave out "
                "validation_freq."
            )
        run = self._run
        run.baseline = run.accuracy = self._last = value
        run.begin_leg(max(0, self.params["epochs"] - epoch - 1), self.model)
        self._report_start(unsettled)
        lost = self._lost(value)
        if lost:
            run.stopped_because, self._training_on = f"There is no baseline: {lost}", True
            return
        if self._measures and isinstance(run.method, FirePruning):
            self._learn(run.method)
        if self.settings.distill:
            self._live.teach(Teacher(self._settled_copy()))

    def _settled_copy(self):
        return Network.of(self.model).copy() if self._settle_on is None else settled_copy(self.model, self._settle_on)

    def _learn(self, method: FirePruning) -> None:
        with self._run.time.on("measuring"):
            self.profile = self._counted() if self._counts else measure_fire(self.model, self._data)
            method.learn(self.profile)

    def _counted(self) -> FireProfile:
        counts = {key: counter.count() for key, counter in self._counters.items() if counter.built}
        return profile_from_counts(self._network, counts, extract_features(self._network), mode="training")

    def _unsettled(self, logs: Mapping[str, float]) -> float | None:
        """The metric of the epoch before the network was settled; None if it was not, or nothing can say."""
        known = self._watched in logs and self._fit.validates_again
        if not known or self._settler is None or not self._settler.changes:
            return None
        with self._run.time.on("judging"), self._settler.unsettled():
            found = evaluated_again(self.model)
        return self._value({**logs, **{f"val_{name}": value for name, value in found.items()}})

    def _report_start(self, unsettled):
        run, costs = self._run, self._run.costs_before.totals
        limits = {"monitor": run.monitor, "tolerance": self.settings.tolerance, "target": self.settings.target}
        self._record_of_fit.begin(run, self.model, run.pace.epochs or 0)
        self._voice.event("start", baseline=run.baseline, costs=costs, epochs=run.pace.epochs, **limits)
        self._note(self._mended)
        for remark in run.remarks(unsettled, self._fit.validation):
            self._note(remark)
        if self._settle_on is None:
            self._note(
                "The data of fit can be read only once, so statistics are not settled. Pass data=... to settle and "
                "measure on."
            )
        if not self._fit.validates:
            warnings.warn(
                f"There are no validation data, so FirePruningCallback watches {run.monitor!r} on the training data, "
                "which says little about new data. Pass validation_data to fit.",
                stacklevel=2,
            )

    def _note(self, note):
        if note:
            self._run.notes.append(note)
            self._voice.event("note", text=note)

    # Rounds

    def _next(self, epoch):
        """Begins the next round, if there is one."""
        step = self._run.next_step()
        if step is None or not step.cuts:
            self._training_on = True
            return None
        with self._run.time.on("cutting"):
            plan = self._run.method.plan(self.model, self._run)
            if not self._run.worth_it(plan):
                return self._next(epoch)
            self._cut(plan)
        return None

    def _cut(self, plan):
        run = self._run
        arrives = run.arrives(plan, self.model)
        wanted = max(1, run.epochs_for(arrives))
        network = Network.of(self.model)
        smaller = network.without(checked_units(network.graph, plan))
        before = self._live.become(smaller)
        self._trial = Trial(plan, arrives, wanted, before, self._settler, dict(run.method.details))
        self._settler = None
        if self._rate is not None:
            self._rate.since_cut = 0.0
        self._voice.event("cut", **run.cut_figures(plan))

    def _report_epoch(self, epoch, logs):
        trial = self._trial
        done = 1 + (trial.epochs if trial else self._later_epochs)
        of = trial.wanted if trial else done + self.params["epochs"] - epoch - 1
        self._record_of_fit.epoch(self._run.number, done, of, logs, trial.plan if trial else None)

    def _after_epoch(self, value):
        self._last, trial = self._last if value is None else value, self._trial
        if trial is None:
            self._later_epochs += 1
            return
        trial.epochs += 1
        trial.value = self._last
        if trial.epochs >= trial.wanted and value is not None:
            self._judge(trial, value)

    def _judge(self, trial, value):
        lost = self._lost(value)
        accepted = not lost and self._run.accepts(value)
        if not accepted and not lost and self._help(trial):
            return
        if lost:
            trial.plan.notes.append(f"Undone: {lost}")
        self._record(trial.record(self._run, self.model, accepted, value), trial)

    def _help(self, trial: Trial) -> bool:
        """Once, gives a round that would be undone as many epochs again, if that many are left."""
        left = (self._run.pace.epochs or 0) - self._run.epochs_spent - trial.epochs
        if trial.helped or left < trial.wanted:
            return False
        trial.helped, trial.wanted = True, 2 * trial.wanted
        return True

    def _record(self, record: RoundRecord, trial: Trial | None) -> None:
        self._run.add(record, trial.arrives if trial else self._run.arrived)
        files = self._record_of_fit.round(record, trial.plan if trial else None, self.profile)
        self._voice.event("round", **record.to_dict(), **files)
        if trial is None:
            return
        if record.accepted:
            self._trial = None
        else:
            trial.rejected = True

    def _judge_unfinished(self):
        """At the end of `fit`, keeps a network on the way to a target, and undoes an unfinished round otherwise."""
        trial = self._trial
        if trial is None or trial.rejected:
            return
        if not self._run.step.undoes and trial.epochs and not self._lost(trial.value):
            self._record(trial.record(self._run, self.model, True, trial.value), trial)
            self._run.stopped_because = "" if trial.arrives else self._out_of_epochs()
        else:
            self._run.stopped_because = f"fit ended before round {self._run.number} was over, so the round was undone."

    def _out_of_epochs(self):
        """Why `fit` has no more rounds, if nothing else ended them: another callback, or its last epoch."""
        planned = self.params["epochs"]
        return UNTIL_NO_EPOCHS if self._done == planned else f"fit ended after epoch {self._done} of {planned}."

    def _record_training_on(self):
        """Records the epochs after the last round as a round that cuts nothing."""
        run = self._run
        if not (self._later_epochs and run.cuts_kept) or math.isnan(self._last):
            return
        record = run.record_of_training(
            accepted=True, accuracy=self._last, seconds=0.0, model=self.model, epochs=self._later_epochs
        )
        self._record(record, None)

    def _sum_up(self, reason):
        run = self._run
        run.stop(run.target.reached_because if run.target and run.arrived else reason)
        self._report_stop()

    def _report_stop(self):
        self.result = self._run.summed_up(self.model)
        self._voice.event("stop", reason=self._run.stopped_because)
        self._record_of_fit.end()
        self._voice.speak()

    def _costs_now(self):
        return self._trial.plan.costs_after if self._trial is not None else self._run.costs

    def _filters_now(self) -> int:
        """How many filters the network has in all layers; of a round on trial, if there is one."""
        lost = sum(record.filters_removed for record in self._run.records if record.accepted)
        lost += self._trial.plan.num_removed if self._trial is not None and not self._trial.rejected else 0
        return sum(self._run.original_widths.values()) - lost

    # Undoing

    def _undo(self, trial):
        self._live.put_back(trial.before)
        self._settler = trial.settler
        self._trial = None

    def _leave(self, error, arguments):
        """Restores the last accepted state of the model, since an error is about to end `fit`."""
        self._put_in_order(whole=self._live.hand_back(arguments))
        self._run.stopped_because = _ended_by(error)
        self._record_of_fit.broken_off(error)
        self.result = self._run.summed_up(self.model)

    def _put_in_order(self, whole=True):
        """Removes everything temporary: counters, a network on trial, guards, a learning rate.

        Args:
            whole: Whether the network in the model still has all its weights. Defaults to True.
        """
        self._inside_fit = False
        if self._unprobed is not None and not whole:  # as it was at the beginning of the epoch
            self._live.put_back(self._unprobed)
            self._unprobed = None
        self._take_counters_out()
        if self._trial is not None:
            self._undo(self._trial)
        if self._rate is not None:
            self._rate.on_train_end()
        self._live.release()


def _end_unfinished_run(model):
    """Restores a model that an earlier `fit` left in the middle of a run, by an error that its callback did not see."""
    step = vars(model).get("train_function")
    if isinstance(step, Guarded):
        step.guard.leave(None)


def _ended_by(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "fit was interrupted."
    return f"fit ended in an error: {error!r}." if error else "fit ended in an error that callbacks do not hear of."
