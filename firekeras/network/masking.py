"""Networks as they would be without some filters: no surgery, and compiled once for all candidates."""

from __future__ import annotations

import math

import keras
import numpy as np

from firekeras.channels.graph import FIXED_UNIT
from firekeras.channels.walk import leaf_layers
from firekeras.keras_models.devices import scope_of
from firekeras.network import Network
from firekeras.network.batch_norm import normalised_by_batch, norms_to_measure
from firekeras.network.layer_by_layer import LayerByLayer
from firekeras.network.observing import pooled


class MaskedNetwork:
    """A copy of a model whose units can be masked, and restored.

    Every slice of a weight that surgery would cut is set to zero, by the same labels. A masked channel
    then contributes nothing wherever it is read, whatever its activation does with zero, so outputs are
    those of the pruned network up to rounding. Normalizations over channels are an exception: they still
    divide by the number of all channels.

    From mask to mask only values of variables change, so nothing is recompiled.

    Args:
        model: A built Functional or Sequential model. It is not changed.
        calibration: Batches of inputs. After each mask the statistics of every BatchNormalization are
            re-estimated on them, as `firekeras.reestimate_batch_norm` does. Defaults to none: they keep
            their statistics.

    Attributes:
        model: The copy, compiled like the model, without regularizers on its weights.
        graph: Its `ChannelGraph`, the same as the model's.

    Example:
    >>> from firekeras.network.masking import MaskedNetwork
    >>> masked = MaskedNetwork(model)
    >>> masked.remove(masked.graph.units_of({"conv1": [3, 5]}))
    >>> accuracy = masked.model.evaluate(x_val, y_val, return_dict=True)["accuracy"]
    """

    def __init__(self, model, calibration=()):
        with scope_of(model):
            self.model = Network.of(model).copy(compiled=model.compiled)
        network = Network.of(self.model)
        self.graph = network.graph
        self._weights = [weight for _, layer in leaf_layers(self.model) for weight in _cuttable(network, layer)]
        self._calibration = list(calibration)
        self._normalisations = norms_to_measure(self.model)[0] if self._calibration else {}
        self._observer = self._observing()
        for weight in self.model.trainable_variables:
            weight.regularizer = None  # masking must not look like an improvement

    def _observing(self):
        """A pass that records the inputs of normalizations."""

        def watch(visit, x, run):
            if visit.at_inference or visit.path not in self._normalisations:
                return None
            return normalised_by_batch(visit.operation, x)

        with scope_of(self.model):
            return LayerByLayer(self.model, watch)

    def remove(self, gone):
        """Masks the units in `gone`, bool `(num_units,)`, and restores all others."""
        stays = self.graph.padded(~gone, True)
        for weight, value, along in self._weights:
            for axis, units in along:
                value = value * stays[units].reshape([-1 if k == axis else 1 for k in range(value.ndim)])
            weight.assign(value)
        self._calibrate()

    def follow(self, model):
        """Takes over the weights of the model, which has been trained meanwhile; masks nothing until `remove`."""
        self.model.set_weights(model.get_weights())
        self._weights = [(weight, keras.ops.convert_to_numpy(weight), along) for weight, _, along in self._weights]

    def _calibrate(self):
        if not self._normalisations:
            return
        batches = [self._observer.predict_on_batch(x)[1] for x in self._calibration]
        for path in batches[0]:
            mean, variance = pooled(*map(np.concatenate, zip(*(batch[path] for batch in batches), strict=True)))
            self._normalisations[path].moving_mean.assign(mean)
            self._normalisations[path].moving_variance.assign(variance)

    def loss(self, batches) -> float:
        """The compiled loss of the masked model; infinite if it is not a number.

        Args:
            batches: Tuples `(x, y, sample_weight)`.
        """
        sizes = [keras.tree.flatten(batch[0])[0].shape[0] for batch in batches]
        losses = [self.model.test_on_batch(*batch, return_dict=True)["loss"] for batch in batches]
        mean = float(np.average(losses, weights=sizes))
        return mean if math.isfinite(mean) else math.inf


def _cuttable(network, layer):
    """Yields (variable, value, [(axis, units)]) of each weight that surgery may cut."""
    for variable in layer.variables:
        along = [(axis, network.units_along(variable, axis)) for axis in range(len(variable.shape))]
        along = [(axis, units) for axis, units in along if (units != FIXED_UNIT).any()]
        if along:
            yield variable, keras.ops.convert_to_numpy(variable), along
