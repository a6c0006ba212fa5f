"""Whether scores are of these weights: another training of one architecture has equal shapes, and other FIRE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from firekeras.refusals import warn_caller

APART = 1e-3  # of a filter's l1 norm: more than rounding, less than a step of training


def other_layers(measured: Mapping[str, np.ndarray], norms: Iterable[tuple[str, np.ndarray]]) -> list[str]:
    """The layers whose filters have other l1 norms than those that were measured.

    Args:
        measured: The l1 norms of the filters when they were measured, by layer, `(filters,)`.
        norms: Pairs of a layer and the l1 norms of its filters now.
    """
    return [name for name, now in norms if name in measured and _differ(measured[name], now)]


def _differ(before, now):
    """Whether most filters do: a layer may be pruned or masked in part."""
    return before.shape == now.shape and bool(np.mean(np.abs(now - before) > APART * np.maximum(before, now)) > 0.5)


def norms_of(kernel: Callable[[str], np.ndarray], layers: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the l1 norms of the filters of some layers.

    Args:
        kernel: Returns the weights of a layer's filters, `(*taps, inputs, filters)`.
        layers: The names of the layers.
    """
    for name in layers:
        weights = np.abs(np.asarray(kernel(name), "float32"))
        yield name, weights.reshape(-1, weights.shape[-1]).sum(axis=0, dtype="float64")


def warn_of_other_weights(what: str, measured: Mapping[str, np.ndarray], network) -> None:
    """Warns, once for each call, if something was measured on other weights than a network's.

    Args:
        what: What it is: `"The profile"`.
        measured: The l1 norms of the filters when it was measured, by layer, `(filters,)`; empty if unknown.
        network: The `Network` that it is used for.
    """
    layers = [name for name in network.graph.filter_layers if name in measured]
    others = other_layers(measured, norms_of(network.kernel, layers))
    if others:
        warn_caller(
            f"{what} was made on other weights than the model has now: {len(others)} of {len(layers)} layers differ, "
            f"{others[0]!r} first. It may rank the wrong filters: measure this model with "
            "firekeras.measure_fire(model, data), and plan again."
        )
