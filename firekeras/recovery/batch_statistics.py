"""The moving statistics of BatchNormalization, measured again on data."""

from __future__ import annotations

from collections import defaultdict

from firekeras.channels.check import check_model
from firekeras.keras_models.devices import scope_of
from firekeras.network import Network
from firekeras.network.batch_norm import normalised_by_batch, norms_to_measure
from firekeras.network.observing import RepeatedPass, check_finite, pooled


def reestimate_batch_norm(model, data, *, batch_size=None, samples=2000) -> list[str]:
    """Replaces the moving mean and variance of every BatchNormalization by those of its inputs.

    The model is run over the data with each BatchNormalization normalising by its own batch, as in
    training ("precise BatchNorm": Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3),
    and with dropout and the like as at inference. What a normalisation sees thus does not depend on
    the statistics of those before it, which are wrong still, so that one pass is enough. Mean and
    variance are those of the whole population, not averages with momentum: the variance is that
    within batches plus that of the batches' means, each batch counted by its size. A layer that is
    called several times gets what all its calls see together.

    Batches should be as large as fine-tuning's, or larger: what comes behind a normalisation by a
    small batch is noisy.

    Args:
        model: A built Functional or Sequential model. Changed in place: the statistics, nothing else.
        data: What `model.fit` takes. Labels are not looked at.
        batch_size: For arrays. Defaults to 128.
        samples: How many samples to look at: of arrays so many at random, in whole batches; of data in
            batches the first ones. Defaults to 2000.

    Returns:
        Notes: which layers kept their statistics, and why. Those that are frozen do, those that the
        model calls with `training=False`, and those that compute something of their own.

    Raises:
        ValueError: If the data do not fit the model, or what a normalisation sees is not finite.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> firekeras.reestimate_batch_norm(smaller, x_train)
    []
    """
    return Settler(model, data, batch_size, samples).settle()


def settled_copy(model, data, batch_size=None, *, samples=2000):
    """The same network with weights of its own, and BatchNormalization's statistics measured: a good teacher.

    Args:
        model: A built Functional or Sequential model. It is not changed.
        data, batch_size, samples: As in `reestimate_batch_norm`.

    Returns:
        A model that is not compiled; without any BatchNormalization a plain copy, so that training the
        first model does not change it.

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
    """Does what `reestimate_batch_norm` does to one model as often as it is asked to, and is compiled once.

    Each time the weights are those that the model has then. Which layers are measured is decided at
    the beginning, by what is frozen then. Without any BatchNormalization to measure, no data are read, and
    nothing is compiled.

    Args:
        model, data, batch_size, samples: As in `reestimate_batch_norm`. Of arrays the samples are chosen,
            and kept, once; data in batches are read each time, so that they have to be repeatable.

    Raises:
        ValueError: If the model cannot be followed, or the data do not fit it.

    Example:
    >>> settler = firekeras.recovery.Settler(model, x_train)
    >>> for _ in range(2):
    ...     history = model.fit(x_train, y_train)
    ...     notes = settler.settle()
    """

    def __init__(self, model, data, batch_size=None, samples=2000):
        check_model(model)
        self.model = model
        self.layers, self.kept = norms_to_measure(model)
        self.passes = None
        if self.layers:
            self.passes = RepeatedPass(model, data, self._watch, batch_size=batch_size, samples=samples)

    def settle(self) -> list[str]:
        """Measures and assigns the statistics; returns notes: which layers kept theirs, and why.

        Raises:
            ValueError: If what a normalisation sees is not finite. Nothing is changed then.
        """
        if self.passes is None:
            return _notes(self.kept)
        statistics = {path: pooled(*rows) for path, rows in self.passes.run().items()}
        check_finite(statistics)
        for path, (mean, variance) in statistics.items():
            self.layers[path].moving_mean.assign(mean)
            self.layers[path].moving_variance.assign(variance)
        uncalled = {path: "called with training=False" for path in self.layers if path not in statistics}
        return _notes(self.kept | uncalled)

    def _watch(self, visit, x, run):
        if visit.at_inference or visit.path not in self.layers:
            return None
        return normalised_by_batch(visit.operation, x)


def _notes(kept):
    by_reason = defaultdict(list)
    for path, reason in kept.items():
        by_reason[reason].append(path)
    return [f"Kept their statistics, being {reason}: {', '.join(paths)}." for reason, paths in by_reason.items()]
