"""Whether a profile is of these weights: another training of one architecture has equal shapes, and other FIRE."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from firekeras.scores.profile import FilterScores, FireProfile

APART = 1e-3  # of a filter's l1 norm: more than rounding, less than a step of training


def other_layers(profile: FilterScores, norms: Iterator[tuple[str, np.ndarray]]) -> list[str]:
    """The layers whose filters have other l1 norms than those that were measured.

    Args:
        profile: The scores, with the l1 norms of the filters.
        norms: Pairs of a layer and the l1 norms of its filters, `(filters,)`.
    """
    return [name for name, now in norms if name in profile.l1 and _differ(profile.l1[name], now)]


def _differ(before, now):
    """Whether most filters do: a layer may be pruned or masked in part."""
    return before.shape == now.shape and bool(np.mean(np.abs(now - before) > APART * np.maximum(before, now)) > 0.5)


def norms_of(kernel: Callable[[str], np.ndarray], layers: Iterator[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the l1 norms of the filters of some layers.

    Args:
        kernel: Returns the weights of a layer's filters, `(*taps, inputs, filters)`.
        layers: The names of the layers.
    """
    for name in layers:
        weights = np.abs(np.asarray(kernel(name), "float32"))
        yield name, weights.reshape(-1, weights.shape[-1]).sum(axis=0, dtype="float64")


def warn_of_other_weights(scores: FilterScores, network) -> None:
    """Warns, once for each call, if a profile was measured on other weights than a network's.

    Args:
        scores: Any scores; only a `FireProfile` knows its weights.
        network: The `Network` that they are used for.
    """
    if not isinstance(scores, FireProfile):
        return
    layers = [name for name in network.graph.filter_layers if name in scores.l1]
    others = other_layers(scores, norms_of(network.kernel, iter(layers)))
    if others:
        warnings.warn(
            f"The profile was measured on other weights than the model has now: {len(others)} of {len(layers)} layers "
            f"differ, {others[0]!r} first. Its FIRE may rank the wrong filters. Measure this model with "
            "firekeras.measure_fire(model, data).",
            stacklevel=4,  # the caller of plan_pruning
        )
