"""Fine-tuning that also learns from the unpruned model: from its probabilities, or from its values."""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from firekeras.arguments import typed
from firekeras.channels.check import check_model
from firekeras.channels.walk import functional_graph
from firekeras.keras_models.devices import several_processes
from firekeras.keras_models.internals import compile_config, penalty_of
from firekeras.recovery.lessons import lessons
from firekeras.refusals import check_number, check_share

KEPT = "_firekeras_teacher"  # the attribute in which a model keeps its `Teacher`


@typed
def fit_distilled(
    student: keras.Model,
    teacher: keras.Model | Teacher,
    x: Any,
    y: Any = None,
    *,
    temperature: float = 3.0,
    weight: float = 0.5,
    **fit_arguments: Any,
) -> keras.callbacks.History:
    """Trains a pruned model with its own `fit`, and the unpruned model as a teacher.

    The loss is `(1 - weight) * task + weight * taught`: the student's own losses on the labels, and the
    distance of its outputs from the teacher's. That depends on each output and its loss:

    - **Classes** (a softmax, or logits for a categorical crossentropy with `from_logits=True`):
      `temperature**2 * KL(teacher || student)` of class probabilities, both softened by the temperature
      (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2), for each position
      if there are several, as in segmentation.
    - **Yes or no** (one sigmoid or several, or logits for a binary crossentropy with
      `from_logits=True`): the same for each unit, and the mean over units.
    - **Values** (mean squared, absolute, percentage or logarithmic error, Huber, log-cosh, Poisson,
      cosine similarity): the student's own loss, with the teacher's outputs as labels. The temperature
      does not matter here.

    A softmax or a sigmoid determines the kind of an output whatever the loss, unless that is one for
    values; so Dice, Tversky and custom losses are fine behind one. Label smoothing, focal factors and a
    class to ignore concern labels, not the teacher. Several outputs are weighted by their loss weights;
    an output without a loss is not taught. Sample and class weights, masks and the losses' reductions
    apply to both parts; regularization is added in full. Everything else is the student's own `fit`: its
    optimizer continues from its current state, logs have their usual names, and `val_loss` is the
    student's own loss. With several outputs the logs of each (`a_loss`) are its own loss on the labels.

    The training step is compiled once for a student, and reused by the next call with the same teacher
    and settings, until the student is recompiled or another one is taught. Until then the teacher keeps
    a reference to the student.

    Args:
        student: A compiled Functional or Sequential model. It is trained in place.
        teacher: A model with the same inputs and outputs, such as `student` before it was pruned, or a
            `Teacher`. It is not changed, and need not be compiled. Its BatchNormalization must be settled:
            see `firekeras.recovery.settled_copy`.
        x, y: The training data, as `fit` takes them.
        temperature: What logits are divided by, above 0. Defaults to 3.0. A `Teacher` has its own.
        weight: The teacher's share, from 0 to 1. Defaults to 0.5. A `Teacher` has its own.
        **fit_arguments: Arguments for `fit`, such as `epochs` or `validation_data`.

    Returns:
        The `History` that `fit` returns.

    Raises:
        ValueError: If the kind of an output is unknown, the student overrides its training step, or a
            number is out of its range. `why_not_distilled` checks without raising.

    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2.

    Example:
    >>> from firekeras.recovery.distill import fit_distilled
    >>> smaller = firekeras.prune(model, plan)
    >>> teacher = firekeras.recovery.settled_copy(model, x_train)
    >>> history = fit_distilled(smaller, teacher, x_train, y_train, epochs=2)
    """
    with distilling(student, teacher, temperature=temperature, weight=weight):
        return student.fit(x, y, **fit_arguments)


@contextlib.contextmanager
@typed
def distilling(
    student: keras.Model, teacher: keras.Model | Teacher, *, temperature: float = 3.0, weight: float = 0.5
) -> Iterator[None]:
    """Makes the student's `fit` learn from a teacher within the context.

    Args:
        student, teacher, temperature, weight: As in `fit_distilled`.

    Raises:
        ValueError: As `fit_distilled`.

    Example:
    >>> from firekeras.recovery.distill import distilling
    >>> smaller = firekeras.prune(model, plan)
    >>> with distilling(smaller, model):
    ...     history = smaller.fit(x_train, y_train, epochs=2)
    """
    kept = teacher if isinstance(teacher, Teacher) else _kept_teacher(teacher, temperature, weight)
    kept.attach(student)
    try:
        yield
    finally:
        kept.detach()


@typed
def why_not_distilled(student: keras.Model, teacher: keras.Model | Teacher) -> str | None:
    """Why `fit_distilled` would refuse these models, without training or compiling anything.

    Args:
        student, teacher: As in `fit_distilled`; pass the same model twice to ask about its pruned versions.

    Returns:
        The message of the error, which says what to do; None if it would not refuse.

    Example:
    >>> from firekeras.recovery.distill import why_not_distilled
    >>> why_not_distilled(firekeras.prune(model, plan), model) is None
    True
    """
    try:
        _checked_lessons(student, teacher.model if isinstance(teacher, Teacher) else teacher)
    except ValueError as error:
        return str(error)
    return None


class Teacher:
    """Teaches one student at a time, and keeps the last one's compiled training step.

    Args:
        model: The teacher, settled (`firekeras.recovery.settled_copy`). It is not changed.
        temperature: What logits are divided by, above 0. Defaults to 3.0.
        weight: The teacher's share of the loss, from 0 to 1. Defaults to 0.5.

    Raises:
        ValueError: If a number is out of its range, or the model cannot be traced.

    Example:
    >>> from firekeras.recovery.distill import Teacher, fit_distilled
    >>> teacher = Teacher(firekeras.recovery.settled_copy(model, x_train))
    >>> smaller = firekeras.prune(model, plan)
    >>> for _ in range(2):
    ...     history = fit_distilled(smaller, teacher, x_train, y_train, epochs=1)  # compiled once
    """

    @typed
    def __init__(self, model: keras.Model, *, temperature: float = 3.0, weight: float = 0.5):
        _check_numbers(temperature, weight)
        check_model(model)
        self.model, self.temperature, self.weight = model, temperature, weight
        self.busy = False
        self.student: Any = None
        self.step, self.plain = None, None
        self.state: tuple = ()

    def attach(self, student: keras.Model) -> None:
        """Makes the student's `fit` learn from this teacher, until `detach`.

        Raises:
            ValueError: As `fit_distilled`; or if it is already teaching.
        """
        if self.busy:
            raise ValueError(
                f"This teacher is still teaching {self.student.name!r}. Detach it first: teacher.detach()."
            )
        taught = _checked_lessons(student, self.model, self.temperature)
        _check_apart(student, self.model)
        self._know(student)
        self.plain = student.train_function
        student.compute_loss = self._shared_loss(student, taught)
        # A step equal to no other: JAX treats equal bound methods as one function, whichever loss it was compiled with.
        student.train_step = functools.partial(type(student).train_step, student)
        student.train_function, self.busy = self.step, True

    def detach(self) -> None:
        """Restores the student's own loss, and the training step that was compiled for it."""
        if not self.busy:
            return
        student, self.busy = self.student, False
        as_it_was = _same(self.state, _state(student, self.model))
        self.step = student.train_function if as_it_was else None
        del student.compute_loss, student.train_step
        student.train_function = self.plain if as_it_was else None
        self.plain = None

    def shared_loss(self, student: keras.Model) -> Callable[..., Any]:
        """A `compute_loss` for a student with this teacher's share; the student is not changed.

        Raises:
            ValueError: As `fit_distilled`.
        """
        return self._shared_loss(student, _checked_lessons(student, self.model, self.temperature))

    def _know(self, student):
        """Forgets the compiled step if it belongs to another student, or to another state of both."""
        state = _state(student, self.model)
        if not (self.student is student and _same(self.state, state)):
            self.step = None
        self.student, self.state = student, state

    # The student's own loss, not keras.distillation.Distiller: that class (Keras 3.15) ignores the student's
    # regularization and the sample weights, mixes the teacher into val_loss, leaves the teacher frozen, and
    # its LogitsDistillation by default takes the divergence of logits, not of probabilities.
    def _shared_loss(self, student, taught):
        """A `compute_loss` that includes the teacher's share."""
        whole = student.compute_loss

        def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
            own = whole(x, y, y_pred, sample_weight, training=training)
            if not training:
                return own
            penalties = sum(penalty_of(student, loss) for loss in student.losses)
            expected, outputs = self._outputs(x), keras.tree.flatten(y_pred)
            distance = sum(lesson(expected, outputs, sample_weight) for lesson in taught)
            return (1 - self.weight) * own + self.weight * (distance + penalties)

        return compute_loss

    def _outputs(self, x):
        with _without_gradients():
            return [ops.stop_gradient(y) for y in keras.tree.flatten(self.model(x, training=False))]


def _kept_teacher(model, temperature, weight):
    """The `Teacher` that a model keeps, or a new one if the settings differ or it is busy."""
    kept = getattr(model, KEPT, None)
    if kept is None or kept.busy or (kept.temperature, kept.weight) != (temperature, weight):
        kept = Teacher(model, temperature=temperature, weight=weight)
        setattr(model, KEPT, kept)
    return kept


def _state(student, teacher) -> tuple:
    """What a compiled training step depends on, besides shapes."""
    return compile_config(student), student.optimizer, _constants(teacher)


def _same(one, other):
    return one[0] is other[0] and one[1] is other[1] and one[2] == other[2]


def _constants(teacher) -> list[int]:
    """Checksums of the teacher's weights on JAX, where they are compiled in as constants."""
    if keras.backend.backend() != "jax":
        return []
    return [zlib.crc32(np.asarray(ops.convert_to_numpy(variable)).tobytes()) for variable in teacher.variables]


def _without_gradients():
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


# Checks


def _check_numbers(temperature, weight):
    check_number("temperature", temperature, above=0)
    check_share("weight", weight, "the teacher's share of the loss")


def _checked_lessons(student, teacher, temperature=1.0):
    """The lessons for a student, after checking that it can be taught."""
    check_model(student)
    check_model(teacher)
    _check_training(student)
    _check_shapes(student, teacher)
    if student is not teacher:
        _check_apart(student, teacher)
    if several_processes():
        raise ValueError("Distillation runs in one process. Received: a model distributed over several.")
    return lessons(student, teacher, temperature)


def _check_apart(student, teacher):
    if {id(v) for v in student.variables} & {id(v) for v in teacher.variables}:
        raise ValueError(
            "The teacher shares weights with the student, and would change with it. Pass the model that was pruned, "
            "or a copy: firekeras.recovery.settled_copy(model, x_train)."
        )


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
            f"The model {student.name!r} ({type(student).__name__}) computes its loss in its own way "
            f"({', '.join(own) or 'it is already being distilled'}), which distillation would have to replace. "
            "Add the teacher there."
        )


def _check_shapes(student, teacher):
    for kind in ("inputs", "outputs"):
        one, other = ([tuple(tensor.shape[1:]) for tensor in getattr(model, kind)] for model in (student, teacher))
        if one != other:
            raise ValueError(f"Expected a teacher with the student's {kind}, of shapes {one}. Received: {other}.")
    one, other = (_names(functional_graph(model).output) for model in (student, teacher))
    if one != other:
        raise ValueError(f"Expected a teacher with the student's outputs, {one}. Received: {other}.")


def _names(outputs):
    """The keys of outputs in a dict; None for those in a list."""
    return sorted(outputs) if isinstance(outputs, dict) else None
