"""Fine-tuning that learns from the unpruned model too: from how it spreads its probabilities."""

from __future__ import annotations

import contextlib
import math

import keras
import numpy as np
from keras import layers, ops
from keras.src.ops import core as core_ops
from keras.src.ops import nn as nn_ops

from firekeras.channels.check import check_model
from firekeras.channels.walk import functional_graph
from firekeras.devices import several_processes

FROM_LOGITS = (
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)


def fit_distilled(student, teacher, x, y=None, *, temperature=3.0, weight=0.5, **fit_arguments):
    """Trains a pruned model as its own `fit` does, with the unpruned model as a teacher.

    The loss is `(1 - weight) * task + weight * temperature**2 * KL(teacher || student)`: the student's
    own loss on the labels, and how far its class probabilities are from the teacher's, both softened
    by the temperature (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2).
    Sample weights count in both parts; regularisation is added in full. All else is the student's own
    `fit`: its optimizer goes on from the state that it is in, logs have their plain names, and
    `val_loss` is the student's own loss.

    Args:
        student: A compiled Functional or Sequential classifier, whose one output is class probabilities
            from a softmax, or logits, for a categorical crossentropy with `from_logits=True`. It is
            trained in place.
        teacher: A model with the same inputs and classes, such as `student` before it was pruned. It is
            not changed, and need not be compiled.
        x, y: The training data, as `fit` takes them.
        temperature: What logits are divided by, above 0. Defaults to 3.0.
        weight: The teacher's share, from 0 to 1. Defaults to 0.5.
        **fit_arguments: For `fit`, such as `epochs` or `validation_data`.

    Returns:
        The `History` that `fit` gives.

    Raises:
        ValueError: If outputs are neither probabilities nor logits of the same classes, the student
            trains by a step of its own, or numbers are out of their range.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> history = fit_distilled(smaller, model, x_train, y_train, epochs=5)
    """
    _check_callbacks(fit_arguments.get("callbacks"))
    with distilling(student, teacher, temperature=temperature, weight=weight):
        return student.fit(x, y, **fit_arguments)


@contextlib.contextmanager
def distilling(student, teacher, *, temperature=3.0, weight=0.5):
    """Has the student's `fit` learn from a teacher while the context lasts; arguments as in `fit_distilled`.

    Example:
    >>> with distilling(smaller, model):
    ...     smaller.fit(x_train, y_train, epochs=5)
    """
    _check_numbers(temperature, weight)
    _check_models(student, teacher)
    says_logits = _says_logits(student) or _says_logits(teacher)
    of_student, of_teacher = (_logits(model, says_logits) for model in (student, teacher))

    def divergence(x, y_pred, sample_weight):
        given = ops.stop_gradient(of_teacher(teacher(x, training=False)))
        return soft_divergence(given, of_student(y_pred), temperature, sample_weight)

    student.compute_loss = _shared_loss(student, divergence, weight)
    student.train_function = None  # it is compiled with the loss inside
    try:
        yield
    finally:
        del student.compute_loss
        student.train_function = None


def soft_divergence(teacher_logits, student_logits, temperature, sample_weight=None):
    """`temperature**2 * KL(teacher || student)` of softened class probabilities, averaged as Keras's losses are."""
    crossentropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    given, found = teacher_logits / temperature, student_logits / temperature
    target = ops.softmax(given)
    excess = crossentropy(target, found, sample_weight) - crossentropy(target, given, sample_weight)
    return temperature**2 * excess


# The student's own loss, and not keras.distillation.Distiller: that one (Keras 3.15) leaves out the
# student's regularisation and the sample weights, mixes the teacher into val_loss, leaves the teacher
# frozen, and its LogitsDistillation by default takes the divergence of logits, not of probabilities.
def _shared_loss(student, divergence, weight):
    """The student's `compute_loss`, which leaves a share to the divergence from the teacher."""
    whole = student.compute_loss

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        own = whole(x, y, y_pred, sample_weight, training=training)
        if not training:
            return own
        penalties = sum(student._aggregate_additional_loss(one) for one in student.losses)
        return (1 - weight) * (own - penalties) + penalties + weight * divergence(x, y_pred, sample_weight)

    return compute_loss


# What the outputs are


def _logits(model, says_logits):
    """The function that turns a model's output into logits."""
    last = _last_operation(model)
    if _is_softmax(last, len(model.outputs[0].shape)):
        return _log_probabilities
    if not says_logits or getattr(last, "activation", keras.activations.linear) is not keras.activations.linear:
        raise ValueError(
            f"Distillation compares class probabilities. Expected a softmax over the last axis at the end of "
            f"{model.name!r}, or logits that go into a categorical crossentropy with from_logits=True. Received an "
            f"output of {last.name!r} ({_kind(last)}). Fine-tune it with fit instead."
        )
    return _float32


def _log_probabilities(y):
    """Logits up to a constant, which no softmax sees; a probability of zero stays finite."""
    return ops.log(ops.maximum(_float32(y), np.finfo("float32").tiny))


def _float32(y):
    return ops.cast(y, "float32")


def _last_operation(model):
    """What computes the model's output, not counting operations that hand it on as it is."""
    tensor = model.outputs[0]
    while True:
        operation, node, number = tensor._keras_history
        if functional_graph(operation) is not None:
            tensor = functional_graph(operation).outputs[number]
        elif _hands_on(operation):
            tensor = operation._inbound_nodes[node].input_tensors[0]
        else:
            return operation


def _hands_on(operation):
    linear = isinstance(operation, layers.Activation) and operation.activation is keras.activations.linear
    return linear or isinstance(operation, (layers.Identity, core_ops.Cast))


def _is_softmax(operation, rank):
    if isinstance(operation, (layers.Softmax, nn_ops.Softmax)):
        return operation.axis in (-1, rank - 1)
    return getattr(operation, "activation", None) is keras.activations.softmax


def _kind(operation):
    activation = getattr(getattr(operation, "activation", None), "__name__", None)
    return type(operation).__name__ + (f" with activation {activation}" if activation else "")


def _says_logits(model):
    """Whether the model is compiled with a loss that takes logits of classes."""
    loss = next(iter(keras.tree.flatten(model.loss)), None) if model.compiled else None
    return isinstance(loss, FROM_LOGITS) and loss.from_logits


# Checks


def _check_numbers(temperature, weight):
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature is a number above 0. Received: {temperature}.")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is the teacher's share of the loss, from 0 to 1. Received: {weight}.")


def _check_models(student, teacher):
    check_model(student)
    check_model(teacher)
    _check_training(student)
    _check_alike(student, teacher)
    if {id(v) for v in student.variables} & {id(v) for v in teacher.variables}:
        raise ValueError(
            "The teacher has weights in common with the student, and would change with it. Pass the model that prune "
            "was given, or a copy: keras.models.clone_model, then set_weights."
        )
    if several_processes():
        raise ValueError("Distillation runs in one process; received a model distributed over several.")


def _check_training(student):
    if not student.compiled:
        raise ValueError(
            f"The model {student.name!r} is not compiled. Compile it as for training: model.compile(optimizer, loss, "
            "metrics=['accuracy'])."
        )
    own = [
        name
        for name in ("train_step", "compute_loss")
        if getattr(type(student), name) is not getattr(keras.Model, name)
    ]
    if own or "compute_loss" in vars(student):
        raise ValueError(
            f"The model {student.name!r} ({type(student).__name__}) computes its loss in a way of its own "
            f"({', '.join(own) or 'it is being distilled already'}), which distillation would have to replace. "
            "Add the teacher there."
        )


def _check_alike(student, teacher):
    for kind in ("inputs", "outputs"):
        one, other = ([tuple(tensor.shape[1:]) for tensor in getattr(model, kind)] for model in (student, teacher))
        if one != other:
            raise ValueError(f"Expected a teacher with the student's {kind}, of shapes {one}. Received: {other}.")
    output = student.outputs[0]
    if len(student.outputs) != 1 or (output.shape[-1] or 0) < 2 or getattr(output, "_keras_mask", None) is not None:
        raise ValueError(
            f"Expected a classifier with one output, (batch, ..., classes), without a mask. Received outputs of shapes "
            f"{[tensor.shape for tensor in student.outputs]}. Fine-tune it with fit instead."
        )


def _check_callbacks(callbacks):
    from firekeras.callback.fire_callback import FirePruningCallback

    if any(isinstance(one, FirePruningCallback) for one in keras.tree.flatten(callbacks)):
        raise ValueError(
            "FirePruningCallback exchanges the network while fit runs, and the teacher would be lost with it. Prune "
            "with prune or compress, and distil between the cuts."
        )
