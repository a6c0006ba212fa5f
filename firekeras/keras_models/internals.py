"""What Keras keeps to itself: the only place that names its private modules and attributes outside of this room.

Each function says what is meant; if a Keras release renames something, this is what changes.
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
    """A layer or model, and all layers inside it, however deep."""
    return list(layer._flatten_layers(include_self=include_self))


def origin(tensor) -> tuple:
    """Where a symbolic tensor comes from: its operation, the number of the call, and of the output."""
    return tuple(tensor._keras_history)


def maker(tensor):
    """The operation that a symbolic tensor comes from."""
    return tensor._keras_history.operation


def calls_of(operation) -> list:
    """The nodes of an operation, one per call."""
    return operation._inbound_nodes


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
    """The inputs and outputs of a functional model as they were given to it: nested, symbolic."""
    return model._inputs_struct, model._outputs_struct


def takes_training(operation) -> bool:
    """Whether an operation is called with `training=...`."""
    return bool(getattr(operation, "_call_has_training_arg", False))


def at_inference_arguments(operation, kwargs) -> dict:
    """The keyword arguments of a call at inference."""
    return {**kwargs, "training": False} if takes_training(operation) else kwargs


def flat_inputs(graph, inputs) -> list:
    """Inputs as a functional model takes them, flat, cast and expanded."""
    return graph._standardize_inputs(inputs)


def check_inputs(graph, flat):
    """Raises the model's own error for inputs of another shape."""
    graph._assert_input_compatibility(keras.tree.pack_sequence_as(graph.input, flat))


def own_variables(layer) -> list:
    """The variables that a layer holds itself, beside those of layers inside it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def seed_generators(layer) -> list:
    """The generators of random numbers that a layer holds."""
    return layer._seed_generators


def set_trainable_alone(layer, value):
    """Sets `trainable` of a layer, but of nothing inside it."""
    layer._trainable = value


def is_trainable_alone(layer) -> bool:
    """`trainable` of a layer as it was set on it."""
    return layer._trainable


@contextlib.contextmanager
def losses_kept(layer) -> Iterator[list]:
    """Takes losses away that calls add within the context; gives a list that holds them at its end."""
    before = list(layer._losses)
    added: list = []
    try:
        yield added
    finally:
        added += layer._losses[len(before) :]
        layer._losses[:] = before


def run_graph(graph, inputs, operation_of) -> object:
    """What a functional graph gives with other operations in place of its own, `operation_of(operation)`."""
    return graph._run_through_graph(inputs, operation_fn=operation_of)


def compile_config(model):
    """What a model was compiled with, as an object that changes if it is compiled again."""
    return model._compile_config


def compiled_loss(model):
    """The `CompileLoss` of a compiled model; None without a loss."""
    return model._compile_loss


def losses_as_given(loss) -> tuple:
    """The losses and their weights that a `CompileLoss` was made of."""
    return loss._user_loss, loss._user_loss_weights


def flat_losses(loss) -> list:
    """The losses of a built `CompileLoss`, each with the path of its output."""
    return loss._flat_losses


def penalty_of(model, loss):
    """A loss that a layer added, as Keras adds it to the model's: scaled for the devices that compute it."""
    return model._aggregate_additional_loss(loss)


def track(model, variable):
    """Makes a variable one of a model's own."""
    model._track_variable(variable)


def untrack(model, variable):
    """Takes a variable away from a model's own."""
    model._untrack_variable(variable)


def strategy_of(model):
    """The `tf.distribute.Strategy` that a model was made under; None without one."""
    return getattr(model, "_distribute_strategy", None)


def build_metrics(model, batch):
    """Builds metrics and losses by a batch, without computing anything."""
    model._symbolic_build(data_batch=batch)
