"""MACs in the ranking: of filters with similar scores, those that save the most computation are removed first."""

from __future__ import annotations

import numpy as np

from firekeras.channels.costs import costs_of_units
from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import places
from firekeras.plan.units import open_scores
from firekeras.refusals import check_share
from firekeras.scores.profile import FilterScores


def favouring_macs(scores: FilterScores, graph: ChannelGraph, weight: float = 0.25) -> FilterScores:
    """Blends each filter's quantile by score with its quantile by the MACs that its removal saves.

    A quantile is in [0, 1]: the share of prunable filters that are removed after this one. Molchanov et al.
    2017, "Pruning Convolutional Neural Networks for Resource Efficient Inference", 2.3, add the weighted MACs
    themselves; quantiles need no units. For coupled filters the MACs per filter count.

    Args:
        scores: `FilterScores`, higher is removed first.
        graph: The model's `ChannelGraph`.
        weight: The weight of the quantile by MACs, from 0 to 1. Defaults to 0.25.

    Returns:
        `FilterScores` whose criterion says so; NaN for locked filters.

    Raises:
        ValueError: If `weight` is out of its range.

    Example:
    >>> from firekeras.plan.favouring_macs import favouring_macs
    >>> favouring_macs(scores, firekeras.channel_graph(model)).criterion
    'l1 and MACs'
    """
    check_share("weight", weight, "that of the quantile by MACs")
    values = open_scores(graph, scores)
    saved = np.where(np.isfinite(values), costs_of_units(graph, "macs") / np.maximum(graph.unit_sizes, 1), np.nan)
    blend = (1 - weight) * places(values) + weight * places(saved)
    criterion = f"{scores.criterion} and MACs"
    return FilterScores(graph.by_layer(blend), criterion=criterion, l1=scores.l1, reasons=scores.reasons)
