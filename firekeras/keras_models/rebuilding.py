"""Rebuilds a layer with other settings: from its config, but with its live functions and objects.

A config refers to activations, initializers, regularizers and constraints by name, and not all of them can be
found by name. They are left out of the config, and the new layer gets those of the old one.
"""

from __future__ import annotations

import functools

import keras
import numpy as np

from firekeras.keras_models.copying import Copier, attributes, same_settings
from firekeras.keras_models.inference import at_inference
from firekeras.refusals import cause

STAND_INS = {
    "activation": keras.activations.linear,
    "initializer": keras.initializers.Zeros(),  # random values would be overwritten at once
    "regularizer": None,
    "constraint": None,
}
FLAGS = ("autocast", "supports_masking", "supports_jit")  # public attributes that no config holds


class Rebuilt:
    """A rebuilt layer.

    Args:
        old: A layer or operation.
        settings: Entries of its config to change, with live layers for those inside a wrapper; a dict changes
            entries of a nested config.
        copier: Copies what the new layer takes over. Defaults to a new one.

    Attributes:
        twin: The new layer, not yet built; call `finish` once it is.
    """

    def __init__(self, old, settings, copier=None):
        self.old, self.copier = old, copier or Copier()
        self.twin = _from_config(old, settings)
        self.twin.name = old.name
        for one, other in _pairs(old, self.twin):
            self._hand_on(one, other, lambda kind: kind != "initializer")

    def _hand_on(self, one, other, wanted):
        for name, value in attributes(one).items():
            kind = _kind(name)
            if kind and wanted(kind) and name in attributes(other):
                setattr(other, name, self.copier(value))

    def finish(self, cut):
        """Copies the variables and all other state of the old layer into the new one, which is built by now.

        Args:
            cut: A function of a variable and its value that returns the new value.
        """
        self._assign(cut)
        for one, other in _pairs(self.old, self.twin):
            self._hand_on(one, other, lambda kind: kind == "initializer")
            other._trainable = one._trainable
            _carry_over(one, other, self.copier)
        if hasattr(self.twin, "finalize_state"):
            self.twin.finalize_state()

    def _assign(self, cut):
        pairs = list(zip(self.old.variables, self.twin.variables, strict=True))
        for variable, smaller in pairs:
            smaller.assign(cut(variable, keras.ops.convert_to_numpy(variable)))
            self.copier.remember(variable, smaller)
            same_settings(variable, smaller)


def _from_config(old, settings):
    config = _changed(bare_config(old), settings)
    if "dtype" in config:
        config["dtype"] = old.dtype_policy
    if any(isinstance(value, keras.Layer) for value in settings.values()):
        return type(old)(**config)
    return type(old).from_config(config)


def _changed(config, settings):
    """A config with other settings; a dict changes a nested config."""
    within = {name: value for name, value in settings.items() if isinstance(value, dict)}
    return {**config, **settings, **{name: _changed(config[name], value) for name, value in within.items()}}


def bare_config(operation) -> dict:
    """A config without activation, regularizers and constraints, initialized with zeros."""
    stand_in = _stand_in(operation) if isinstance(operation, keras.Layer) else operation
    return _unbuilt(stand_in.get_config())


def _stand_in(layer):
    """The layer without what a config may fail to name: activation, initializers and the like."""
    stand_in = object.__new__(type(layer))
    vars(stand_in).update({name: _without(name, value) for name, value in vars(layer).items()})
    return stand_in


def _without(name, value):
    if value is not None and _kind(name):
        return STAND_INS[_kind(name)]
    if name == "_modules":  # torch keeps sublayers here
        return {key: _without(key, one) for key, one in value.items()}
    if isinstance(value, keras.Layer) and not isinstance(value, keras.Model):
        return _stand_in(value)
    return value


@functools.cache
def _kind(name):
    return next((kind for kind in STAND_INS if name.endswith(kind)), None)


def _unbuilt(config):
    """A config without the input shapes of layers inside a wrapper."""
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return config


def _pairs(old, new):
    """Yields a layer and its twin, then the corresponding layers inside them."""
    yield old, new
    others = attributes(new)
    for name, value in attributes(old).items():
        other = others.get(name)
        if isinstance(value, keras.Layer) and type(other) is type(value) and not _kind(name):
            yield from _pairs(value, other)


def _carry_over(old, new, copier):
    """Copies what was set on a layer after its construction, and so is in no config."""
    for name in FLAGS:
        if name in vars(old):
            setattr(new, name, getattr(old, name))
    for name, value in _set_later(old, new).items():
        vars(new)[name] = copier(value)


def _set_later(old, new):
    return {name: value for name, value in vars(old).items() if name not in vars(new)}


def why_not(layer, wrapped, args, kwargs) -> str | None:
    """Why a layer cannot be rebuilt with other settings; None if it can.

    Args:
        layer: A built layer. If its class is not part of Keras, the rebuilt layer must compute the same.
        wrapped: The layers that it wraps, by the entries of its config.
        args, kwargs: The arguments to call it with.
    """
    if not isinstance(layer, keras.Layer) or not is_strange(layer):
        return None
    try:
        return _unlike(layer, Rebuilt(layer, _again(wrapped)), args, kwargs)
    except Exception as error:
        return f"cannot be rebuilt from its config, so nothing can be cut: {cause(error, 150)}"


def _again(wrapped):
    return {name: Rebuilt(layer, {}).twin for name, layer in wrapped.items()}


def is_strange(layer):
    """Whether the class of a layer, or of one inside it, is not part of Keras."""
    return any(type(part).__module__.split(".")[0] != "keras" for part in layer._flatten_layers())


def _unlike(layer, again, args, kwargs):
    at_inference(lambda: again.twin(*args, **kwargs))
    later = _set_later(layer, again.twin)
    again.finish(lambda variable, value: value)
    held = next((name for name, value in later.items() if np.ndim(value)), None)
    if held:
        return (
            f"holds an array in its attribute {held!r}, and it is unknown which of its values belong to which channel"
        )
    expected, received = (_outputs(each, args, kwargs) for each in (layer, again.twin))
    if all(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) for a, b in zip(expected, received, strict=True)):
        return None
    return "computes something else when rebuilt from its config; make get_config return all of its settings"


def _outputs(layer, args, kwargs):
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    outputs = keras.tree.flatten(at_inference(lambda: layer(*args, **kwargs)))
    return [keras.ops.convert_to_numpy(output) for output in outputs]
