"""Re-estimates the moving statistics of BatchNormalization on data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from firekeras.arguments import typed
from firekeras.channels.check import check_model
from firekeras.keras_models.devices import scope_of
from firekeras.network import Network
from firekeras.network.batch_norm import normalised_by_batch, norms_to_measure
from firekeras.network.observing import RepeatedPass, check_finite, pooled
from firekeras.quiet import without_retracing_warnings
from firekeras.refusals import by_reason, listed


@typed
@without_retracing_warnings()
def reestimate_batch_norm(
    model: keras.Model, data: Any, *, batch_size: int | None = None, samples: int = 2000
) -> list[str]:
    """Replaces the moving mean and variance of every BatchNormalization by those of its inputs.

    The model is run over the data with each BatchNormalization normalising by its own batch, as in
    training ("precise BatchNorm": Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3),
    and with dropout and the like as at inference. So the inputs of a normalization do not depend on the
    statistics of those before it, which are still wrong, and one pass is enough. Mean and variance are
    those of the whole population, not averages with momentum: the variance is that within batches plus
    that of the batches' means, with batches weighted by size. A layer that is called several times gets
    the statistics of all its calls together.

    Batches should be at least as large as in fine-tuning: normalization by a small batch makes later
    layers' inputs noisy.

    Args:
        model: A built Functional or Sequential model. Changed in place, but only the statistics.
        data: Data as `model.fit` takes them. Labels are ignored.
        batch_size: Batch size for arrays. Defaults to 128.
        samples: The number of samples to use: of arrays a random choice, in whole batches; of data in
            batches the first ones. Defaults to 2000.

    Returns:
        Notes on which layers kept their statistics, and why: frozen ones, those that the model calls
        with `training=False`, and those that do not compute plain BatchNormalization.

    Raises:
        ValueError: If the data do not fit the model, or the inputs of a normalization are not finite.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> firekeras.reestimate_batch_norm(smaller, x_train)
    []
    """
    return Settler(model, data, batch_size, samples).settle()


@typed
def settled_copy(model: keras.Model, data: Any, batch_size: int | None = None, *, samples: int = 2000) -> keras.Model:
    """Copies a network and re-estimates the copy's BatchNormalization statistics: a good teacher.

    Args:
        model: A built Functional or Sequential model. It is not changed.
        data, batch_size, samples: As in `reestimate_batch_norm`.

    Returns:
        A model with its own weights, not compiled; without any BatchNormalization a plain copy.

    Raises:
        ValueError: As `reestimate_batch_norm`.

    Example:
    >>> teacher = firekeras.recovery.settled_copy(model, x_train)
    """
    check_model(model)
    with scope_of(model):
        copy = Network.of(model).copy()
    reestimate_batch_norm(copy, data, batch_size=batch_size, samples=samples)
    return copy


class Settler:
    """Applies `reestimate_batch_norm` to one model repeatedly, compiled only once.

    It uses the model's current weights each time. The layers to measure are chosen once, depending on
    what is frozen at the start. Without any BatchNormalization to measure, no data are read, and nothing
    is compiled.

    Args:
        model, data, batch_size, samples: As in `reestimate_batch_norm`. The samples of arrays are chosen
            once and kept; data in batches are read each time, so they have to be repeatable.

    Raises:
        ValueError: If the model cannot be traced, or the data do not fit it.

    Example:
    >>> settler = firekeras.recovery.Settler(model, x_train)
    >>> for _ in range(2):
    ...     history = model.fit(x_train, y_train)
    ...     notes = settler.settle()
    """

    @typed
    def __init__(self, model: keras.Model, data: Any, batch_size: int | None = None, samples: int = 2000):
        check_model(model)
        self.model = model
        self.layers, self.kept = norms_to_measure(model)
        self.passes = None
        self._unsettled: list = []
        if self.layers:
            self.passes = RepeatedPass(model, data, self._watch, batch_size=batch_size, samples=samples)

    def settle(self) -> list[str]:
        """Measures and assigns the statistics.

        Returns:
            Notes on which layers kept theirs, and why.

        Raises:
            ValueError: If the inputs of a normalization are not finite. Nothing is changed then.
        """
        if self.passes is None:
            return _notes(self.kept)
        statistics = {path: pooled(*rows) for path, rows in self.passes.run().items()}
        check_finite(statistics)
        self._unsettled = self._statistics()
        for path, (mean, variance) in statistics.items():
            self.layers[path].moving_mean.assign(mean)
            self.layers[path].moving_variance.assign(variance)
        uncalled = {path: "called with training=False" for path in self.layers if path not in statistics}
        return _notes(self.kept | uncalled)

    @contextlib.contextmanager
    def unsettled(self) -> Iterator[None]:
        """A context in which the network has the statistics from before it was last settled."""
        settled = self._statistics()
        try:
            self._assign(self._unsettled)
            yield
        finally:
            self._assign(settled)

    @property
    def changes(self) -> bool:
        """Whether settling has changed anything."""
        return bool(self._unsettled)

    def _statistics(self):
        return [keras.ops.convert_to_numpy(variable) + 0 for variable in self._variables()]

    def _assign(self, values):
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def _variables(self):
        return [v for layer in self.layers.values() for v in (layer.moving_mean, layer.moving_variance)]

    def _watch(self, visit, x, run):
        if visit.at_inference or visit.path not in self.layers:
            return None
        return normalised_by_batch(visit.operation, x)


def _notes(kept):
    found = by_reason(kept.items())
    return [f"Kept their statistics, being {reason}: {listed(paths)}." for reason, paths in found.items()]
