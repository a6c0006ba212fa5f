"""How good a network is: one metric on held-out data, and how far it may fall."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from firekeras.rounds.monitor import lower_is_better


class Evaluation:
    """Measures one metric, always by the same code, and judges by it.

    Args:
        data: Held-out data, as `model.evaluate` takes them.
        monitor: The name of the metric; by it one tells whether small values are the good ones.
        tolerance: By how much it may be worse than the baseline, in absolute points.
        batch_size: For arrays.
        evaluate: A function that measures it, `evaluate(model) -> float`, instead of
            `model.evaluate`. Defaults to none.
    """

    def __init__(self, data, monitor, tolerance, *, batch_size=None, evaluate=None):
        self.data, self.monitor, self.tolerance = data, monitor, tolerance
        self.batch_size, self._evaluate = batch_size, evaluate

    @classmethod
    def of(cls, settings, data) -> Evaluation:
        """As the settings of a run say."""
        one = settings
        return cls(data, one.monitor, one.tolerance, batch_size=one.batch_size, evaluate=one.evaluate)

    def measured(self, model) -> float:
        """The metric of a model."""
        if self._evaluate is not None:
            return float(self._evaluate(model))
        x = self.data if isinstance(self.data, tuple) else (self.data,)
        weights = x[2] if len(x) > 2 else None
        metrics = model.evaluate(*x[:2], sample_weight=weights, batch_size=self.batch_size, verbose=0, return_dict=True)
        return monitored(metrics, self.monitor)

    def accepts(self, value, baseline) -> bool:
        """Whether a metric is within the tolerance."""
        return within_tolerance(value, baseline, self.tolerance, self.monitor)


def within_tolerance(value, baseline, tolerance, monitor) -> bool:
    """Whether a metric is at most `tolerance` worse than the baseline; NaN never is."""
    worse_by = value - baseline if lower_is_better(monitor) else baseline - value
    return bool(worse_by <= tolerance + 1e-9)


def monitored(metrics, monitor) -> float:
    """One metric out of those that `evaluate` gave."""
    if monitor not in metrics:
        raise ValueError(
            f"The model has no metric {monitor!r} to watch; it has {sorted(metrics)}. Compile it with "
            "metrics=['accuracy'], or say monitor=... with one of these."
        )
    return float(metrics[monitor])


def warn_unless_held_out(train_data, validation_data):
    """Warns where what judges the rounds is what they train on."""
    if train_data is validation_data or _share_samples(train_data, validation_data):
        warnings.warn(
            "validation_data are samples of train_data: accuracy on what was trained on says little of new data. "
            "Hold some out: firekeras.datasets.hold_out, or x[:n] to train on and x[n:] to judge by.",
            stacklevel=5,
        )


def _share_samples(train_data, validation_data):
    if not (isinstance(train_data, tuple) and isinstance(validation_data, tuple)):
        return False
    one, other = (keras.tree.flatten(data[0])[0] for data in (train_data, validation_data))
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.may_share_memory(one, other)
