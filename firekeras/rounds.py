"""Rounds: remove a few filters, fine-tune, and go on for as long as accuracy stays within a tolerance."""

from __future__ import annotations

import dataclasses
import inspect
import math
import time
from collections.abc import Iterator, Mapping

import keras

from firekeras import methods
from firekeras.channels import channel_graph
from firekeras.channels.check import check_weights
from firekeras.costs import Costs, count_costs
from firekeras.data import checked_data
from firekeras.devices import check_strategy
from firekeras.plan import known_layer
from firekeras.surgery import prune

LOWER_IS_BETTER = ("loss", "error", "mae", "mse", "crossentropy", "divergence")


@dataclasses.dataclass
class RoundRecord:
    """What one round did.

    Args:
        number: From 1.
        accepted: Whether accuracy stayed within the tolerance.
        criterion: What filters were ranked by: `"fire"` where measured, `"fire_predicted"` after.
        filters_removed: By this round.
        accuracy_after_cut: Of the monitored metric, before fine-tuning.
        accuracy: After fine-tuning, on the validation data.
        baseline: Of the model that the run began with.
        conv_macs, macs, params: Of this round's model.
        seconds: How long the round took.
        notes: What the plan had to say.
        model: The best model so far: this round's where accepted, else the last accepted one.
    """

    number: int
    accepted: bool
    criterion: str
    filters_removed: int
    accuracy_after_cut: float
    accuracy: float
    baseline: float
    conv_macs: int
    macs: int
    params: int
    seconds: float
    notes: list[str]
    model: keras.Model = dataclasses.field(repr=False)

    @classmethod
    def of(cls, plan, **fields) -> RoundRecord:
        """The record of a round that carried out `plan`."""
        return cls(
            criterion=plan.criterion,
            filters_removed=plan.num_removed,
            conv_macs=plan.costs_after.conv_macs,
            macs=plan.costs_after.macs,
            params=plan.costs_after.params,
            notes=plan.notes,
            **fields,
        )

    def to_dict(self) -> dict:
        """The record without its model: plain numbers, for JSON."""
        fields = (field.name for field in dataclasses.fields(self) if field.name != "model")
        return {name: getattr(self, name) for name in fields}


@dataclasses.dataclass
class CompressionResult:
    """What a run came to.

    Args:
        model: The smallest model within the tolerance: that of the last accepted round.
        baseline: The monitored metric of the model that the run began with.
        accuracy: The same of `model`.
        rounds: A `RoundRecord` per round, the rejected one included.
        costs_before, costs_after: `Costs` before the run and of `model`.
        stopped_because: Why there was no further round, in words.
    """

    model: keras.Model = dataclasses.field(repr=False)
    baseline: float
    accuracy: float
    rounds: list[RoundRecord]
    costs_before: Costs
    costs_after: Costs
    stopped_because: str


def compress(model, train_data, validation_data, *, method="fire", tolerance=0.01, **settings) -> CompressionResult:
    """Prunes and fine-tunes in rounds, for as long as accuracy stays within a tolerance.

    Args:
        model: A built, compiled model, with a metric to watch. It is not changed.
        train_data: What FIRE is measured on and fine-tuning trains on: `(x, y)`, or a data set.
        validation_data: Held-out data that no training step sees, as `fit` takes them.
        method: `"fire"`, or a method object such as `FirePruning(mode="measured")`.
        tolerance: By how much the metric may fall below that of `model`, in absolute points
            (0.01 is one point). Defaults to 0.01.
        **settings: As in `compression_rounds`: `pruning_ratio`, `layer_caps`, `epochs_per_round`,
            `max_rounds`, `monitor`, and arguments for `model.fit`.

    Returns:
        A `CompressionResult`; its `model` is a plain Keras model.

    Raises:
        ValueError: For a model that cannot be pruned or is not compiled, data that do not fit, or
            numbers out of their range: before any training.

    Example:
    >>> result = firekeras.compress(model, (x_train, y_train), (x_val, y_val), tolerance=0.01)
    >>> result.model.save("pruned.keras")
    """
    rounds = compression_rounds(model, train_data, validation_data, method=method, tolerance=tolerance, **settings)
    records = list(rounds)
    return rounds.result(records)


class compression_rounds(Iterator):  # noqa: N801 (used as a function: it is a generator with a result)
    """The rounds of `compress`, one at a time: stop iterating to stop.

    Args:
        model, train_data, validation_data, method, tolerance: As in `compress`.
        pruning_ratio: Share of the remaining prunable filters that go in a round; for a `method`
            given by name. Defaults to 0.05.
        layer_caps: As in `plan_pruning`, over the whole run.
        epochs_per_round: Epochs of fine-tuning. Defaults to 1.
        max_rounds: Defaults to 100.
        monitor: Which of the model's metrics to watch. Defaults to `"accuracy"`.
        **fit_arguments: For `model.fit`, such as `batch_size` or `callbacks`.

    Yields:
        A `RoundRecord` per round. A round below the tolerance is the last: it is undone.

    Example:
    >>> for record in firekeras.compression_rounds(model, train, validation):
    ...     if record.macs < budget:
    ...         break
    >>> record.model.save("pruned.keras")
    """

    def __init__(
        self,
        model,
        train_data,
        validation_data,
        *,
        method="fire",
        pruning_ratio=0.05,
        tolerance=0.01,
        layer_caps: Mapping[str, float] | None = None,
        epochs_per_round=1,
        max_rounds=100,
        monitor="accuracy",
        **fit_arguments,
    ):
        check_numbers(tolerance, epochs_per_round, max_rounds)
        _check_fit_arguments(model, fit_arguments)
        graph = channel_graph(model)
        check_prunable(model, graph, layer_caps or {})
        checked_data(model, train_data)
        checked_data(model, validation_data)
        options = {"pruning_ratio": pruning_ratio} if isinstance(method, str) else {}
        self.method = methods.get(method, **options)
        self.train_data, self.validation_data = train_data, validation_data
        self.tolerance, self.layer_caps = tolerance, dict(layer_caps or {})
        self.original_widths = graph.widths
        self.max_rounds, self.monitor = max_rounds, monitor
        self._fit = {"epochs": epochs_per_round, "verbose": 0, **fit_arguments}
        self.baseline = self._measured(model)
        self.costs_before = count_costs(graph)
        self.best, self.accuracy = model, self.baseline
        self.number = 0
        self.stopped_because = ""

    def __iter__(self):
        return self

    def __next__(self) -> RoundRecord:
        if not self.stopped_because and self.number >= self.max_rounds:
            self.stopped_because = f"max_rounds={self.max_rounds} is reached"
        plan = None if self.stopped_because else self._plan()
        if plan is None:
            raise StopIteration
        self.number += 1
        return self._round(plan)

    def _plan(self):
        plan = self.method.plan(
            self.best, self.train_data, layer_caps=self.layer_caps, original_widths=self.original_widths
        )
        if plan.removed:
            return plan
        self.stopped_because = " ".join(plan.notes) or "Nothing was left to remove."
        return None

    def _round(self, plan):
        start = time.monotonic()
        candidate = prune(self.best, plan)
        after_cut = self._measured(candidate)
        loss = self._fine_tune(candidate)
        accuracy = self._measured(candidate) if math.isfinite(loss) else math.nan
        accepted = within_tolerance(accuracy, self.baseline, self.tolerance, self.monitor)
        if accepted:
            self.best, self.accuracy = candidate, accuracy
        record = RoundRecord.of(
            plan,
            number=self.number,
            accepted=accepted,
            accuracy_after_cut=after_cut,
            accuracy=accuracy,
            baseline=self.baseline,
            seconds=time.monotonic() - start,
            model=self.best,
        )
        if not accepted:
            self.stopped_because = undone_because(record, self.monitor, self.tolerance)
        return record

    def _fine_tune(self, model) -> float:
        """Trains one round; returns the last training loss."""
        x = self.train_data if isinstance(self.train_data, tuple) else (self.train_data,)
        history = model.fit(*x[:2], sample_weight=x[2] if len(x) > 2 else None, **self._fit)
        return history.history["loss"][-1] if self._fit["epochs"] else 0.0

    def _measured(self, model) -> float:
        """The monitored metric on the validation data."""
        x = self.validation_data if isinstance(self.validation_data, tuple) else (self.validation_data,)
        weights = x[2] if len(x) > 2 else None
        metrics = model.evaluate(
            *x[:2], sample_weight=weights, batch_size=self._fit.get("batch_size"), verbose=0, return_dict=True
        )
        return monitored(metrics, self.monitor)

    def result(self, records) -> CompressionResult:
        """What the rounds so far came to."""
        return CompressionResult(
            model=self.best,
            baseline=self.baseline,
            accuracy=self.accuracy,
            rounds=list(records),
            costs_before=self.costs_before,
            costs_after=count_costs(self.best),
            stopped_because=self.stopped_because,
        )


def within_tolerance(value, baseline, tolerance, monitor) -> bool:
    """Whether a metric is at most `tolerance` worse than the baseline; NaN never is."""
    worse_by = value - baseline if lower_is_better(monitor) else baseline - value
    return bool(worse_by <= tolerance + 1e-9)


def undone_because(record, monitor, tolerance) -> str:
    """Why a rejected round ended the run, in words."""
    return (
        f"Round {record.number} ended at {monitor} {record.accuracy:.4f}, more than the tolerance of "
        f"{tolerance} from {record.baseline:.4f}, and was undone."
    )


def lower_is_better(monitor) -> bool:
    """Whether small values of this metric are the good ones, by its name."""
    return any(word in monitor.lower() for word in LOWER_IS_BETTER)


def monitored(metrics, monitor) -> float:
    """One metric out of those that `evaluate` gave."""
    if monitor not in metrics:
        raise ValueError(
            f"The model has no metric {monitor!r} to watch; it has {sorted(metrics)}. Compile it with "
            "metrics=['accuracy'], or say monitor=... with one of these."
        )
    return float(metrics[monitor])


def check_numbers(tolerance, epochs_per_round, max_rounds):
    """Raises `ValueError` for numbers out of their range."""
    if not tolerance >= 0:
        raise ValueError(f"tolerance is in absolute points from 0 on (0.01 is one point). Received: {tolerance}.")
    if int(epochs_per_round) != epochs_per_round or epochs_per_round < 0:
        raise ValueError(f"epochs_per_round is a whole number from 0 on. Received: {epochs_per_round}.")
    if max_rounds < 1:
        raise ValueError(f"max_rounds is a whole number from 1 on. Received: {max_rounds}.")


def _check_fit_arguments(model, fit_arguments):
    known = set(inspect.signature(model.fit).parameters) if hasattr(model, "fit") else set()
    for name in fit_arguments:
        if name not in known - {"x", "y", "sample_weight", "epochs", "validation_data", "validation_split"}:
            raise ValueError(f"Unknown setting {name!r}: neither compress nor model.fit takes it here.")


def check_prunable(model, graph, layer_caps):
    """Raises `ValueError` for a model that cannot be pruned in rounds, or caps on layers it has not."""
    check_strategy(model)
    check_weights(model)
    if not model.compiled:
        raise ValueError(
            f"The model {model.name!r} is not compiled, so that it cannot be fine-tuned. Compile it as for training: "
            "model.compile(optimizer, loss, metrics=['accuracy'])."
        )
    for name in layer_caps:
        known_layer(name, graph.filter_layers)
    if len(graph.locks) == graph.num_units:
        reasons = "; ".join(list(dict.fromkeys(graph.locks.values()))[:3])
        raise ValueError(f"The model {model.name!r} has no filter that may be removed: {reasons}.")
