"""A TensorFlow SavedModel, run by TensorFlow."""

from __future__ import annotations

import numpy as np

from firekeras.export.runtimes.runtime import Input, in_order


class SavedModel:
    """The folder of a SavedModel, called by its signature `serving_default`."""

    name = "TensorFlow"
    threads = None

    def __init__(self, path):
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(str(path))
            self._function = self._loaded.signatures["serving_default"]
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path} is not a SavedModel with a signature 'serving_default': {error}") from error
        specs = self._function.structured_input_signature[1]
        self.inputs = [Input(name, tuple(one.shape), one.dtype.as_numpy_dtype) for name, one in sorted(specs.items())]

    def prepare(self, arrays):
        import tensorflow as tf

        self._feed = {one.name: tf.constant(a, one.dtype) for one, a in zip(self.inputs, arrays, strict=True)}

    def invoke(self):
        self._given = {name: np.asarray(value) for name, value in self._function(**self._feed).items()}

    def outputs(self):
        return [self._given[name] for name in in_order(self._given)]
