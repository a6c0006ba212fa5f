"""A layer built again with other settings: from its config, but with its live functions and objects.

A config names activations, initialisers, regularisers and constraints, and not every one has a name that
leads back to it. So they are left out of it, and the new layer is given those of the old one.
"""

from __future__ import annotations

import keras
import numpy as np

from firekeras.keras_models.copying import Copier, attributes, same_settings
from firekeras.keras_models.inference import at_inference

STAND_INS = {
    "activation": keras.activations.linear,
    "initializer": keras.initializers.Zeros(),  # random numbers would be overwritten at once
    "regularizer": None,
    "constraint": None,
}
FLAGS = ("autocast", "supports_masking", "supports_jit")  # public attributes that no config tells


class Rebuilt:
    """A layer built again.

    Args:
        old: A layer or operation.
        settings: Entries of its config that change, with live layers for those that a wrapper wraps; a dict changes
            entries of a config within it.
        copier: Copies what the new layer takes over. Defaults to one of its own.

    Attributes:
        twin: The new layer, not built yet; `finish` it once it is.
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
        """Gives the new layer, now that it is built, the variables of the old one and what else it holds.

        Args:
            cut: What a variable's value becomes: gets the variable and its value.
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
    """A config with other settings; those of a config within it by a dict of their own."""
    within = {name: value for name, value in settings.items() if isinstance(value, dict)}
    return {**config, **settings, **{name: _changed(config[name], value) for name, value in within.items()}}


def bare_config(operation) -> dict:
    """A config without activation, regularisers and constraints, and with zeros for a start."""
    stand_in = _stand_in(operation) if isinstance(operation, keras.Layer) else operation
    return _unbuilt(stand_in.get_config())


def _stand_in(layer):
    """The layer without what a config may not be able to name: activation, initialisers and the like."""
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


def _kind(name):
    return next((kind for kind in STAND_INS if name.endswith(kind)), None)


def _unbuilt(config):
    """A config without the shapes that layers inside a wrapper were built for."""
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return config


def _pairs(old, new):
    """Yields a layer and its twin, and all layers inside them that have the same place."""
    yield old, new
    for name, value in attributes(old).items():
        other = attributes(new).get(name)
        if isinstance(value, keras.Layer) and type(other) is type(value) and not _kind(name):
            yield from _pairs(value, other)


def _carry_over(old, new, copier):
    """What was set on a layer after its construction, and so is in no config."""
    for name in FLAGS:
        if name in vars(old):
            setattr(new, name, getattr(old, name))
    for name, value in _set_later(old, new).items():
        vars(new)[name] = copier(value)


def _set_later(old, new):
    return {name: value for name, value in vars(old).items() if name not in vars(new)}


def why_not(layer, wrapped, args, kwargs) -> str | None:
    """Why a layer cannot be built again with other settings, in words; None if it can.

    Args:
        layer: A built layer. If its class is not Keras's own, it has to give what it gave before.
        wrapped: The layers that it wraps, by the entries of its config.
        args, kwargs: What it is called on.
    """
    if not isinstance(layer, keras.Layer) or not is_strange(layer):
        return None
    try:
        return _unlike(layer, Rebuilt(layer, _again(wrapped)), args, kwargs)
    except Exception as error:
        return f"cannot be built again from its config, so that nothing can be cut: {_first_line(error)}"


def _again(wrapped):
    return {name: Rebuilt(layer, {}).twin for name, layer in wrapped.items()}


def is_strange(layer):
    """Whether a layer, or one inside it, is of a class that is not Keras's own."""
    return any(type(one).__module__.split(".")[0] != "keras" for one in layer._flatten_layers())


def _unlike(layer, again, args, kwargs):
    at_inference(lambda: again.twin(*args, **kwargs))
    later = _set_later(layer, again.twin)
    again.finish(lambda variable, value: value)
    held = next((name for name, value in later.items() if np.ndim(value)), None)
    if held:
        return f"holds an array in its attribute {held!r}, of which nobody knows what belongs to which channel"
    expected, found = (_outputs(one, args, kwargs) for one in (layer, again.twin))
    if all(np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True) for a, b in zip(expected, found, strict=True)):
        return None
    return "computes something else once it is built again from its config; have get_config return all of its settings"


def _outputs(layer, args, kwargs):
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    given = keras.tree.flatten(at_inference(lambda: layer(*args, **kwargs)))
    return [keras.ops.convert_to_numpy(one) for one in given]


def _first_line(error):
    said = str(error).rpartition("Exception encountered:")[2].strip()  # Keras puts all of the config before it
    return (said or type(error).__name__).splitlines()[0][:150]
