"""A penalty on the weights of some filters, inside the training step of an ordinary model."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from firekeras.keras_models.devices import scope_of
from firekeras.keras_models.internals import track, untrack
from firekeras.network import Network


class FilterPenalty:
    """A context that adds the l1 norms of a model's filters to its loss, each with a coefficient.

    There is one coefficient per unit, so filters that only go together are penalised together. The coefficients are a
    variable that the compiled step reads, so changing them does not recompile it. The weights' own regularisers still
    count. After the context the model is as before, except for what it has learned.

    Args:
        model: A built Functional or Sequential model.
        batch_norm: Whether gamma and beta of the normalisations behind the filters are penalised too. Defaults
            to False.

    Example:
    >>> from firekeras.methods.penalty import FilterPenalty
    >>> with FilterPenalty(model) as penalty:
    ...     penalty.set(np.full(firekeras.channel_graph(model).num_units, 5e-4))
    ...     history = model.fit(x_train, y_train)
    """

    def __init__(self, model: keras.Model, batch_norm: bool = False):
        self.model, network = model, Network.of(model)
        self._graph = network.graph
        with scope_of(model):
            zeros = network.graph.padded(np.zeros(network.graph.num_units, "float32"), 0)
            self._coefficients = keras.Variable(zeros, trainable=False, name="filter_penalty")
        self._weights = [
            (weight, FilterNorms(self._coefficients, network.units_along(weight, axis), axis, weight.regularizer))
            for weight, axis in filter_weights(network, batch_norm)
        ]

    def set(self, coefficients):
        """Sets the coefficients.

        Args:
            coefficients: One per unit, `(num_units,)`, each at least 0.
        """
        self._coefficients.assign(self._graph.padded(coefficients, 0).astype("float32"))

    def __enter__(self):
        for weight, norms in self._weights:
            weight.regularizer = norms
        track(self.model, self._coefficients)  # JAX takes variables that are not the model's for constants
        self._recompile()
        return self

    def __exit__(self, *error):
        for weight, norms in self._weights:
            weight.regularizer = norms.own
        untrack(self.model, self._coefficients)
        self._recompile()

    def _recompile(self):
        self.model.train_function = self.model.test_function = self.model.predict_function = None


class FilterNorms:
    """A regulariser: the l1 norm of each filter of a weight times its coefficient, plus the weight's own regulariser.

    Args:
        coefficients: A variable, `(num_units + 1,)`.
        units: The unit of each index along the weight's axis; -1 for the last coefficient.
        axis: The axis of the weight that the filters lie along.
        own: The regulariser that the weight already has, or None.
    """

    def __init__(self, coefficients, units, axis, own):
        self.coefficients, self.units, self.axis, self.own = coefficients, units % coefficients.shape[0], axis, own

    def __call__(self, weight):
        axes = [k for k in range(len(weight.shape)) if k != self.axis]
        norms = ops.sum(ops.abs(weight), axes)
        penalty = ops.sum(norms * ops.cast(ops.take(self.coefficients, self.units), norms.dtype))
        return penalty if self.own is None else penalty + self.own(weight)


def filter_weights(network: Network, batch_norm: bool = False) -> Iterator[tuple]:
    """Yields (weight, axis) for all weights that belong to filters, which lie along the axis.

    Args:
        network: The network.
        batch_norm: Whether gamma and beta of the normalisations behind the filters count. Defaults to False.
    """
    for path, layer in network.leaves.items():
        if path in network.graph.filter_layers:
            yield from _kernels(network, path, layer)
        elif batch_norm and path in network.batch_norms:
            yield from ((weight, 0) for weight in layer.trainable_variables)


def _kernels(network, path, layer):
    """The weights whose filters are the layer's; a depthwise kernel has only the channels that it reads."""
    kernels = [weight for weight in layer.trainable_variables if len(weight.shape) > 1]
    axes = [(kernel, *labelled) for kernel in kernels for labelled in enumerate(network.weights.get(id(kernel), ()))]
    axes = [(kernel, axis, labels) for kernel, axis, labels in axes if labels is not None]
    made = [entry for entry in axes if network.births.get(int(entry[2][0]), ("",))[0] == path]
    return [(kernel, axis) for kernel, axis, _ in made or axes]
