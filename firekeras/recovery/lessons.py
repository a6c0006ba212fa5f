"""What a teacher teaches about each output with a loss: probabilities to approach, or values to match."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import layers, ops

from firekeras.channels.walk import functional_graph
from firekeras.keras_models.internals import (
    CompileLoss,
    calls_of,
    compiled_loss,
    core_ops,
    flat_losses,
    losses_as_given,
    nn_ops,
    origin,
)

CATEGORICAL = (
    keras.losses.categorical_crossentropy,
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_focal_crossentropy,
)
BINARY = (keras.losses.binary_crossentropy, keras.losses.binary_focal_crossentropy)
REGRESSION = (
    keras.losses.mean_squared_error,
    keras.losses.mean_absolute_error,
    keras.losses.mean_absolute_percentage_error,
    keras.losses.mean_squared_logarithmic_error,
    keras.losses.log_cosh,
    keras.losses.huber,
    keras.losses.poisson,
    keras.losses.cosine_similarity,
)


class Lesson(NamedTuple):
    """The teacher's part in one loss of the student.

    Attributes:
        output: The index of the output, in the flat list.
        path: The place of the output's sample weights, if they are nested.
        share: The loss weight of the student's own loss.
        loss: A `keras.losses.Loss` of the teacher's output and the student's.
    """

    output: int
    path: tuple
    share: float
    loss: keras.losses.Loss

    def __call__(self, expected, outputs, sample_weight):
        """The lesson's loss, from the flat outputs of teacher and student."""
        if keras.tree.is_nested(sample_weight):
            sample_weight = _at(self.path, sample_weight)
        expected, output = expected[self.output], outputs[self.output]
        return self.share * self.loss(expected, output, _spread(sample_weight, output))


def lessons(student, teacher, temperature=1.0) -> list[Lesson]:
    """A lesson for each loss of a compiled student.

    Args:
        student, teacher: Models with the same outputs.
        temperature: What logits are divided by. Defaults to 1.0.

    Raises:
        ValueError: If the kind of an output is unknown, or the teacher's is of another kind.
    """
    others = _losses(teacher) if teacher.compiled else []
    taught = []
    for output, own in _losses(student):
        losses = [own.loss, *(other.loss for k, other in others if k == output)]
        loss = _taught(End.of(student, output), End.of(teacher, output), losses, temperature)
        taught.append(Lesson(output, own.path, 1.0 if own.loss_weights is None else own.loss_weights, loss))
    if not taught:
        raise ValueError(
            f"Distillation adds to the losses of outputs, and the model {student.name!r} has none (it is compiled "
            f"with loss={student.loss!r}). Compile it with a loss, or fine-tune it with fit instead."
        )
    return taught


def _losses(model) -> list[tuple]:
    """The losses of a compiled model, as Keras resolves them, each with the index of its output."""
    own, outputs = compiled_loss(model), functional_graph(model).output
    if own is None:
        return []
    resolved = CompileLoss(*losses_as_given(own), output_names=own.output_names)
    try:
        resolved.build(outputs, outputs)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The losses that {model.name!r} is compiled with do not fit its outputs {model.output_names}: {error}. "
            "Compile it with a loss for each of them."
        ) from error
    numbers = keras.tree.pack_sequence_as(outputs, list(range(len(model.outputs))))
    losses = [(_at(loss.path, numbers), loss) for loss in flat_losses(resolved)]
    return losses if keras.tree.is_nested(outputs) else losses[:1]  # Keras uses the first of several on one output


def _at(path, nested):
    for key in path:
        nested = nested[key]
    return nested


def _spread(sample_weight, output):
    """Sample weights with further axes of size 1, if they have fewer than the loss."""
    if sample_weight is None or len(sample_weight.shape) >= len(output.shape) - 1:
        return sample_weight
    missing = len(output.shape) - 1 - len(sample_weight.shape)
    return ops.reshape(sample_weight, (*ops.shape(sample_weight), *(1,) * missing))


# What the outputs are


class End(NamedTuple):
    """The operation that computes a model's output, skipping those that pass it on unchanged."""

    operation: keras.Operation
    rank: int
    model: str

    @classmethod
    def of(cls, model, output):
        """The end of an output, by its index."""
        tensor = model.outputs[output]
        rank = len(tensor.shape)
        while True:
            operation, node, number = origin(tensor)
            if functional_graph(operation) is not None:
                tensor = functional_graph(operation).outputs[number]
            elif _hands_on(operation):
                tensor = calls_of(operation)[node].input_tensors[0]
            else:
                return cls(operation, rank, model.name)

    @property
    def softmax(self) -> int | None:
        """The axis of a softmax, counted from the end; None if it is not a softmax over one axis."""
        axis = -1 if self._activation in (keras.activations.softmax, ops.softmax) else None
        if isinstance(self.operation, (layers.Softmax, nn_ops.Softmax)):
            axis = self.operation.axis
        return axis % self.rank - self.rank if isinstance(axis, int) else None

    @property
    def sigmoid(self) -> bool:
        """Whether each value is a probability of its own."""
        if isinstance(self.operation, nn_ops.Sigmoid):
            return True
        return self._activation in (keras.activations.sigmoid, ops.sigmoid)

    @property
    def _activation(self):
        return getattr(self.operation, "activation", None)

    def __str__(self):
        activation = getattr(self._activation, "__name__", None)
        kind = type(self.operation).__name__ + (f" with activation {activation}" if activation else "")
        return f"an output of {self.operation.name!r} ({kind}) in {self.model!r}"


def _hands_on(operation):
    linear = isinstance(operation, layers.Activation) and operation.activation is keras.activations.linear
    return linear or isinstance(operation, (layers.Identity, core_ops.Cast))


class View(NamedTuple):
    """How to get probabilities from an output: by a softmax over an axis, or unit by unit (axis None)."""

    axis: int | None
    logits: Callable


def _view(end, losses) -> View | None:
    """The probabilities of an output, from its activation, else from a loss that takes logits."""
    if end.softmax is not None:
        return View(end.softmax, _log_probabilities)
    if end.sigmoid:
        return View(None, _log_odds)
    loss = next(filter(_takes_logits, losses), None)
    if loss is None:
        return None
    return View(_axis(loss) % end.rank - end.rank if _function(loss) in CATEGORICAL else None, _float32)


def _log_probabilities(y):
    """Logits up to a constant, which does not affect a softmax; a probability of zero stays finite."""
    return ops.log(ops.maximum(_float32(y), 1.1754944e-38))


def _log_odds(y):
    y = ops.clip(_float32(y), keras.config.epsilon(), 1 - keras.config.epsilon())
    return ops.log(y) - ops.log(1 - y)


def _float32(y):
    return ops.cast(y, "float32")


# What the losses are


def _function(loss):
    """The function of Keras that a loss wraps; None for a loss with a computation of its own."""
    return loss.fn if type(loss).call is keras.losses.MeanSquaredError.call else None


def _setting(loss, name, default):
    return getattr(loss, "_fn_kwargs", {}).get(name, default)


def _takes_logits(loss):
    return _function(loss) in (*CATEGORICAL, *BINARY) and _setting(loss, "from_logits", False)


def _axis(loss):
    return _setting(loss, "axis", -1) if _function(loss) in (*CATEGORICAL, *BINARY) else -1


def _taught(student, teacher, losses, temperature) -> keras.losses.Loss:
    """The loss that brings the output of a student near to that of a teacher.

    Args:
        student, teacher: The `End` of the student's output, and of the teacher's.
        losses: The losses on this output: the student's, then the teacher's.
        temperature: What logits are divided by.
    """
    loss = losses[0]
    if _function(loss) in REGRESSION:
        _check_same_kind(student, teacher, _kind(student), _kind(teacher))
        return loss
    view, expected = _view(student, losses), _view(teacher, losses)
    if view is None:
        raise ValueError(_unknown(student, loss))
    if expected is None:
        raise ValueError(_unknown(teacher, loss))
    _check_same_kind(student, teacher, view.axis, expected.axis)
    rank = student.rank
    if _function(loss) in CATEGORICAL and view.axis is not None and _axis(loss) % rank - rank != view.axis:
        raise ValueError(
            f"Expected classes along one axis. Received {student}, with a softmax along axis {view.axis}, and a loss "
            f"along axis {_axis(loss)} ({loss.name}). Give both the same axis."
        )
    return Divergence(loss, expected, view, temperature)


def _kind(end):
    return "softmax" if end.softmax is not None else end.sigmoid


def _check_same_kind(student, teacher, kind, expected):
    if kind != expected:
        raise ValueError(
            f"Expected a teacher whose outputs are of the student's kind. Received {student}, but {teacher} in the "
            "teacher. Use the model that the student was pruned from."
        )


def _unknown(end, loss):
    return (
        "Distillation compares probabilities, or values under a loss for regression. Expected a softmax or a sigmoid "
        "at the end, logits that go into a crossentropy with from_logits=True, or a loss such as mean_squared_error, "
        f"mean_absolute_error or huber. Received {end}, and the loss {loss.name!r}. Fine-tune it with fit instead."
    )


class Divergence(keras.losses.Loss):
    """`temperature**2 * KL(teacher || student)` of softened probabilities, reduced as a loss of the student is.

    Classes give one value per sample and position; over units that are separate probabilities the mean is
    taken along the last axis, or along the loss's own axis.

    Args:
        own: The student's loss, which determines reduction and dtype.
        teacher, student: The `View` of the teacher's output, and of the student's.
        temperature: What logits are divided by.
    """

    def __init__(self, own, teacher, student, temperature):
        super().__init__(name="divergence", reduction=own.reduction, dtype=own.dtype)
        self.teacher, self.student, self.temperature = teacher, student, temperature
        self.mean_axis = _axis(own)

    def call(self, y_true, y_pred):
        logits = self.teacher.logits(y_true) / self.temperature, self.student.logits(y_pred) / self.temperature
        axis = self.student.axis
        values = _by_unit(*logits, self.mean_axis) if axis is None else _by_classes(*logits, axis)
        return self.temperature**2 * values


def _by_classes(teacher, student, axis):
    teacher, student = ops.log_softmax(teacher, axis), ops.log_softmax(student, axis)
    return ops.sum(ops.exp(teacher) * (teacher - student), axis)


def _by_unit(teacher, student, axis):
    yes = ops.sigmoid(teacher) * (ops.log_sigmoid(teacher) - ops.log_sigmoid(student))
    no = ops.sigmoid(-teacher) * (ops.log_sigmoid(-teacher) - ops.log_sigmoid(-student))
    return ops.mean(yes + no, axis)
