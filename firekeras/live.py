"""Surgery on the live model: the object that `fit` is training becomes the smaller one."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.channels.walk import leaf_layers
from firekeras.devices import scope_of
from firekeras.surgery import rebuild

# What `fit` has put on the model and goes on using; all else belongs to the network.
# Loss and metrics are among it: they were built on the first batch, and JAX, on several devices, wants
# them built before it trains.
OF_THE_FIT = (
    *("history", "_eval_epoch_iterator", "stop_training", "_initial_epoch"),
    *("_loss_tracker", "_compile_loss", "_compile_metrics"),
)


class LiveModel:
    """Exchanges the network inside a model object, while `fit` runs on it.

    The network that goes out is kept as it was, weights, optimizer and all, so that putting it
    back undoes everything that happened since, exactly.

    Args:
        model: The model that `fit` was called on.
    """

    def __init__(self, model):
        self.model = model

    def cut(self, trace, gone) -> dict:
        """Removes units from the model; returns the network as it was, for `put_back`."""
        return self._exchange(rebuild(self.model, trace, gone).__dict__)

    def insert(self, trace, behind) -> dict:
        """Puts layers behind calls; returns the network without them, for `withdraw`."""
        nothing = np.zeros(trace.graph.num_units, bool)
        return self._exchange(rebuild(self.model, trace, nothing, behind).__dict__)

    def withdraw(self, without):
        """Takes inserted layers out again; all that was learned meanwhile stays."""
        probed = dict(leaf_layers(self.model))
        optimizer = self.model.optimizer
        self._exchange(without)
        for path, layer in leaf_layers(self.model):
            _copy(probed[path].variables, layer.variables)
        if not self.model.optimizer.built:
            with scope_of(self.model):
                self.model.optimizer.build(self.model.trainable_variables)
        _copy(optimizer.variables, self.model.optimizer.variables)

    def put_back(self, network):
        """Undoes a cut, and all training since."""
        self._exchange(network)

    def _exchange(self, network) -> dict:
        out = dict(self.model.__dict__)
        stays = {name: out[name] for name in OF_THE_FIT if name in out}
        self.model.__dict__.clear()
        self.model.__dict__.update(network)
        self.model.__dict__.update(stays)
        if keras.backend.backend() == "jax":
            self.model.__dict__.update(_jax_state=None, _jax_state_synced=True)
        self.model.make_train_function(force=True)
        self.model.test_function = None
        return out


def _copy(sources, targets):
    for source, target in zip(sources, targets, strict=True):
        target.assign(source)
