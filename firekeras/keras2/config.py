"""Configs that Keras 2 wrote, in the words of Keras 3: what its classes do not know is left out, if it said nothing."""

from __future__ import annotations

import inspect

import keras

NAMESPACES = (keras.layers, keras.initializers, keras.regularizers, keras.constraints)
SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "auto": "sum_over_batch_size",
}  # names that Keras 3 does not find in files
TRAINING = (keras.losses, keras.metrics, keras.optimizers)
MODELS = ("Functional", "Model", "Sequential")
TAKEN_BY_LAYERS = ("input_shape", "input_dim")  # by `Layer` itself, out of its further keywords
TAKEN_BY_INPUTS = ("batch_input_shape", "input_shape")
NEUTRAL: tuple = (None, False, 0, 1, "", [], {})  # of what says nothing: one group, no renorm
NO_MATTER = ("implementation", "input_length", "batch_input_shape", "fused")  # how, and not what, is computed


class Mender:
    """Goes through a model's config.

    Attributes:
        notes: What was left out, in words.
    """

    def __init__(self):
        self.notes: list[str] = []

    def model(self, config: dict) -> dict:
        """The config of a model, mended.

        Raises:
            ValueError: If it holds code, a class that is not of Keras, or a setting that Keras 3 does not have.
        """
        return self._value(config, "")

    def _value(self, value, owner):
        if isinstance(value, list):
            return [self._value(one, owner) for one in value]
        if not isinstance(value, dict):
            return value
        settings = value.get("config")
        owner = str(settings.get("name") or owner) if isinstance(settings, dict) else owner
        _refuse_strange_modules(value, owner)
        if value.get("class_name") == "Sequential" and isinstance(value.get("config"), list):  # until Keras 2.2
            value = {**value, "config": {"name": owner or "sequential", "layers": value["config"]}}
        if not isinstance(value.get("class_name"), str) or not isinstance(value.get("config"), dict):
            return {key: self._value(one, owner) for key, one in value.items()}
        return self._object(value, owner)

    def _object(self, value, owner):
        name = value["class_name"]
        if name in ("Policy", "PolicyV1"):
            return value["config"]["name"]
        if "inbound_nodes" in value:
            _check_layer(name, owner)
        settings = value["config"]
        if name == "Sequential":
            settings = {**settings, "layers": _with_input([_checked(one) for one in settings.get("layers", ())])}
        if name in ("Functional", "Model"):
            settings = _renumbered(settings)
        known = _keras_class(name)
        if known is not None and name not in MODELS:
            settings = self._known(known, settings, owner)
        return {**value, "config": {key: self._value(one, owner) for key, one in settings.items()}}

    def training(self, config):
        """Training settings: losses, metrics and optimizer, mended."""
        if isinstance(config, list):
            return [self.training(one) for one in config]
        if not isinstance(config, dict):
            return SHORT.get(config, config) if isinstance(config, str) else config
        if isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict):
            name = config["class_name"].removeprefix("Custom>")
            known = next((found for space in TRAINING if inspect.isclass(found := getattr(space, name, None))), None)
            taken = config["config"].keys() if known is None else _taken_by(known)
            config = {**config, "class_name": name, "config": {k: v for k, v in config["config"].items() if k in taken}}
        return {key: self.training(one) for key, one in config.items()}

    def _known(self, known, settings, owner):
        """The settings that a class takes."""
        taken = _taken_by(known)
        for key, value in settings.items():
            if key not in taken:
                self._leave_out(known, key, value, owner)
        return {key: value for key, value in settings.items() if key in taken}

    def _leave_out(self, known, key, value, owner):
        if not issubclass(known, keras.layers.Layer):
            return  # how weights began, or what they cost in training
        kind = known.__name__
        if key in NO_MATTER:
            return
        if value not in NEUTRAL:
            raise ValueError(
                f"Layer {owner!r} ({kind}) has {key}={value!r}, which Keras 3 does not have: without it the layer "
                "would compute something else. Build the model in Keras 3, and load the weights into it."
            )
        note = f"Left out of {kind}: {key}={value!r}."
        if note not in self.notes:
            self.notes.append(note)


def _with_input(layers):
    """The layers of a Sequential model with the input that older files only tell of in their first layer."""
    first = layers[0].get("config", {}) if layers and isinstance(layers[0], dict) else {}
    shape = first.get("batch_input_shape")
    if shape is None or layers[0]["class_name"] == "InputLayer":
        return layers
    shape = shape["items"] if isinstance(shape, dict) else shape
    settings = {"batch_shape": shape, "dtype": first.get("dtype", "float32"), "name": f"{first.get('name')}_input"}
    return [{"class_name": "InputLayer", "config": settings}, *layers]


def _renumbered(settings):
    """A functional config in which calls of Sequential models are counted as Keras 3 counts them: from 0.

    Keras 2 counted the call by which such a model was built, and Keras 3 corrects that of functional models alone.
    """
    layers = [layer for layer in settings.get("layers", ()) if isinstance(layer, dict)]
    sequential = {layer.get("name") for layer in layers if layer.get("class_name") == "Sequential"}
    told = [*(layer.get("inbound_nodes") for layer in layers), settings.get("output_layers")]
    first = {name: min(_calls_of(name, told), default=0) for name in sequential}

    def renumbered(value):
        if isinstance(value, list):
            if _is_call(value) and first.get(value[0]):
                return [value[0], value[1] - first[value[0]], *value[2:]]
            return [renumbered(one) for one in value]
        return value

    layers = [
        {**layer, "inbound_nodes": renumbered(layer["inbound_nodes"])} if "inbound_nodes" in layer else layer
        for layer in layers
    ]
    return {**settings, "layers": layers, "output_layers": renumbered(settings.get("output_layers"))}


def _is_call(value):
    """Whether a list is (layer, number of its call, number of the output, ...)."""
    return len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _calls_of(name, value):
    if isinstance(value, list):
        if _is_call(value):
            return [value[1]] if value[0] == name else []
        return [number for one in value for number in _calls_of(name, one)]
    return []


def _checked(layer):
    if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
        _check_layer(str(layer.get("class_name")), str(layer["config"].get("name", "")))
    return layer


def _check_layer(name, owner):
    if name == "Lambda":
        raise ValueError(
            f"Layer {owner!r} holds a Python lambda, and code out of a file is never run here. Build the model with "
            "keras.ops in its place, and load the weights into it."
        )
    if name not in MODELS and not (_keras_class(name) and issubclass(_keras_class(name), keras.layers.Layer)):
        raise ValueError(
            f"Layer {owner!r} is a {name}, which is not of Keras 3. Build the model in Keras 3, with its layers and "
            "keras.ops alone, and load the weights into it."
        )


def _refuse_strange_modules(value, owner):
    if "registered_name" in value and str(value.get("module")).split(".")[0] not in ("keras", "builtins"):
        raise ValueError(
            f"Layer {owner!r} needs {value.get('class_name')!r}, which is not of Keras, and code of others is never "
            "run here."
        )
    if value.get("class_name") == "__lambda__":
        raise ValueError(f"Layer {owner!r} holds a Python lambda, and code out of a file is never run here.")


def _keras_class(name):
    """The class of Keras 3 of that name; None if there is none."""
    found = (getattr(space, name, None) for space in NAMESPACES)
    return next((one for one in found if inspect.isclass(one)), None)


def _taken_by(known) -> set[str]:
    """What the constructor of a class takes, also by handing it on to the classes above."""
    taken: set[str] = set()
    for one in known.__mro__:
        parameters = inspect.signature(one.__init__).parameters if "__init__" in vars(one) else {}
        taken.update(parameters)
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
        if one is keras.layers.Layer:
            taken.update(TAKEN_BY_LAYERS)
            break
    return taken | set(TAKEN_BY_INPUTS if known is keras.layers.InputLayer else ())
