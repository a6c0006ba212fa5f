"""How good a network is: one metric on held-out data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from firekeras.data.ending import watched
from firekeras.data.labels import are_arrays
from firekeras.data.scale import Range, most_frequent, suspected_range
from firekeras.keras_models.devices import scope_of
from firekeras.keras_models.internals import build_metrics
from firekeras.network import Network
from firekeras.quiet import without_end_warnings
from firekeras.recovery.batch_statistics import reestimate_batch_norm
from firekeras.refusals import HOLD_OUT, check_batch_size, warn_caller
from firekeras.rounds.monitor import chosen_monitor, is_accuracy, uncertainty, within_tolerance
from firekeras.rounds.settings import RunSettings

CHANCE = 0.02  # a baseline this close to the score of a constant answer has learned nothing


class Evaluation:
    """Measures one metric, always with the same code, and judges networks by it.

    Args:
        data: Held-out data, as `model.evaluate` takes them.
        monitor: The name of the metric, with or without `"val_"`; None picks one: see
            `firekeras.rounds.monitor.chosen_monitor`.
        tolerance: How much worse than the baseline it may be, from 0: absolute points, or a share of the
            baseline if lower is better.
        batch_size: For arrays. Defaults to None: Keras's own.
        evaluate: A function `evaluate(model) -> float` to measure with, instead of `model.evaluate`. Defaults to None.
    """

    def __init__(
        self,
        data: Any,
        monitor: str | None,
        tolerance: float,
        *,
        batch_size: int | None = None,
        evaluate: Callable[[keras.Model], float] | None = None,
    ):
        check_batch_size(batch_size)
        self.data, self.tolerance = data, tolerance
        self.batch_size, self._evaluate = batch_size, evaluate
        self._wanted = monitor
        self._monitor: str | None = None

    @classmethod
    def of(cls, settings: RunSettings, data: Any) -> Evaluation:
        """The evaluation that the settings of a run describe."""
        return cls(
            data, settings.monitor, settings.tolerance, batch_size=settings.batch_size, evaluate=settings.evaluate
        )

    @property
    def monitor(self) -> str:
        """The name of the metric; unless it was given, known once a network has been measured."""
        return self._monitor or self._wanted or "accuracy"

    @property
    def samples(self) -> int | None:
        """How many samples it measures on; None if their number is unknown, or a function measures."""
        if self._evaluate is not None or not are_arrays(self.data):
            return None
        return len(keras.tree.flatten(self.data)[0])

    def measured(self, model: keras.Model) -> float:
        """The metric of a model; NaN if the loss is.

        Raises:
            ValueError: If the model has no such metric, or `evaluate` returns no number.
        """
        if self._evaluate is not None:
            return self._as_number(self._evaluate(model))
        x, y, weights = keras.utils.unpack_x_y_sample_weight(self.data)
        settings = {"batch_size": self.batch_size, "verbose": 0, "return_dict": True}
        with without_end_warnings(), watched(self.data, "Judging") as watch:
            metrics = model.evaluate(x, y, sample_weight=weights, callbacks=watch, **settings)
        if self._monitor is None:
            self._monitor = chosen_monitor(self._wanted, metrics, len(model.outputs))
        return math.nan if math.isnan(metrics.get("loss", 0.0)) else float(metrics[self._monitor])

    @staticmethod
    def _as_number(received) -> float:
        try:
            return float(received)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"evaluate is a function that measures a model and returns a number. It returned: {received!r}."
            ) from error

    def check_monitor(self, model: keras.Model):
        """Raises `ValueError`, before anything is measured, if a model has no metric of the wanted name."""
        if self._wanted is None or self._evaluate is not None:
            return
        names = metric_names(model, self.data)
        if names is not None:
            chosen_monitor(self._wanted, names, len(model.outputs))

    def check_baseline(self, value: float, notes: Iterable[str] = ()):
        """Raises `ValueError` if the network that a run begins with cannot be measured: nothing could be judged by it.

        Args:
            value: Its metric.
            notes: What was noticed while it was measured.
        """
        if math.isfinite(value):
            return
        ours = f"on the validation data {self.monitor} or the loss is {value}"
        found = ours if self._evaluate is None else f"evaluate returned {value}"
        because = "".join(f" {note}" for note in notes)
        raise ValueError(
            f"There is no baseline: {found}.{because} Check the data and their labels, the loss, and the weights."
        )

    def suspicion(self, model: keras.Model, given: Range | None = None) -> str | None:
        """A sentence if the model does far better on the same samples in another range of values; else None.

        Args:
            model: A compiled model.
            given: As of `suspected_range`.
        """
        x, y = self.data[:2] if isinstance(self.data, tuple) and len(self.data) > 1 else (None, None)
        if self._evaluate or not is_accuracy(self.monitor) or not isinstance(x, np.ndarray):
            return None
        if not isinstance(y, np.ndarray) or len(model.outputs) > 1 or x.dtype.kind not in "uif":
            return None

        def accuracy(x, y):
            return self._accuracy(model, x, y)

        def settled(x, y):
            copy = Network.of(model).copy(compiled=True)
            reestimate_batch_norm(copy, x)
            return self._accuracy(copy, x, y)

        return suspected_range(accuracy, x, y, settled, given)

    def _accuracy(self, model, x, y):
        metrics = model.evaluate(x, y, batch_size=self.batch_size, verbose=0, return_dict=True)
        return float(metrics[self.monitor])

    def accepts(self, value: float, baseline: float) -> bool:
        """Whether a metric is within the tolerance."""
        return within_tolerance(value, baseline, self.tolerance, self.monitor)


def metric_names(model: keras.Model, data: Any) -> list[str] | None:
    """The names of all metrics that a model gives on some data; None if only measuring can tell.

    Args:
        model: A compiled model.
        data: Data as `fit` takes them; the kinds and shapes of one sample of arrays, or of a batch, decide.
    """
    try:
        return list(model.get_metrics_result())
    except ValueError:  # no batch has been seen yet
        batch = _one_batch(data)
        if batch is None:
            return None
        with scope_of(model):
            build_metrics(model, batch)
        return list(model.get_metrics_result())


def _one_batch(data):
    """A batch, or the shapes and types of one: `(x, y)` or `(x, y, sample_weight)`."""
    if isinstance(data, tuple):
        return keras.tree.map_structure(lambda array: np.asarray(array[:1]), data)
    spec = getattr(data, "element_spec", None)
    if spec is not None or data is None:
        return spec
    return data[0] if isinstance(data, keras.utils.PyDataset) else next(iter(data))


def warn_unless_held_out(train_data: Any, validation_data: Any):
    """Warns if validation samples are also training samples."""
    if train_data is validation_data or _share_samples(train_data, validation_data):
        warn_caller(
            "validation_data are samples of train_data: accuracy on training samples says little about new data. "
            f"{HOLD_OUT}"
        )


def _share_samples(train_data, validation_data):
    if not (isinstance(train_data, tuple) and isinstance(validation_data, tuple)):
        return False
    train, held_out = (keras.tree.flatten(data[0])[0] for data in (train_data, validation_data))
    return isinstance(train, np.ndarray) and isinstance(held_out, np.ndarray) and np.may_share_memory(train, held_out)


def chance_level(data: Any, monitor: str) -> float | None:
    """The score of always answering with the most frequent class; None if it cannot be computed.

    Args:
        data: Held-out data. Labels in arrays are counted; those of data sets are not read.
        monitor: The metric.
    """
    labels = data[1] if isinstance(data, tuple) and len(data) > 1 else None
    if not is_accuracy(monitor) or "top" in monitor or not isinstance(labels, np.ndarray) or not labels.size:
        return None
    return most_frequent(labels)


def no_better_than_chance(baseline: float, data: Any, monitor: str) -> str | None:
    """A sentence if the baseline is no better than a constant answer; else None."""
    chance = chance_level(data, monitor)
    if chance is None or baseline > chance + CHANCE * (1 - chance):
        return None
    return (
        f"The baseline, {monitor} {baseline:.4f}, is no better than always answering with the most frequent class "
        f"({chance:.4f}): suspect first the scale of the inputs (0..255 for a network trained on 0..1, or the "
        "reverse), then the labels; or the network has learned nothing."
    )


def too_few_to_judge(baseline: float, data: Any, tolerance: float, monitor: str) -> str | None:
    """A sentence if an accuracy on these data is less certain than the tolerance is small; else None.

    Args:
        baseline: The accuracy.
        data: Held-out data. Only arrays with one label per sample are counted.
        tolerance: How far the accuracy may fall.
        monitor: The metric.
    """
    labels = data[1] if isinstance(data, tuple) and len(data) == 2 else None
    if not is_accuracy(monitor) or not isinstance(labels, np.ndarray) or not _one_each(labels):
        return None
    chance = uncertainty(baseline, len(labels))
    if tolerance >= chance:
        return None
    return (
        f"{len(labels):,} held-out samples cannot judge a tolerance of {tolerance:g}: {monitor} {baseline:.4f} on them "
        f"is uncertain by {chance:.2g} (two standard errors). Hold out more, or allow more."
    )


def _one_each(labels):
    """Whether labels are a class number, or a one-hot row, per sample."""
    one_hot = labels.ndim == 2 and np.allclose(labels.sum(axis=-1), 1)
    return labels.size > 0 and (labels.size == len(labels) or one_hot)
