"""Layer balance: scores by which no ranking starves a single layer, because its scores happen to sit higher."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from firekeras.channels.graph import ChannelGraph
from firekeras.plan.units import open_scores
from firekeras.refusals import check_share
from firekeras.scores.profile import FilterScores

FALLBACK = 0.5  # the weight once a round was undone: global ranks may have starved a layer


def balanced(scores: FilterScores, graph: ChannelGraph, weight: float = FALLBACK) -> FilterScores:
    """Blends each filter's place among all filters with its place within its own layer.

    A place is a share from 0 to 1: of so many of the filters that may go, this one goes before. With
    weight 0 the order is that of the scores; with weight 1 every layer loses about the same share of
    its filters. In between, a layer whose scores sit higher than others' still loses more, but its
    best filters rank behind the worst of others. Layers whose filters only go together count as one.

    `plan_pruning` does this by itself, with `balance=1.0`; scores balanced here are planned by with
    `balance=0`.

    Args:
        scores: `FilterScores`, higher goes first.
        graph: The model's `ChannelGraph`.
        weight: The weight of the place within the layer, from 0 to 1. Defaults to 0.5.

    Returns:
        `FilterScores` whose criterion says that they are balanced; NaN for filters that may not go.

    Raises:
        ValueError: If `weight` is out of its range.

    Example:
    >>> scores = balanced(firekeras.score_filters(model, "l1"), firekeras.channel_graph(model))
    >>> plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.2, balance=0)
    """
    check_share("weight", weight, "that of the place within the layer")
    blend = graph.by_layer(blended(open_scores(graph, scores), graph, weight))
    return FilterScores(blend, criterion=f"balanced {scores.criterion}", l1=scores.l1, reasons=scores.reasons)


def blended(values: np.ndarray, graph: ChannelGraph, weight: float) -> np.ndarray:
    """The same for values by unit, `(num_units,)`: NaN for those that have none."""
    return (1 - weight) * places(values) + weight * places_within(values, graph)


def places_within(values: np.ndarray, graph: ChannelGraph) -> np.ndarray:
    """The place of each unit's value among those of its layer, or of all layers that it is coupled with."""
    found = np.full(values.shape, np.nan)
    for units in _groups(graph):
        found[units] = places(values[units])
    return found


def _groups(graph):
    """The units of each group of layers that are pruned together."""
    for names in graph.groups:
        yield np.unique(np.concatenate([graph.filters(name) for name in names]))


def places(values) -> np.ndarray:
    """Where each value stands among all that there are: 0 for the lowest, 1 for the highest, ties alike."""
    ranks = rankdata(values, nan_policy="omit")
    return (ranks - 0.5) / max(1, np.isfinite(values).sum())
