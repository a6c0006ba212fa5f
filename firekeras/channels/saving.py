"""Whether Keras can load a layer on its own: build it again from what a file says of it, its config."""

from __future__ import annotations

import warnings

import keras
import numpy as np

from firekeras.keras_models.inference import at_inference
from firekeras.keras_models.internals import all_layers
from firekeras.keras_models.rebuilding import is_strange


def why_not_saved(operation, arguments) -> str | None:
    """Why an operation could not be loaded on its own, in words; None if it could.

    Args:
        operation: A layer or operation.
        arguments: Gives the arguments of a call, (args, kwargs), for a layer of a class that is not Keras's own: it has
            to give what it gave before.
    """
    if not isinstance(operation, keras.Layer):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Keras says of the trial would be taken as said of the model
            again = _loaded(operation)
            same = not is_strange(operation) or _gives_the_same(operation, again, *arguments())
    except Exception as error:
        return f"cannot be built again from its config: {_last_line(error)}"
    return None if same else "computes something else once it is built again from its config"


def _loaded(layer):
    config = keras.saving.serialize_keras_object(layer)
    classes = {type(one).__name__: type(one) for one in all_layers(layer) if is_strange(one)}
    return keras.saving.deserialize_keras_object(config, custom_objects=classes, safe_mode=False)


def _gives_the_same(layer, again, args, kwargs):
    at_inference(lambda: again(*args, **kwargs))
    for one, other in zip(layer.variables, again.variables, strict=True):
        other.assign(one)
    given, found = (keras.tree.flatten(at_inference(lambda one=one: one(*args, **kwargs))) for one in (layer, again))
    pairs = [map(keras.ops.convert_to_numpy, pair) for pair in zip(given, found, strict=True)]
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) for a, b in pairs)


def _last_line(error):
    """What an error says at its end: Keras puts the whole config before it."""
    return str(error).rpartition("Exception encountered:")[2].strip().splitlines()[0][:150] or type(error).__name__
