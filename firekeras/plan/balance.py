"""Layer balance: keeps a ranking from starving a single layer whose scores happen to be higher."""

from __future__ import annotations

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.plan.units import open_scores
from firekeras.refusals import check_share
from firekeras.scores.profile import FilterScores

FALLBACK = 0.5  # the weight after an undone round: global ranks may have starved a layer


def balanced(scores: FilterScores, graph: ChannelGraph, weight: float = FALLBACK) -> FilterScores:
    """Blends each filter's quantile among all filters with its quantile within its own layer.

    A quantile is in [0, 1]: the share of prunable filters that are removed after this one. With weight
    0 the order is that of the scores; with weight 1 every layer loses about the same share of its
    filters. In between, a layer with higher scores still loses more, but its best filters rank behind
    the worst of other layers. Coupled layers count as one.

    `plan_pruning` does this itself, with `balance=1.0`; plan with `balance=0` if scores are already
    balanced.

    Args:
        scores: `FilterScores`, higher is removed first.
        graph: The model's `ChannelGraph`.
        weight: The weight of the quantile within the layer, from 0 to 1. Defaults to 0.5.

    Returns:
        `FilterScores` whose criterion says that they are balanced; NaN for locked filters.

    Raises:
        ValueError: If `weight` is out of its range.

    Example:
    >>> from firekeras.plan.balance import balanced
    >>> even = balanced(scores, firekeras.channel_graph(model))
    >>> plan = firekeras.plan_pruning(model, even, pruning_ratio=0.2, balance=0)
    """
    check_share("weight", weight, "that of the quantile within the layer")
    blend = graph.by_layer(blended(open_scores(graph, scores), graph, weight))
    return FilterScores(blend, criterion=f"balanced {scores.criterion}", l1=scores.l1, reasons=scores.reasons)


def blended(values: np.ndarray, graph: ChannelGraph, weight: float) -> np.ndarray:
    """The same for one value per unit, `(num_units,)`, NaN for none."""
    return (1 - weight) * places(values) + weight * places_within(values, graph)


def places_within(values: np.ndarray, graph: ChannelGraph) -> np.ndarray:
    """The quantile of each unit's value among those of its layer, or of all layers coupled with it."""
    within = np.full(values.shape, np.nan)
    for names in graph.groups:
        units = graph.units_in(names)
        within[units] = places(values[units])
    return within


def places(values) -> np.ndarray:
    """The quantile of each value among all finite ones: near 0 for the lowest, near 1 for the highest."""
    values = np.asarray(values, "float64")
    # scipy.stats.rankdata takes seconds to import, for which a window would stand still
    ranks, known = np.full(values.shape, np.nan), ~np.isnan(values)
    _, which, ties = np.unique(values[known], return_inverse=True, return_counts=True)
    ranks[known] = (np.cumsum(ties) - (ties - 1) / 2)[which]  # ties share the mean of their ranks
    return (ranks - 0.5) / max(1, np.isfinite(values).sum())
