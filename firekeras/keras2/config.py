"""Converts configs of Keras 2 for Keras 3: settings that Keras 3 does not know are dropped if they have no effect."""

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
}  # names that Keras 3 does not accept in files
WRAPPERS = ("MeanMetricWrapper", "LossFunctionWrapper")  # around functions
TRAINING = (keras.losses, keras.metrics, keras.optimizers)
MODELS = ("Functional", "Model", "Sequential")
TAKEN_BY_LAYERS = ("input_shape", "input_dim")  # by `Layer` itself, as further keywords
TAKEN_BY_INPUTS = ("batch_input_shape", "input_shape")
NEUTRAL: tuple = (None, False, 0, 1, "", [], {})  # values without effect: one group, no renorm
NO_MATTER = ("implementation", "input_length", "batch_input_shape", "fused")  # concern how, not what, is computed


class Mender:
    """Goes through a model's config.

    Attributes:
        notes: Sentences on what was left out.
    """

    def __init__(self):
        self.notes: list[str] = []

    def model(self, config: dict) -> dict:
        """The config of a model, converted.

        Raises:
            ValueError: If it holds code, a class that is not part of Keras, or a setting that Keras 3 lacks.
        """
        return self._value(config, "")

    def _value(self, value, owner):
        if isinstance(value, list):
            return [self._value(part, owner) for part in value]
        if not isinstance(value, dict):
            return value
        settings = value.get("config")
        owner = str(settings.get("name") or owner) if isinstance(settings, dict) else owner
        _refuse_strange_modules(value, owner)
        if value.get("class_name") == "Sequential" and isinstance(value.get("config"), list):  # until Keras 2.2
            value = {**value, "config": {"name": owner or "sequential", "layers": value["config"]}}
        if not isinstance(value.get("class_name"), str) or not isinstance(value.get("config"), dict):
            return {key: self._value(part, owner) for key, part in value.items()}
        return self._object(value, owner)

    def _object(self, value, owner):
        name = value["class_name"]
        if name in ("Policy", "PolicyV1"):
            return value["config"]["name"]
        if "inbound_nodes" in value:
            _check_layer(name, owner)
        settings = value["config"]
        if name == "Sequential":
            settings = {**settings, "layers": _with_input([_checked(layer) for layer in settings.get("layers", ())])}
        if name in ("Functional", "Model"):
            settings = _renumbered(settings)
        known = _keras_class(name)
        if known is not None and name not in MODELS:
            settings = self._known(known, settings, owner)
        return {**value, "config": {key: self._value(part, owner) for key, part in settings.items()}}

    def training(self, config):
        """Training settings, converted: losses, metrics and optimizer."""
        if isinstance(config, list):
            return [self.training(part) for part in config]
        if not isinstance(config, dict):
            return SHORT.get(config, config) if isinstance(config, str) else config
        if isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict):
            name = config["class_name"].removeprefix("Custom>")
            if name in WRAPPERS:
                return _wrapped(config["config"])
            known = next((cls for space in TRAINING if inspect.isclass(cls := getattr(space, name, None))), None)
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
            return  # initializers and regularizers do not affect the trained model
        kind = known.__name__
        if key in NO_MATTER:
            return
        if value not in NEUTRAL:
            raise ValueError(
                f"Layer {owner!r} ({kind}) has {key}={value!r}, which Keras 3 lacks: without it the layer "
                "would compute something else. Build the model in Keras 3, and load the weights into it."
            )
        note = f"Left out of {kind}: {key}={value!r}."
        if note not in self.notes:
            self.notes.append(note)


def _wrapped(config):
    """The name of the function in a wrapper that Keras 2 put around it; Keras 3 does not look the function up."""
    return "accuracy" if config.get("name") in ("accuracy", "acc") else config.get("fn")


def _with_input(layers):
    """The layers of a Sequential model with an input layer, which older files only imply in their first layer."""
    first = layers[0].get("config", {}) if layers and isinstance(layers[0], dict) else {}
    shape = first.get("batch_input_shape")
    if shape is None or layers[0]["class_name"] == "InputLayer":
        return layers
    shape = shape["items"] if isinstance(shape, dict) else shape
    settings = {"batch_shape": shape, "dtype": first.get("dtype", "float32"), "name": f"{first.get('name')}_input"}
    return [{"class_name": "InputLayer", "config": settings}, *layers]


def _renumbered(settings):
    """A functional config in which calls of Sequential models are counted from 0, as in Keras 3.

    Keras 2 counted the call that built such a model, and Keras 3 only corrects that for functional models.
    """
    layers = [layer for layer in settings.get("layers", ()) if isinstance(layer, dict)]
    sequential = {layer.get("name") for layer in layers if layer.get("class_name") == "Sequential"}
    calls = [*(layer.get("inbound_nodes") for layer in layers), settings.get("output_layers")]
    first = {name: min(_calls_of(name, calls), default=0) for name in sequential}

    def renumbered(value):
        if isinstance(value, list):
            if _is_call(value) and first.get(value[0]):
                return [value[0], value[1] - first[value[0]], *value[2:]]
            return [renumbered(part) for part in value]
        return value

    layers = [
        {**layer, "inbound_nodes": renumbered(layer["inbound_nodes"])} if "inbound_nodes" in layer else layer
        for layer in layers
    ]
    return {**settings, "layers": layers, "output_layers": renumbered(settings.get("output_layers"))}


def _is_call(value):
    """Whether a list is (layer, index of its call, index of the output, ...)."""
    return len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _calls_of(name, value):
    if isinstance(value, list):
        if _is_call(value):
            return [value[1]] if value[0] == name else []
        return [number for part in value for number in _calls_of(name, part)]
    return []


def _checked(layer):
    if isinstance(layer, dict) and isinstance(layer.get("config"), dict):
        _check_layer(str(layer.get("class_name")), str(layer["config"].get("name", "")))
    return layer


def _check_layer(name, owner):
    if name == "Lambda":
        raise ValueError(
            f"Layer {owner!r} holds a Python lambda, and code from a file is never executed here. Build the model with "
            "keras.ops instead, and load the weights into it."
        )
    if name not in MODELS and not (_keras_class(name) and issubclass(_keras_class(name), keras.layers.Layer)):
        raise ValueError(
            f"Layer {owner!r} is a {name}, which is not part of Keras 3. Build the model in Keras 3, with only its "
            "layers and keras.ops, and load the weights into it."
        )


def _refuse_strange_modules(value, owner):
    if "registered_name" in value and str(value.get("module")).split(".")[0] not in ("keras", "builtins"):
        raise ValueError(
            f"Layer {owner!r} needs {value.get('class_name')!r}, which is not part of Keras; third-party code is never "
            "executed here."
        )
    if value.get("class_name") == "__lambda__":
        raise ValueError(f"Layer {owner!r} holds a Python lambda, and code from a file is never executed here.")


def _keras_class(name):
    """The Keras 3 class of a name; None if there is none."""
    values = (getattr(space, name, None) for space in NAMESPACES)
    return next(filter(inspect.isclass, values), None)


def _taken_by(known) -> set[str]:
    """The arguments that the constructor of a class takes, including those it passes on to base classes."""
    taken: set[str] = set()
    for cls in known.__mro__:
        parameters = inspect.signature(cls.__init__).parameters if "__init__" in vars(cls) else {}
        taken.update(parameters)
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
        if cls is keras.layers.Layer:
            taken.update(TAKEN_BY_LAYERS)
            break
    return taken | set(TAKEN_BY_INPUTS if known is keras.layers.InputLayer else ())
