"""Fine-tuning that learns from the unpruned model too: from how it spreads its probabilities, or from its values."""

from __future__ import annotations

import contextlib
import functools
import zlib
from typing import Any

import keras
import numpy as np
from keras import ops

from firekeras.channels.check import check_model
from firekeras.channels.walk import functional_graph
from firekeras.keras_models.devices import several_processes
from firekeras.keras_models.internals import compile_config, penalty_of
from firekeras.recovery.lessons import lessons
from firekeras.refusals import check_number, check_share

KEPT = "_firekeras_teacher"  # the attribute under which a model keeps what it is as a teacher


def fit_distilled(student, teacher, x, y=None, *, temperature=3.0, weight=0.5, **fit_arguments):
    """Trains a pruned model as its own `fit` does, with the unpruned model as a teacher.

    The loss is `(1 - weight) * task + weight * taught`: the student's own losses on the labels, and how
    far its outputs are from the teacher's. What that is follows from each output and its loss:

    - **Classes** (a softmax, or logits for a categorical crossentropy with `from_logits=True`):
      `temperature**2 * KL(teacher || student)` of class probabilities, both softened by the temperature
      (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2), for each position
      where there are several, as in segmentation.
    - **Yes or no** (one sigmoid or several, or logits for a binary crossentropy with
      `from_logits=True`): the same for each unit, and the mean over units.
    - **Values** (mean squared, absolute, percentage or logarithmic error, Huber, log-cosh, Poisson,
      cosine similarity): the student's own loss, with the teacher's outputs in place of labels. The
      temperature does not matter here.

    A softmax or a sigmoid says what an output is whatever the loss, unless that is one for values; so
    Dice, Tversky and losses of your own are fine behind one. Label smoothing, focal factors and a class
    to ignore concern labels, and not the teacher. Of several outputs each counts by its loss weight;
    one without a loss is not taught. Sample and class weights, masks and the losses' reductions count
    in both parts; regularisation is added in full. All else is the student's own `fit`: its optimizer
    goes on from the state that it is in, logs have their plain names, and `val_loss` is the student's
    own loss. With several outputs the logs of each one (`a_loss`) are its own loss on the labels.

    The training step is compiled once for a student, and used again by the next call with the same
    teacher and numbers, until the student is compiled again or another one is taught. Until then the
    teacher holds on to the student.

    Args:
        student: A compiled Functional or Sequential model. It is trained in place.
        teacher: A model with the same inputs and outputs, such as `student` before it was pruned, or a
            `Teacher`. It is not changed, and need not be compiled. Its BatchNormalization has to be settled:
            see `firekeras.recovery.settled_copy`.
        x, y: The training data, as `fit` takes them.
        temperature: What logits are divided by, above 0. Defaults to 3.0. A `Teacher` has its own.
        weight: The teacher's share, from 0 to 1. Defaults to 0.5. A `Teacher` has its own.
        **fit_arguments: For `fit`, such as `epochs` or `validation_data`.

    Returns:
        The `History` that `fit` gives.

    Raises:
        ValueError: If it is not known what outputs are, the student trains by a step of its own, or
            numbers are out of their range. `why_not_distilled` finds out without raising.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> history = fit_distilled(smaller, settled_copy(model, x_train), x_train, y_train, epochs=5)
    """
    with distilling(student, teacher, temperature=temperature, weight=weight):
        return student.fit(x, y, **fit_arguments)


@contextlib.contextmanager
def distilling(student, teacher, *, temperature=3.0, weight=0.5):
    """Has the student's `fit` learn from a teacher while the context lasts; arguments as in `fit_distilled`.

    Example:
    >>> with distilling(smaller, model):
    ...     smaller.fit(x_train, y_train, epochs=5)
    """
    one = teacher if isinstance(teacher, Teacher) else _kept_teacher(teacher, temperature, weight)
    one.attach(student)
    try:
        yield
    finally:
        one.detach()


def why_not_distilled(student, teacher) -> str | None:
    """Why `fit_distilled` would refuse these models, in words that say what to do; None where it would not.

    Args:
        student, teacher: As in `fit_distilled`; the same model for both asks of what is cut from it. Nothing is
            trained or compiled.

    Example:
    >>> reason = why_not_distilled(smaller, model)
    """
    try:
        _checked_lessons(student, teacher.model if isinstance(teacher, Teacher) else teacher)
    except ValueError as error:
        return str(error)
    return None


class Teacher:
    """Teaches one student at a time, and holds on to the last one's compiled training step.

    Args:
        model: The teacher, settled (`firekeras.recovery.settled_copy`). It is not changed.
        temperature: What logits are divided by, above 0. Defaults to 3.0.
        weight: The teacher's share of the loss, from 0 to 1. Defaults to 0.5.

    Example:
    >>> teacher = Teacher(settled_copy(model, x_train))
    >>> for _ in range(3):
    ...     fit_distilled(smaller, teacher, x_train, y_train, epochs=1)  # compiled once
    """

    def __init__(self, model, *, temperature=3.0, weight=0.5):
        _check_numbers(temperature, weight)
        check_model(model)
        self.model, self.temperature, self.weight = model, temperature, weight
        self.busy = False
        self.student: Any = None
        self.step, self.plain = None, None
        self.state: tuple = ()

    def attach(self, student):
        """Has the student's `fit` learn from this teacher, until `detach`.

        Raises:
            ValueError: As `fit_distilled`; or if it is teaching already.
        """
        if self.busy:
            raise ValueError(f"This teacher teaches {self.student.name!r} still. Detach it first: teacher.detach().")
        taught = _checked_lessons(student, self.model, self.temperature)
        _check_apart(student, self.model)
        self._know(student)
        self.plain = student.train_function
        student.compute_loss = self._shared_loss(student, taught)
        # A step that equals no other: JAX takes equal bound methods for one function, compiled with either loss.
        student.train_step = functools.partial(type(student).train_step, student)
        student.train_function, self.busy = self.step, True

    def detach(self):
        """Gives the student its own loss back, with the training step that was compiled for it."""
        if not self.busy:
            return
        student, self.busy = self.student, False
        as_it_was = _same(self.state, _state(student, self.model))
        self.step = student.train_function if as_it_was else None
        del student.compute_loss, student.train_step
        student.train_function = self.plain if as_it_was else None
        self.plain = None

    def shared_loss(self, student):
        """A `compute_loss` for a student that leaves a share to this teacher; the student is not touched.

        Raises:
            ValueError: As `fit_distilled`.
        """
        return self._shared_loss(student, _checked_lessons(student, self.model, self.temperature))

    def _know(self, student):
        """Forgets the compiled step where it belongs to another student, or to another state of both."""
        state = _state(student, self.model)
        if not (self.student is student and _same(self.state, state)):
            self.step = None
        self.student, self.state = student, state

    # The student's own loss, and not keras.distillation.Distiller: that one (Keras 3.15) leaves out the
    # student's regularisation and the sample weights, mixes the teacher into val_loss, leaves the teacher
    # frozen, and its LogitsDistillation by default takes the divergence of logits, not of probabilities.
    def _shared_loss(self, student, taught):
        """A `compute_loss` that leaves a share to the teacher."""
        whole = student.compute_loss

        def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
            own = whole(x, y, y_pred, sample_weight, training=training)
            if not training:
                return own
            penalties = sum(penalty_of(student, one) for one in student.losses)
            given, found = self._outputs(x), keras.tree.flatten(y_pred)
            lesson = sum(one(given, found, sample_weight) for one in taught)
            return (1 - self.weight) * own + self.weight * (lesson + penalties)

        return compute_loss

    def _outputs(self, x):
        with _without_gradients():
            return [ops.stop_gradient(one) for one in keras.tree.flatten(self.model(x, training=False))]


def _kept_teacher(model, temperature, weight):
    """The `Teacher` that a model was before, unless it had other numbers or is busy."""
    kept = getattr(model, KEPT, None)
    if kept is None or kept.busy or (kept.temperature, kept.weight) != (temperature, weight):
        kept = Teacher(model, temperature=temperature, weight=weight)
        setattr(model, KEPT, kept)
    return kept


def _state(student, teacher) -> tuple:
    """What a compiled training step depends on, beside shapes."""
    return compile_config(student), student.optimizer, _constants(teacher)


def _same(one, other):
    return one[0] is other[0] and one[1] is other[1] and one[2] == other[2]


def _constants(teacher) -> list[int]:
    """Checksums of the teacher's weights where they are compiled in as constants: on JAX."""
    if keras.backend.backend() != "jax":
        return []
    return [zlib.crc32(np.asarray(ops.convert_to_numpy(one)).tobytes()) for one in teacher.variables]


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
    """What there is to teach, after checking that it can be."""
    check_model(student)
    check_model(teacher)
    _check_training(student)
    _check_shapes(student, teacher)
    if student is not teacher:
        _check_apart(student, teacher)
    if several_processes():
        raise ValueError("Distillation runs in one process; received a model distributed over several.")
    return lessons(student, teacher, temperature)


def _check_apart(student, teacher):
    if {id(v) for v in student.variables} & {id(v) for v in teacher.variables}:
        raise ValueError(
            "The teacher has weights in common with the student, and would change with it. Pass the model that prune "
            "was given, or a copy: firekeras.recovery.settled_copy(model, x_train)."
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
            f"The model {student.name!r} ({type(student).__name__}) computes its loss in a way of its own "
            f"({', '.join(own) or 'it is being distilled already'}), which distillation would have to replace. "
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
