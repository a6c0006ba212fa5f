"""How good a network is: one metric on held-out data."""

from __future__ import annotations

import inspect
import warnings

import keras
import numpy as np

from firekeras.rounds.monitor import chosen_monitor, is_accuracy, within_tolerance

CHANCE = 0.02  # a baseline so close to what always the same answer scores has learned nothing


class Evaluation:
    """Measures one metric, always by the same code, and judges by it.

    Args:
        data: Held-out data, as `model.evaluate` takes them.
        monitor: The name of the metric, with or without `"val_"`; None finds it: see
            `firekeras.rounds.monitor.chosen_monitor`.
        tolerance: By how much it may be worse than the baseline: absolute points, a share of the
            baseline where lower is better.
        batch_size: For arrays.
        evaluate: A function that measures it, `evaluate(model) -> float`, instead of
            `model.evaluate`. Defaults to none.
    """

    def __init__(self, data, monitor, tolerance, *, batch_size=None, evaluate=None):
        self.data, self.tolerance = data, tolerance
        self.batch_size, self._evaluate = batch_size, evaluate
        self._wanted = monitor
        self._monitor: str | None = None

    @classmethod
    def of(cls, settings, data) -> Evaluation:
        """As the settings of a run say."""
        return cls(
            data, settings.monitor, settings.tolerance, batch_size=settings.batch_size, evaluate=settings.evaluate
        )

    @property
    def monitor(self) -> str:
        """The name of the metric; known once a network was measured, unless it was given."""
        return self._monitor or self._wanted or "accuracy"

    def measured(self, model) -> float:
        """The metric of a model.

        Raises:
            ValueError: If the model has no such metric.
        """
        if self._evaluate is not None:
            return float(self._evaluate(model))
        x, y, weights = keras.utils.unpack_x_y_sample_weight(self.data)
        metrics = model.evaluate(x, y, sample_weight=weights, batch_size=self.batch_size, verbose=0, return_dict=True)
        if self._monitor is None:
            self._monitor = chosen_monitor(self._wanted, metrics, len(model.outputs))
        return float(metrics[self._monitor])

    def accepts(self, value, baseline) -> bool:
        """Whether a metric is within the tolerance."""
        return within_tolerance(value, baseline, self.tolerance, self.monitor)


def warn_unless_held_out(train_data, validation_data):
    """Warns if validation samples are also training samples."""
    if train_data is validation_data or _share_samples(train_data, validation_data):
        warnings.warn(
            "validation_data are samples of train_data: accuracy on what was trained on says little of new data. "
            "Hold some out: firekeras.datasets.hold_out, or x[:n] to train on and x[n:] to judge by.",
            stacklevel=_frames_of_ours(),
        )


def _frames_of_ours() -> int:
    """How many frames of firekeras lie above the line that called it, so that a warning points at that line."""
    frame, count = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == __name__.split(".")[0]:
        frame, count = frame.f_back, count + 1
    return count


def _share_samples(train_data, validation_data):
    if not (isinstance(train_data, tuple) and isinstance(validation_data, tuple)):
        return False
    one, other = (keras.tree.flatten(data[0])[0] for data in (train_data, validation_data))
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.may_share_memory(one, other)


def chance_level(data, monitor: str) -> float | None:
    """What always giving the most frequent class scores; None if nobody can tell.

    Args:
        data: Held-out data; labels of arrays are counted, those of data sets are not read.
        monitor: The metric.
    """
    labels = data[1] if isinstance(data, tuple) and len(data) > 1 else None
    if not is_accuracy(monitor) or "top" in monitor or not isinstance(labels, np.ndarray) or not labels.size:
        return None
    classes = labels.argmax(-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.ravel()
    _, counts = np.unique(classes, return_counts=True)
    return float(counts.max() / counts.sum())


def no_better_than_chance(baseline: float, data, monitor: str) -> str | None:
    """A sentence if a baseline is no better than always the same answer; else None."""
    chance = chance_level(data, monitor)
    if chance is None or baseline > chance + CHANCE * (1 - chance):
        return None
    return (
        f"The baseline, {monitor} {baseline:.4f}, is no better than always giving the most frequent class "
        f"({chance:.4f}): the network has learned nothing, or the data do not fit it (labels, scaling of the inputs)."
    )
