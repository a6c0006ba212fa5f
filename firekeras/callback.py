"""Pruning inside `fit`: the model that is being trained gets smaller round by round."""

from __future__ import annotations

import math
import time
import warnings

import keras

from firekeras.channels import traced
from firekeras.channels.check import check_weights
from firekeras.costs import count_costs
from firekeras.counting import ZeroCounter
from firekeras.data import checked_data
from firekeras.live import LiveModel
from firekeras.measure import check_has_relus, measure_fire, profile_from_counters
from firekeras.methods.fire import FirePruning
from firekeras.profile import FireProfile
from firekeras.rounds import (
    CompressionResult,
    RoundRecord,
    check_numbers,
    check_prunable,
    undone_because,
    within_tolerance,
)
from firekeras.surgery import checked_units


class FirePruningCallback(keras.callbacks.Callback):
    """Prunes the model that `fit` trains, in rounds, and leaves it pruned.

    The first epoch trains as usual while FIRE is counted inside the training step (or, with
    `data`, is measured after it); its end sets the baseline. Then, round by round: filters of
    highest FIRE go, `epochs_per_round` epochs train on, with the optimizer's state cut along, and
    if the monitored metric is then within the tolerance, the next round begins. Else the round is
    undone, exactly, and training stops. A round that `fit` has no epochs left for is not begun.

    The tolerance refers to the end of the first epoch: give it a trained model, or say with
    `start_epoch` how long to train first.

    Args:
        data: What to measure FIRE on, in inference mode, as `fit` takes it. Defaults to none:
            FIRE is counted in training mode, on the batches that train.
        pruning_ratio: Share of the remaining prunable filters that go in a round. Defaults to 0.05.
        tolerance: By how much the metric may fall, in absolute points. Defaults to 0.01.
        epochs_per_round: Epochs between two cuts. Defaults to 1.
        layer_caps: As in `plan_pruning`, over the whole run.
        monitor: What to watch in the logs. Defaults to `"val_accuracy"` where there is one, else
            `"accuracy"`, with a warning.
        start_epoch: How many epochs to train before the one that measures. Defaults to 0.

    Attributes:
        profile: The `FireProfile`, once the epoch that measures is over.
        result: A `CompressionResult`, once `fit` is over.

    Example:
    >>> callback = firekeras.FirePruningCallback()
    >>> model.fit(x, y, validation_data=(x_val, y_val), epochs=20, callbacks=[callback])
    >>> model.save("pruned.keras")
    """

    def __init__(
        self,
        data=None,
        *,
        pruning_ratio=0.05,
        tolerance=0.01,
        epochs_per_round=1,
        layer_caps=None,
        monitor=None,
        start_epoch=0,
    ):
        super().__init__()
        check_numbers(tolerance, epochs_per_round, max_rounds=1)
        if epochs_per_round < 1:
            raise ValueError(f"Inside fit a round takes at least one epoch. Received: {epochs_per_round=}.")
        self.data, self.tolerance, self.epochs_per_round = data, tolerance, epochs_per_round
        self.pruning_ratio, self.layer_caps = pruning_ratio, dict(layer_caps or {})
        self.monitor, self.start_epoch = monitor, start_epoch
        self.profile: FireProfile | None = None
        self.result: CompressionResult | None = None

    def on_train_begin(self, logs=None):
        """Checks the model before any training, and forgets earlier runs."""
        trace = traced(self.model)
        graph = trace.graph
        check_has_relus(self.model, trace)
        check_prunable(self.model, graph, self.layer_caps)
        if self.data is not None:
            checked_data(self.model, self.data)
        self._method = FirePruning(pruning_ratio=self.pruning_ratio)
        self._live = LiveModel(self.model)
        self._original_widths, self._costs_before = graph.widths, count_costs(graph)
        self._watched = self.monitor
        self._counters: dict = {}
        self._unprobed = None
        self._accepted = None  # the network before the cut that is on trial
        self._plan = None
        self._epochs_on_trial = 0
        self._baseline = self._value = math.nan
        self._records: list[RoundRecord] = []
        self._stopped_because = "fit had no epochs left for another round."

    def on_epoch_begin(self, epoch, logs=None):
        """Puts the counters in, for the epoch that measures."""
        if epoch == self.start_epoch and self.data is None:
            self._trace = traced(self.model)
            self._counters = {relu.key: ZeroCounter(relu.axis, only_training=True) for relu in self._trace.relus}
            self._unprobed = self._live.insert(self._trace, self._counters)

    def on_epoch_end(self, epoch, logs=None):
        """Ends the epoch that measures, or a round on trial; begins the next round."""
        if epoch < self.start_epoch:
            return
        if epoch == self.start_epoch:
            self._measure()
            self._baseline = self._value = self._watched_value(logs)
        elif self._plan is not None and not self._round_over(logs):
            return
        if epoch + 1 + self.epochs_per_round <= self.params["epochs"] and not self.model.stop_training:
            self._begin_round()

    def on_train_end(self, logs=None):
        """Undoes a round that was not finished, and sums up."""
        self._take_counters_out()
        if self._plan is not None:
            self._live.put_back(self._accepted)
        self.result = CompressionResult(
            model=self.model,
            baseline=self._baseline,
            accuracy=self._value,
            rounds=self._records,
            costs_before=self._costs_before,
            costs_after=count_costs(self.model),
            stopped_because=self._stopped_because,
        )
        if not self._records:
            warnings.warn(f"FirePruningCallback did not prune: {self._stopped_because}", stacklevel=2)

    def _measure(self):
        if self.data is not None:
            self.profile = measure_fire(self.model, self.data)
        else:
            self._take_counters_out()
            counted = {key: counter for key, counter in self._counters.items() if counter.built}
            self.profile = profile_from_counters(self.model, self._trace, counted, mode="training")
        self._method.learn(self.profile)

    def _take_counters_out(self):
        if self._unprobed is not None:
            self._live.withdraw(self._unprobed)
            self._unprobed = None

    def _begin_round(self):
        check_weights(self.model)
        trace = traced(self.model)
        plan = self._next_plan(trace.graph)
        if not plan.removed:
            self._stopped_because = " ".join(plan.notes)
            return
        self._accepted = self._live.cut(trace, checked_units(trace.graph, plan))
        self._plan, self._epochs_on_trial = plan, 0
        self._round_began = time.monotonic()

    def _next_plan(self, graph):
        first = not self._records
        scores = self.profile if first else self._method.scores(self.model, self.data)
        return self._method.plan_from(graph, scores, layer_caps=self.layer_caps, original_widths=self._original_widths)

    def _round_over(self, logs) -> bool:
        """Judges the round on trial once its epochs are over."""
        self._epochs_on_trial += 1
        if self._epochs_on_trial < self.epochs_per_round:
            return False
        value = self._watched_value(logs)
        accepted = within_tolerance(value, self._baseline, self.tolerance, self._watched)
        self._record(value, accepted)
        if accepted:
            self._value = value
        else:
            self._live.put_back(self._accepted)
            self.model.stop_training = True
            self._stopped_because = undone_because(self._records[-1], self._watched, self.tolerance)
        self._plan = self._accepted = None
        return True

    def _record(self, value, accepted):
        self._records.append(
            RoundRecord.of(
                self._plan,
                number=len(self._records) + 1,
                accepted=accepted,
                accuracy_after_cut=math.nan,
                accuracy=value,
                baseline=self._baseline,
                seconds=time.monotonic() - self._round_began,
                model=self.model,
            )
        )

    def _watched_value(self, logs) -> float:
        if self._watched is None:
            self._watched = default_monitor(logs)
        if self._watched not in logs:
            raise ValueError(
                f"There is no {self._watched!r} in the logs, which hold {sorted(logs)}. Pass validation_data to fit, "
                "compile with metrics=['accuracy'], or say monitor=... with one of these."
            )
        return float(logs[self._watched])


def default_monitor(logs) -> str:
    """The accuracy to watch: on validation data where there is one, else in training, with a warning."""
    names = [name for name in logs if "acc" in name.lower()]
    held_out = [name for name in names if name.startswith("val_")]
    if held_out:
        return held_out[0]
    if not names:
        raise ValueError(
            f"There is no accuracy in the logs, which hold {sorted(logs)}. Compile with metrics=['accuracy'], or say "
            "monitor=... with one of these."
        )
    warnings.warn(
        f"No validation accuracy is there, so that FirePruningCallback watches the training's {names[0]!r}, which says "
        "little of new data. Pass validation_data to fit.",
        stacklevel=2,
    )
    return names[0]
