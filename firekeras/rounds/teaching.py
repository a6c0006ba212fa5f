"""Whether a run distils from the network that it began with: by default, only if that network is fully trained."""

from __future__ import annotations

from typing import Any

import keras

from firekeras.data.samples import draw_samples
from firekeras.recovery.distill import Teacher, why_not_distilled
from firekeras.rounds.monitor import is_accuracy

FULLY_TRAINED = 0.97  # accuracy on training samples; with less, a teacher holds its student back
SAMPLES = 2000


def teacher_for(
    model: keras.Model, data: Any, distill: bool | None, monitor: str, batch_size: int | None = None
) -> tuple[Teacher | None, str | None]:
    """Decides whether a run has a teacher.

    A fully trained teacher is worth about half a point; one that is not costs about as much, since its student
    learns its mistakes. By default a network teaches if it has learned its training data: an accuracy of 0.97 on
    2,000 training samples.

    Args:
        model: The network that the run begins with, settled.
        data: The training data.
        distill: True or False decides; None leaves the decision to the network's accuracy.
        monitor: The metric to watch.
        batch_size: For arrays. Defaults to None: Keras's own.

    Returns:
        A `Teacher` or None, and a sentence about it or None.

    Raises:
        ValueError: If `distill` is True for a network that cannot teach.
    """
    if distill is False:
        return None, None
    if distill:
        check_can_teach(model)
        return Teacher(model), None
    if (
        why_not_distilled(model, model)
        or not is_accuracy(monitor)
        or not _is_fully_trained(model, data, monitor, batch_size)
    ):
        return None, None
    return Teacher(model), "Training also follows the first network (distillation), since it is fully trained."


def check_can_teach(model: keras.Model):
    """Raises `ValueError` if a network cannot teach the networks that are cut from it."""
    reason = why_not_distilled(model, model)
    if reason:
        raise ValueError(f"distill=True: {reason}")


def _is_fully_trained(model, data, monitor, batch_size) -> bool:
    """Judged on samples as training sees them, augmented if it augments them."""
    x, y, weights = draw_samples(data, SAMPLES)
    metrics = model.evaluate(x, y, sample_weight=weights, batch_size=batch_size, verbose=0, return_dict=True)
    return metrics.get(monitor, 0.0) >= FULLY_TRAINED
