"""Whether Keras can load a layer on its own: rebuild it from its config, which is what a file holds."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from firekeras.keras_models.inference import at_inference
from firekeras.keras_models.internals import all_layers
from firekeras.keras_models.rebuilding import is_strange


def why_not_saved(operation, arguments) -> str | None:
    """Why an operation could not be loaded on its own; None if it could.

    Args:
        operation: A layer or operation.
        arguments: A function that returns arguments of a call, (args, kwargs). A layer whose class is not part of
            Keras must return the same for them after loading.
    """
    if not isinstance(operation, keras.Layer):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about this trial would seem to be about the model
            again = _loaded(operation)
            same = not is_strange(operation) or _computes_the_same(operation, again, *arguments())
    except Exception as error:
        return f"cannot be rebuilt from its config: {_last_line(error)}"
    return None if same else "computes something else when rebuilt from its config"


def _loaded(layer):
    config = keras.saving.serialize_keras_object(layer)
    classes = {type(part).__name__: type(part) for part in all_layers(layer) if is_strange(part)}
    return keras.saving.deserialize_keras_object(config, custom_objects=classes, safe_mode=False)


def _computes_the_same(layer, again, args, kwargs):
    at_inference(lambda: again(*args, **kwargs))
    for variable, twin in zip(layer.variables, again.variables, strict=True):
        twin.assign(variable)
    outputs = (keras.tree.flatten(at_inference(lambda x=x: x(*args, **kwargs))) for x in (layer, again))
    pairs = [map(keras.ops.convert_to_numpy, pair) for pair in zip(*outputs, strict=True)]
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) for a, b in pairs)


def _last_line(error):
    """The end of an error message: Keras puts the whole config before it."""
    return str(error).rpartition("Exception encountered:")[2].strip().splitlines()[0][:150] or type(error).__name__
