"""A snapshot of a network to come back to: weights, statistics, optimizer."""

from __future__ import annotations

import keras

from firekeras.keras_models.devices import scope_of


class Snapshot:
    """Holds a copy of everything that a network has learned.

    Args:
        model: A built model; the state of its optimizer is copied too, if it has one.
    """

    def __init__(self, model: keras.Model):
        self._model = model
        self._variables = [*model.variables, *_of_optimizer(model)]
        self._values = [keras.ops.convert_to_numpy(variable).copy() for variable in self._variables]

    def restore(self):
        """Restores everything as it was."""
        with scope_of(self._model):
            for variable, value in zip(self._variables, self._values, strict=True):
                variable.assign(value)


def _of_optimizer(model):
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not model.compiled:
        return []
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    return optimizer.variables
