"""Networks as they would be without some of their filters: no surgery, and compiled once for all candidates."""

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
    """A copy of a model that can do without any of its units, and get them back.

    Every slice of a weight that surgery would cut is set to zero, by the same labels. A removed channel
    then counts for nothing wherever it is read, whatever its activation makes of zero, so that outputs
    are those of the pruned network to rounding. Where a normalisation runs over channels they are not:
    it goes on dividing by the number of all of them.

    From mask to mask only values of variables change, so that nothing is compiled again.

    Args:
        model: A built Functional or Sequential model. It is not changed.
        calibration: Batches of inputs. After each mask the BatchNormalizations get the statistics that
            they see on them, as `firekeras.recovery.batch_statistics.reestimate_batch_norm` measures them.
            Defaults to none: they keep their statistics.

    Attributes:
        model: The copy, compiled alike, without regularisers on its weights.
        graph: Its `ChannelGraph`, that of the model.

    Example:
    >>> from firekeras.network.masking import MaskedNetwork
    >>> masked = MaskedNetwork(model)
    >>> masked.remove(masked.graph.units_of({"conv1": [3, 5]}))
    >>> accuracy = masked.model.evaluate(x_val, y_val, return_dict=True)["accuracy"]
    """

    def __init__(self, model, calibration=()):
        self.model = Network.of(model).copy(compiled=model.compiled)
        network = Network.of(self.model)
        self.graph = network.graph
        self._weights = [found for _, layer in leaf_layers(self.model) for found in _cuttable(network, layer)]
        self._calibration = list(calibration)
        self._normalisations = norms_to_measure(self.model)[0] if self._calibration else {}
        self._observer = self._observing()
        for weight in self.model.trainable_variables:
            weight.regularizer = None  # masking must not look like an improvement

    def _observing(self):
        """The pass that tells what the normalisations see."""

        def watch(visit, x, run):
            if visit.at_inference or visit.path not in self._normalisations:
                return None
            return normalised_by_batch(visit.operation, x)

        with scope_of(self.model):
            return LayerByLayer(self.model, watch)

    def remove(self, gone):
        """Takes out the units in the mask `gone`, `(num_units,)`, and puts all others back."""
        stays = np.append(~gone, True)  # the last is for channels of no filter
        for weight, value, along in self._weights:
            for axis, units in along:
                value = value * stays[units].reshape([-1 if k == axis else 1 for k in range(value.ndim)])
            weight.assign(value)
        self._calibrate()

    def _calibrate(self):
        if not self._normalisations:
            return
        batches = [self._observer.predict_on_batch(x)[1] for x in self._calibration]
        for path in batches[0]:
            mean, variance = pooled(*map(np.concatenate, zip(*(batch[path] for batch in batches), strict=True)))
            self._normalisations[path].moving_mean.assign(mean)
            self._normalisations[path].moving_variance.assign(variance)

    def loss(self, batches) -> float:
        """The loss that the model was compiled with, as it is now; infinite where it is not a number.

        Args:
            batches: Each `(x, y, sample_weight)`.
        """
        sizes = [keras.tree.flatten(batch[0])[0].shape[0] for batch in batches]
        losses = [self.model.test_on_batch(*batch, return_dict=True)["loss"] for batch in batches]
        mean = float(np.average(losses, weights=sizes))
        return mean if math.isfinite(mean) else math.inf


def _cuttable(network, layer):
    """Yields (variable, value, [(axis, units)]) of what has slices that surgery may cut."""
    for variable in layer.variables:
        along = [(axis, network.units_along(variable, axis)) for axis in range(len(variable.shape))]
        along = [(axis, units) for axis, units in along if (units != FIXED_UNIT).any()]
        if along:
            yield variable, keras.ops.convert_to_numpy(variable), along
