"""Recovery before fine-tuning: repairs what a cut upsets, on data but without training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras

from firekeras.arguments import typed
from firekeras.recovery.batch_statistics import Settler, reestimate_batch_norm, settled_copy
from firekeras.recovery.mean_folding import fold_means
from firekeras.refusals import Registry

RECOVERY = Registry("recovery step", "firekeras.recovery.recovery_step")  # in the order in which they run
RECOVERY["fold_means"] = fold_means


def recovery_step(name: str) -> Callable[[Any], Any]:
    """Registers a recovery step; steps run in the order in which they were registered.

    A step is called as `step(model, smaller, plan, data, batch_size)`: with the model before the cut,
    the one after it, which it changes in place, the plan, data as `fit` takes them, and their batch
    size or None. It returns notes, a list of sentences on what it could not do.

    Args:
        name: The name to pass to `get_recovery` and as `recovery` to `compress`.

    Returns:
        A decorator that registers a function and returns it.

    Example:
    >>> @firekeras.recovery.recovery_step("halve_biases")
    ... def halve_biases(model, smaller, plan, data, batch_size):
    ...     for layer in smaller.layers:
    ...         if getattr(layer, "bias", None) is not None:
    ...             layer.bias.assign(layer.bias / 2)
    ...     return []
    """

    return RECOVERY.register(name)


@recovery_step("batch_norm")
def batch_norm(
    model: keras.Model, smaller: keras.Model, plan: Any, data: Any, batch_size: int | None = None
) -> list[str]:
    """Re-estimates the statistics of every BatchNormalization of the smaller model."""
    return reestimate_batch_norm(smaller, data, batch_size=batch_size)


@typed
def get_recovery(names: str | Iterable[str]) -> list[Callable]:
    """Recovery steps by name, in the order in which they have to run.

    Args:
        names: One or several names: `"fold_means"`, `"batch_norm"`, and those added by `recovery_step`.

    Returns:
        The functions.

    Raises:
        ValueError: If a name is unknown; suggests the nearest.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> for step in firekeras.recovery.get_recovery(["fold_means", "batch_norm"]):
    ...     notes = step(model, smaller, plan, (x_train, y_train), None)
    """
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        RECOVERY.find(name)
    return [step for name, step in RECOVERY.items() if name in names]


__all__ = [
    "RECOVERY",
    "Settler",
    "fold_means",
    "get_recovery",
    "recovery_step",
    "reestimate_batch_norm",
    "settled_copy",
]
