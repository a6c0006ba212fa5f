"""Whether a run distils from the network that it began with: only if that one is trained through."""

from __future__ import annotations

from firekeras.data.samples import draw_samples
from firekeras.recovery.distill import Teacher, why_not_distilled
from firekeras.rounds.monitor import is_accuracy

TRAINED_THROUGH = 0.97  # accuracy on training samples; below, a teacher holds its student back
SAMPLES = 2000


def teacher_for(model, data, distill: bool | None, monitor: str, batch_size: int | None = None):
    """The teacher of a run, if there is to be one.

    A teacher that is trained through is worth about half a point; one that is not costs as much, since
    its student learns its mistakes. By default networks teach that have learned their training data: an
    accuracy of 0.97 on 2,000 training samples.

    Args:
        model: The network that the run begins with, settled.
        data: The training data.
        distill: True and False decide; None leaves it to the network.
        monitor: The metric that is watched.
        batch_size: For arrays. Defaults to Keras's own.

    Returns:
        A `Teacher` or None, and a sentence on it or None.

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
        or not _is_trained_through(model, data, monitor, batch_size)
    ):
        return None, None
    return Teacher(model), "Training follows the first network too (distillation): it is trained through."


def check_can_teach(model):
    """Raises `ValueError` if a network cannot teach what is cut from it."""
    reason = why_not_distilled(model, model)
    if reason:
        raise ValueError(f"distill=True: {reason}")


def _is_trained_through(model, data, monitor, batch_size) -> bool:
    """By samples that training sees: flipped and cropped ones, if it sees them so."""
    x, y, weights = draw_samples(data, SAMPLES)
    metrics = model.evaluate(x, y, sample_weight=weights, batch_size=batch_size, verbose=0, return_dict=True)
    return metrics.get(monitor, 0.0) >= TRAINED_THROUGH
