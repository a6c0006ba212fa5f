"""Keras's private modules and attributes, for all other rooms: the one file that names them on their behalf.

Each function has a meaning of its own; if a Keras release renames something, only this file changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
from keras.src.models.functional import Functional
from keras.src.ops import core as core_ops
from keras.src.ops import image as image_ops
from keras.src.ops import math as math_ops
from keras.src.ops import nn as nn_ops
from keras.src.ops import numpy as numpy_ops
from keras.src.optimizers.base_optimizer import BaseOptimizer
from keras.src.trainers.compile_utils import CompileLoss
from keras.src.utils.tracking import Tracker

__all__ = [
    "BaseOptimizer",
    "CompileLoss",
    "CustomScaleLayer",
    "Functional",
    "LayerScale",
    "StochasticDepth",
    "Tracker",
    "core_ops",
    "image_ops",
    "math_ops",
    "nn_ops",
    "numpy_ops",
]


def all_layers(layer, include_self=True) -> list:
    """A layer or model and all layers inside it, at any depth."""
    return list(layer._flatten_layers(include_self=include_self))


def evaluated_again(model) -> dict[str, float]:
    """The metrics of a model in `fit` on the validation data that this `fit` has just read."""
    return model.evaluate(verbose=0, return_dict=True, _use_cached_eval_dataset=True)


def holds_layers(layer) -> bool:
    """Whether a layer is made of layers."""
    return bool(layer._layers)


def origin(tensor) -> tuple:
    """The origin of a symbolic tensor: operation, index of the call, index of the output."""
    return tuple(tensor._keras_history)


def maker(tensor):
    """The operation that made a symbolic tensor."""
    return tensor._keras_history.operation


def calls_of(operation) -> list:
    """The nodes of an operation, one per call."""
    return operation._inbound_nodes


def is_masked(node) -> bool:
    """Whether a call receives a tensor with a mask."""
    return any(getattr(tensor, "_keras_mask", None) is not None for tensor in node.input_tensors)


def calls_by_depth(graph) -> dict:
    """The nodes of a functional graph by their depth."""
    return graph._nodes_by_depth


def operations_of(graph) -> list:
    """All operations of a functional graph."""
    return graph._operations


def graph_of_sequential(model):
    """The functional graph inside a Sequential model; None before it is built."""
    return getattr(model, "_functional", None)


def structures(model) -> tuple:
    """The symbolic inputs and outputs of a functional model in their original, nested structure."""
    return model._inputs_struct, model._outputs_struct


def takes_training(operation) -> bool:
    """Whether an operation is called with `training=...`."""
    return bool(getattr(operation, "_call_has_training_arg", False))


def at_inference_arguments(operation, kwargs) -> dict:
    """The keyword arguments of a call, at inference."""
    return {**kwargs, "training": False} if takes_training(operation) else kwargs


def flat_inputs(graph, inputs) -> list:
    """Inputs as a functional model takes them: flat, cast and expanded."""
    return graph._standardize_inputs(inputs)


def check_inputs(graph, flat):
    """Raises the model's own error for inputs of a different shape."""
    graph._assert_input_compatibility(keras.tree.pack_sequence_as(graph.input, flat))


def own_variables(layer) -> list:
    """The variables of a layer itself, without those of layers inside it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def seed_generators(layer) -> list:
    """The random seed generators of a layer."""
    return layer._seed_generators


def set_trainable_alone(layer, value):
    """Sets `trainable` of a layer but not of layers inside it."""
    layer._trainable = value


def is_trainable_alone(layer) -> bool:
    """The `trainable` flag that was set on the layer itself."""
    return layer._trainable


@contextlib.contextmanager
def losses_kept(layer) -> Iterator[list]:
    """Removes losses that calls add within the context; yields a list that holds them in the end."""
    before = list(layer._losses)
    added: list = []
    try:
        yield added
    finally:
        added += layer._losses[len(before) :]
        layer._losses[:] = before


def run_graph(graph, inputs, operation_of) -> object:
    """The outputs of a functional graph with each operation replaced by `operation_of(operation)`."""
    return graph._run_through_graph(inputs, operation_fn=operation_of)


def compile_config(model):
    """What a model was compiled with; a new object after each compile."""
    return model._compile_config


def compiled_loss(model):
    """The `CompileLoss` of a compiled model; None without a loss."""
    return model._compile_loss


def losses_as_given(loss) -> tuple:
    """The losses and loss weights that a `CompileLoss` was made from."""
    return loss._user_loss, loss._user_loss_weights


def flat_losses(loss) -> list:
    """The losses of a built `CompileLoss`, each with the path of its output."""
    return loss._flat_losses


def penalty_of(model, loss):
    """A loss that a layer added, scaled over devices as Keras scales it in the model's loss."""
    return model._aggregate_additional_loss(loss)


def track(model, variable):
    """Adds a variable to a model's own."""
    model._track_variable(variable)


def untrack(model, variable):
    """Removes a variable from a model's own."""
    model._untrack_variable(variable)


def strategy_of(model):
    """The `tf.distribute.Strategy` that a model was built under; None without one."""
    return getattr(model, "_distribute_strategy", None)


def build_metrics(model, batch):
    """Builds metrics and losses from a batch, without computing anything."""
    model._symbolic_build(data_batch=batch)
