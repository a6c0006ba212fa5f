"""The data that `fit` was called with: Keras does not pass them to callbacks, but `fit` is among their callers."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator
from typing import Any

from firekeras.data.ending import is_endless, with_an_end

BATCHES = 100  # to take from a data set that never ends


@dataclasses.dataclass(frozen=True)
class FitData:
    """The data of the `fit` that is running.

    Args:
        train: `(x, y)`, `(x, y, sample_weight)`, or a data set; None if it can be read only once, or is unknown.
        validates: Whether there are validation data.
        validation: The validation data as `fit` holds them, `(x, y)`, or None.
        validates_again: Whether the validation data can be read more than once an epoch.
        initial_epoch: The index of the first epoch, from 0.
        steps: How many batches an epoch has, if `fit` was told.
    """

    train: Any
    validates: bool
    validation: Any
    validates_again: bool
    initial_epoch: int
    steps: int | None = None


def frames() -> Iterator[types.FrameType]:
    """The frames of all callers, the nearest first."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def data_of_fit(model) -> FitData:
    """The data of the model's `fit` that is calling right now."""
    variables = next(
        (f.f_locals for f in frames() if f.f_locals.get("self") is model and "epoch_iterator" in f.f_locals), {}
    )
    validation = variables.get("validation_data")
    again = validation is not None and not _is_read_once(validation)
    first = int(variables.get("initial_epoch") or 0)
    steps = variables.get("steps_per_epoch")
    return FitData(_readable(variables, steps), validation is not None, validation, again, first, steps)


def _readable(variables, steps):
    """The training data among the local variables of `fit`, if they can be read again."""
    x, y, weights = (variables.get(name) for name in ("x", "y", "sample_weight"))
    if x is None or _is_read_once(x):
        return None
    if y is None and not hasattr(x, "shape") and not isinstance(x, (list, dict)):
        return with_an_end(x, steps or (BATCHES if is_endless(x) else None))
    return (x, y) if weights is None else (x, y, weights)


def _is_read_once(x):
    return isinstance(x, (types.GeneratorType, Iterator)) and not hasattr(x, "shape")
