"""Norms in the ranking: of a layer's filters those go first that are both dispensable and small."""

from __future__ import annotations

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import places_within
from firekeras.plan.units import open_scores, over_units
from firekeras.profile import FilterScores


def with_norms(scores: FilterScores, graph: ChannelGraph, weight: float = 0.5) -> FilterScores:
    """Blends each filter's place within its layer by score with its place by small l1 norm.

    A place is a share from 0 to 1: of so many of the layer's filters that may go, this one goes before.
    Layers whose filters only go together count as one. Filters that never fire, of FIRE 1, go before all
    others of their layer, since that changes nothing of what the network computes.

    Args:
        scores: `FilterScores` with their l1 norms, higher goes first.
        graph: The model's `ChannelGraph`.
        weight: The weight of the place by norm, from 0 to 1; with 0 the scores are given back as they
            are. Defaults to 0.5.

    Returns:
        `FilterScores` whose criterion says so; NaN for filters that may not go.

    Raises:
        ValueError: If `weight` is out of its range, or filters with a score have no norm.

    Example:
    >>> scores = with_norms(firekeras.measure_fire(model, data), firekeras.channel_graph(model))
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is that of the place by l1 norm, from 0 to 1. Received: {weight}.")
    if not weight:
        return scores
    values = open_scores(graph, scores)
    small = np.where(np.isfinite(values), -_norms(graph, scores, values), np.nan)
    blend = (1 - weight) * places_within(values, graph) + weight * places_within(small, graph)
    blend += _never_fire(scores, values)
    criterion = f"{scores.criterion} and l1"
    return FilterScores(graph.by_layer(blend), criterion=criterion, l1=scores.l1, reasons=scores.reasons)


def _never_fire(scores, values):
    return scores.criterion.startswith("fire") & (values == 1)


def _norms(graph, scores, values):
    norms = over_units(graph, scores.l1)
    if np.isnan(norms[np.isfinite(values)]).any():
        missing = [name for name in scores if name not in scores.l1]
        raise ValueError(
            "To rank by norms too, the scores must hold the l1 norm of each filter that has a score. Received "
            f"{scores.criterion!r} scores that lack some, of layers {missing[:3]}. Pass FilterScores(..., l1=...), or "
            "weight=0."
        )
    return norms
