"""Surgery on the live model: the object that `fit` is training becomes the smaller network."""

from __future__ import annotations

import contextlib
import functools

import keras
import numpy as np

from firekeras.channels.walk import leaf_layers
from firekeras.fit.interruption import Guarded
from firekeras.keras_models.devices import scope_of

# Attributes that `fit` goes on using; all others belong to the network, except those that the other network lacks.
# Loss and metrics are among them: they were built on the first batch, and JAX, on several devices, requires
# them to be built before it trains.
OF_THE_FIT = (
    *("history", "_eval_epoch_iterator", "stop_training", "_initial_epoch"),
    *("_loss_tracker", "_compile_loss", "_compile_metrics"),
)
CLASS = "__class__"  # it changes too: a class with a constructor of its own cannot be built smaller
STEPS = ("train_function", "test_function")
STATE = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")


class LiveModel:
    """Exchanges the network inside a model object while `fit` runs on it.

    The network that is taken out stays as it was, with weights, optimizer and compiled steps, so
    putting it back undoes everything that happened since, exactly.

    Args:
        model: The model that `fit` was called on.
        around: A function that wraps the compiled steps that `fit` calls. Defaults to None.
    """

    def __init__(self, model, around=None):
        self.model, self._around = model, around
        self._taught = None

    def teach(self, teacher):
        """From now until `release`, makes networks that are put in learn from a `Teacher` too."""
        self._taught = teacher.shared_loss(self.model)

    def guard_steps(self):
        """Wraps the steps that `fit` will call next."""
        self.model.make_train_function()
        self.model.make_test_function()
        for name in STEPS if self._around else ():
            step = self.model.__dict__[name]
            self.model.__dict__[name] = step if isinstance(step, Guarded) else self._around(step)

    def become(self, other) -> dict:
        """Takes over the network of another model; returns the previous network, for `put_back`."""
        out = self._exchange({**other.__dict__, CLASS: type(other)})
        if self._taught is not None:
            self.model.__dict__["compute_loss"] = self._taught
        try:
            self._make_steps()
        except BaseException:
            self._exchange(out)
            raise
        return out

    def insert(self, network, behind) -> dict:
        """Inserts layers behind calls; returns the network without them, for `withdraw`."""
        nothing = np.zeros(network.graph.num_units, bool)
        return self.become(network.without(nothing, behind))

    def withdraw(self, without):
        """Removes inserted layers; everything that was learned in the meantime stays."""
        probed = dict(leaf_layers(self.model))
        optimizer = self.model.optimizer
        self._exchange(without)
        for path, layer in leaf_layers(self.model):
            _copy(probed[path].variables, layer.variables)
        if optimizer.built and not self.model.optimizer.built:
            with scope_of(self.model):
                self.model.optimizer.build(self.model.trainable_variables)
        _copy(optimizer.variables, self.model.optimizer.variables)

    def put_back(self, network):
        """Undoes a cut, and all training since."""
        self._exchange(network)

    def hand_back(self, arguments) -> bool:
        """Writes back to the variables the values that `fit` keeps outside of them while it trains with JAX.

        Args:
            arguments: The arguments of the call that failed; the first argument of a step holds these values.

        Returns:
            Whether all values were there: a step that fails may have freed their memory.
        """
        if keras.backend.backend() != "jax":
            return True
        if arguments and isinstance(arguments[0], tuple):
            parts = STATE if len(arguments[0]) == len(STATE) else [name for name in STATE if "optimizer" not in name]
            state = dict(zip(parts, arguments[0], strict=True))
            self.model.__dict__.update(_jax_state=state, _jax_state_synced=False)
        values = keras.tree.flatten(self.model.__dict__.get("_jax_state") or {})
        if any(value.is_deleted() for value in values):
            self._forget_jax_state()
            return False
        self.model.jax_state_sync()
        return True

    def release(self):
        """Restores the steps as Keras made them."""
        for name in STEPS:
            step = self.model.__dict__[name]
            self.model.__dict__[name] = step.call if isinstance(step, Guarded) else step
        if self.model.__dict__.pop("compute_loss", None) is not None:
            self.model.__dict__.update(dict.fromkeys(STEPS))  # compiled with the teacher in them

    def _exchange(self, network) -> dict:
        out = {**self.model.__dict__, CLASS: type(self.model)}
        stays = {name: value for name, value in out.items() if name in OF_THE_FIT or name not in network}
        self.model.__dict__.clear()
        self.model.__dict__.update({name: value for name, value in network.items() if name not in OF_THE_FIT})
        self.model.__dict__.update(stays)
        self.model.__class__ = self.model.__dict__.pop(CLASS)
        if keras.backend.backend() == "jax":
            self._forget_jax_state()
        return out

    def _forget_jax_state(self):
        self.model.__dict__.update(_jax_state=None, _jax_state_synced=True)

    def _make_steps(self):
        with _steps_of_its_own(self.model):
            self.model.make_train_function(force=True)
            self.model.make_test_function(force=True)
        self.guard_steps()


@contextlib.contextmanager
def _steps_of_its_own(model):
    """Compiles steps from functions that are equal to no others.

    JAX looks up compiled code by the function and the shapes of its arguments. Methods of the same model object are
    equal functions to it, so without this a network could be trained by the code of an earlier one.
    """
    own = {name: functools.partial(getattr(model, name)) for name in ("train_step", "test_step")}
    before = {name: model.__dict__[name] for name in own if name in model.__dict__}
    model.__dict__.update(own)
    try:
        yield
    finally:
        for name in own:
            del model.__dict__[name]
        model.__dict__.update(before)


def _copy(sources, targets):
    for source, target in zip(sources, targets, strict=True):
        target.assign(source)
