"""Refuses models that cannot be pruned before any work begins, and says what to do instead."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.arguments import short
from firekeras.channels.opening import opened, unsaved
from firekeras.channels.walk import functional_graph, graph_inside, layers_of, leaf_layers
from firekeras.keras_models.classes import comes_out_plain


def check_model(model):
    """Raises `ValueError` if surgery cannot handle this kind of model."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"Expected a keras.Model. Received: {short(model)}.")
    _check_functional(model)
    _check_layers(model)


def _check_functional(model):
    if graph_inside(model) is not None and functional_graph(model) is not None:
        return
    if isinstance(model, keras.Sequential):
        raise ValueError(
            f"The Sequential model {model.name!r} is not built, so its channels are unknown. "
            "Start it with keras.Input(shape), or call model.build(input_shape)."
        )
    if graph_inside(model) is not None:
        raise ValueError(
            f"The class of the model {model.name!r} ({type(model).__name__}) overrides call(): it computes something "
            "other than its graph, so it cannot be followed. Express what call() adds as layers, or prune only the "
            "graph: keras.Model(model.inputs, model.outputs)."
        )
    raise ValueError(
        f"The model {model.name!r} ({type(model).__name__}) is subclassed: what its call() computes cannot be "
        "followed. Build it as a functional model, keras.Model(inputs, outputs); a subclassed model can often be "
        "turned into one: x = keras.Input(shape); keras.Model(x, model.call(x)). Compile the new model again."
    )


def _check_layers(model):
    owner: dict[int, str] = {}
    for path, layer in leaf_layers(model):
        if getattr(layer, "quantization_mode", None):
            raise ValueError(
                f"Layer {path!r} is quantised ({layer.quantization_mode}). Prune the float model, and quantise "
                "the result."
            )
        if getattr(layer, "lora_enabled", False):
            raise ValueError(
                f"Layer {path!r} has LoRA weights. Merge them first (save and load the model), then prune."
            )
        for variable in layer.weights:
            other = owner.setdefault(id(variable), path)
            if other != path:
                raise ValueError(
                    f"Layers {other!r} and {path!r} share the weight {variable.name!r}, which surgery cannot keep "
                    "shared. Call the same layer twice instead."
                )


def check_loads(model):
    """Refuses models whose result could not be loaded: only their class, which is lost, can build some layers."""
    for owner in (model, *_models_inside(model)):
        for layer, reason in (unsaved(graph_inside(owner)) if comes_out_plain(owner) else {}).items():
            if opened(layer) is None:
                raise ValueError(
                    f"Layer {layer.name!r} ({type(layer).__name__}) {reason}. Only the class of the model "
                    f"{owner.name!r} ({type(owner).__name__}) can build it, but the result is a plain Keras "
                    "model, and could not be loaded again. Make the get_config of that layer return the arguments of "
                    "its constructor."
                )


def _models_inside(model):
    for layer in layers_of(model):
        if graph_inside(layer) is not None:
            yield layer
            yield from _models_inside(layer)


def check_weights(model):
    """Raises `ValueError` if a weight is NaN or infinite: no score could be trusted."""
    broken = broken_weight(model)
    if broken:
        raise ValueError(
            f"{broken} holds NaN or infinity: its training has diverged. Go back to an earlier checkpoint."
        )


def broken_weight(model) -> str | None:
    """Says which weight of a model holds NaN or infinity; None if none does."""
    for path, layer in leaf_layers(model):
        for variable in layer.weights:
            value = keras.ops.convert_to_numpy(variable)
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                return f"Weight {variable.name!r} of layer {path!r}"
    return None
