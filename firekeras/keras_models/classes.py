"""The class of a pruned model: the model's own if Keras can load it as that, else a plain one.

A user's constructor is never called: it builds the original network, and may download it first.
"""

from __future__ import annotations

import dis
import inspect

import keras

from firekeras.keras_models.internals import Functional

OF_TRAINING = {"train_step", "test_step", "compute_loss", "compute_metrics", "fit", "evaluate"}
OF_A_GRAPH = {"name", "layers"}  # what a config must hold for Keras to build a network from it


def plain_class(model):
    """Keras's own class of a model: Functional or Sequential."""
    return keras.Sequential if isinstance(model, keras.Sequential) else Functional


def result_class(model) -> type:
    """The class of the model that surgery returns."""
    plain = plain_class(model)
    return type(model) if type(model) is plain or _is_loaded_by_its_graph(model, plain) else plain


def comes_out_plain(model) -> bool:
    """Whether surgery returns another class: for a composite layer, or a class that builds the network itself."""
    return not isinstance(model, (Functional, keras.Sequential)) or result_class(model) is not type(model)


def loss_of_class(model, name) -> list[str]:
    """Sentences on what a model loses if its class cannot be kept; empty if it is kept."""
    if result_class(model) is type(model):
        return []
    plain = "Sequential" if plain_class(model) is keras.Sequential else "Model"
    methods = _methods(model)
    without = f", without its {', '.join(methods)}" if methods else ""
    return [
        f"Keras cannot load a smaller network as a {type(model).__name__}, whose constructor builds the network: "
        f"{name} comes out as a plain keras.{plain}{without}."
    ]


def check_trains_as_keras_does(model):
    """Raises `ValueError` if pruning a model while it trains would lose how it trains."""
    lost = sorted(set(_methods(model)) & OF_TRAINING) if result_class(model) is not type(model) else []
    if lost:
        raise ValueError(
            f"The class of the model {model.name!r} ({type(model).__name__}) overrides how it trains "
            f"({', '.join(lost)}) and builds the network itself, so a smaller network cannot have that class. Give "
            "it the constructor of keras.Model, __init__(self, inputs, outputs, name=None, **kwargs), and build the "
            "network outside; or, in compress, train with a function of your own, fine_tune=..., and measure with "
            "evaluate=..."
        )


def _methods(model):
    between = _between(type(model), plain_class(model))
    return sorted({name for cls in between for name, value in vars(cls).items() if _is_method(name, value)})


def _is_method(name, value):
    return (
        not name.startswith("_")
        and name not in ("get_config", "from_config")
        and (callable(value) or isinstance(value, (property, classmethod, staticmethod)))
    )


def _between(cls, plain):
    return cls.__mro__[: cls.__mro__.index(plain)]


def _is_loaded_by_its_graph(model, plain):
    """Whether Keras saves this model as a graph, and passes the graph to its class."""
    between = _between(type(model), plain)
    own = {name: cls for cls in reversed(between) for name in vars(cls)}
    constructors = [vars(cls)["__init__"] for cls in between if "__init__" in vars(cls)]
    if "from_config" in own or not all(_passes_on(constructor, plain) for constructor in constructors):
        return False
    return "get_config" not in own or _config_is_a_graph(model)


def _passes_on(constructor, plain):
    """Whether a constructor takes the arguments of Keras's own, and passes them on."""
    spec = inspect.getfullargspec(constructor)
    if spec.args[1:] == inspect.getfullargspec(plain.__init__).args[1:]:
        return True
    if (spec.varargs, spec.varkw) != ("args", "kwargs"):
        return False
    optional = len(spec.defaults or ()) == len(spec.args) - 1 and set(spec.kwonlyargs) <= set(spec.kwonlydefaults or ())
    return optional and {"args", "kwargs"} <= _names_read(constructor)


def _names_read(function):
    code = getattr(inspect.unwrap(function), "__code__", None)
    read = [step.argval for step in dis.get_instructions(code) if step.opname.startswith("LOAD")] if code else []
    return {name for names in read for name in (names if isinstance(names, tuple) else (names,))}


def _config_is_a_graph(model):
    try:
        return set(model.get_config()) >= OF_A_GRAPH
    except Exception:  # no config at all: the model could not be saved before, either
        return True
