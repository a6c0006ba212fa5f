"""What a teacher teaches on each output that has a loss: probabilities to come near to, or values to match."""

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
        output: The number of the output, counted flat.
        path: Where the output's sample weights are, if they are nested.
        share: The loss weight that the student's own loss has.
        loss: A `keras.losses.Loss` of the teacher's output and the student's.
    """

    output: int
    path: tuple
    share: float
    loss: keras.losses.Loss

    def __call__(self, given, found, sample_weight):
        """The lesson's loss, out of the flat outputs of teacher and student."""
        if keras.tree.is_nested(sample_weight):
            sample_weight = _at(self.path, sample_weight)
        given, found = given[self.output], found[self.output]
        return self.share * self.loss(given, found, _spread(sample_weight, found))


def lessons(student, teacher, temperature=1.0) -> list[Lesson]:
    """One lesson for each loss of a compiled student.

    Args:
        student, teacher: Models with the same outputs.
        temperature: What logits are divided by. Defaults to 1.0.

    Raises:
        ValueError: If it is not known what an output is, or the teacher's is of another kind.
    """
    others = _losses(teacher) if teacher.compiled else []
    found = []
    for output, one in _losses(student):
        says = [one.loss, *(other.loss for k, other in others if k == output)]
        loss = _taught(End.of(student, output), End.of(teacher, output), says, temperature)
        found.append(Lesson(output, one.path, 1.0 if one.loss_weights is None else one.loss_weights, loss))
    if not found:
        raise ValueError(
            f"Distillation shares out the losses of outputs, and the model {student.name!r} has none (it is compiled "
            f"with loss={student.loss!r}). Compile it with a loss, or fine-tune it with fit instead."
        )
    return found


def _losses(model) -> list[tuple]:
    """Each loss that a compiled model has, as Keras resolves them, with the number of its output."""
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
    found = [(_at(one.path, numbers), one) for one in flat_losses(resolved)]
    return found if keras.tree.is_nested(outputs) else found[:1]  # of several on one output Keras counts the first


def _at(path, nested):
    for key in path:
        nested = nested[key]
    return nested


def _spread(sample_weight, output):
    """Weights of samples as weights of their positions, where there are fewer axes than a loss has."""
    if sample_weight is None or len(sample_weight.shape) >= len(output.shape) - 1:
        return sample_weight
    missing = len(output.shape) - 1 - len(sample_weight.shape)
    return ops.reshape(sample_weight, (*ops.shape(sample_weight), *(1,) * missing))


# What the outputs are


class End(NamedTuple):
    """What computes a model's output, not counting operations that hand it on as it is."""

    operation: keras.Operation
    rank: int
    model: str

    @classmethod
    def of(cls, model, output):
        """The end of an output, by its number."""
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
        """The axis of a softmax, counted from the end; None where it is none over one axis."""
        axis = -1 if self._activation in (keras.activations.softmax, ops.softmax) else None
        if isinstance(self.operation, (layers.Softmax, nn_ops.Softmax)):
            axis = self.operation.axis
        return axis % self.rank - self.rank if isinstance(axis, int) else None

    @property
    def sigmoid(self) -> bool:
        """Whether each value is the probability of something of its own."""
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
    """How the probabilities in an output are had: by a softmax over an axis, or unit for unit (axis None)."""

    axis: int | None
    logits: Callable


def _view(end, losses) -> View | None:
    """The probabilities of an output, by its activation, else by a loss that takes logits."""
    if end.softmax is not None:
        return View(end.softmax, _log_probabilities)
    if end.sigmoid:
        return View(None, _log_odds)
    loss = next((one for one in losses if _takes_logits(one)), None)
    if loss is None:
        return None
    return View(_axis(loss) % end.rank - end.rank if _function(loss) in CATEGORICAL else None, _float32)


def _log_probabilities(y):
    """Logits up to a constant, which no softmax sees; a probability of zero stays finite."""
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


def _taught(one, other, says, temperature) -> keras.losses.Loss:
    """The loss by which the output of a student comes near to that of a teacher.

    Args:
        one, other: The `End` of the student's output, and of the teacher's.
        says: The losses on this output: the student's, then the teacher's.
        temperature: What logits are divided by.
    """
    loss = says[0]
    if _function(loss) in REGRESSION:
        _check_same_kind(one, other, _kind(one), _kind(other))
        return loss
    view, given = _view(one, says), _view(other, says)
    if view is None:
        raise ValueError(_unknown(one, loss))
    if given is None:
        raise ValueError(_unknown(other, loss))
    _check_same_kind(one, other, view.axis, given.axis)
    if _function(loss) in CATEGORICAL and view.axis is not None and _axis(loss) % one.rank - one.rank != view.axis:
        raise ValueError(
            f"Expected classes along one axis. Received {one}, with a softmax along axis {view.axis}, and a loss along "
            f"axis {_axis(loss)} ({loss.name}). Give both the same axis."
        )
    return Divergence(loss, given, view, temperature)


def _kind(end):
    return "softmax" if end.softmax is not None else end.sigmoid


def _check_same_kind(one, other, kind, expected):
    if kind != expected:
        raise ValueError(
            f"Expected a teacher whose outputs are what the student's are. Received {one}, but {other} in the teacher. "
            "Use the model that the student was pruned from."
        )


def _unknown(end, loss):
    return (
        "Distillation compares probabilities, or values under a loss for regression. Expected a softmax or a sigmoid "
        "at the end, logits that go into a crossentropy with from_logits=True, or a loss such as mean_squared_error, "
        f"mean_absolute_error or huber. Received {end}, and the loss {loss.name!r}. Fine-tune it with fit instead."
    )


class Divergence(keras.losses.Loss):
    """`temperature**2 * KL(teacher || student)` of softened probabilities, reduced as a loss of the student is.

    Classes give one value for each sample and position; of units that are probabilities of their own the
    mean is taken over the last axis, or over the axis that the loss takes it over.

    Args:
        own: The student's loss, whose reduction and dtype it has.
        given, found: The `View` of the teacher's output, and of the student's.
        temperature: What logits are divided by.
    """

    def __init__(self, own, given, found, temperature):
        super().__init__(name="divergence", reduction=own.reduction, dtype=own.dtype)
        self.given, self.found, self.temperature = given, found, temperature
        self.mean_axis = _axis(own)

    def call(self, y_true, y_pred):
        given, found = self.given.logits(y_true) / self.temperature, self.found.logits(y_pred) / self.temperature
        axis = self.found.axis
        values = _by_unit(given, found, self.mean_axis) if axis is None else _by_classes(given, found, axis)
        return self.temperature**2 * values


def _by_classes(given, found, axis):
    given, found = ops.log_softmax(given, axis), ops.log_softmax(found, axis)
    return ops.sum(ops.exp(given) * (given - found), axis)


def _by_unit(given, found, axis):
    yes = ops.sigmoid(given) * (ops.log_sigmoid(given) - ops.log_sigmoid(found))
    no = ops.sigmoid(-given) * (ops.log_sigmoid(-given) - ops.log_sigmoid(-found))
    return ops.mean(yes + no, axis)
