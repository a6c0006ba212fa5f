"""A Keras model as a runtime."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.export.formats.format import Input


class KerasModel:
    """A built Keras model, by its compiled `predict_on_batch`."""

    threads = None

    def __init__(self, model):
        self.name = f"Keras ({keras.backend.backend()})"
        self.model = model
        self.inputs = [Input(t.name, tuple(t.shape), np.dtype(t.dtype)) for t in model.inputs]

    def prepare(self, arrays):
        structure = getattr(self.model, "input", self.model.inputs[0])  # a Sequential model has one input
        self._batch = keras.tree.pack_sequence_as(structure, arrays)

    def invoke(self):
        self._outputs = self.model.predict_on_batch(self._batch)

    def outputs(self):
        return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(self._outputs)]
