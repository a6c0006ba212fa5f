"""MACs in the ranking: of filters that score alike, those go first with which the most computation goes."""

from __future__ import annotations

import numpy as np

from firekeras.channels.costs import costs_of_units
from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import places
from firekeras.plan.units import open_scores
from firekeras.refusals import check_share
from firekeras.scores.profile import FilterScores


def favouring_macs(scores: FilterScores, graph: ChannelGraph, weight: float = 0.25) -> FilterScores:
    """Blends each filter's place among all filters with its place by the MACs that go with it.

    A place is a share from 0 to 1: of so many of the filters that may go, this one goes before. Molchanov et
    al. 2017, "Pruning Convolutional Neural Networks for Resource Efficient Inference", 2.3, add the MACs
    themselves, with a weight; places need no units. Of units of several filters the MACs per filter count.

    Args:
        scores: `FilterScores`, higher goes first.
        graph: The model's `ChannelGraph`.
        weight: The weight of the place by MACs, from 0 to 1. Defaults to 0.25.

    Returns:
        `FilterScores` whose criterion says so; NaN for filters that may not go.

    Raises:
        ValueError: If `weight` is out of its range.

    Example:
    >>> scores = favouring_macs(firekeras.score_filters(model, "l1"), firekeras.channel_graph(model))
    """
    check_share("weight", weight, "that of the place by MACs")
    values = open_scores(graph, scores)
    saved = np.where(np.isfinite(values), costs_of_units(graph, "macs") / np.maximum(graph.unit_sizes, 1), np.nan)
    blend = (1 - weight) * places(values) + weight * places(saved)
    criterion = f"{scores.criterion} and MACs"
    return FilterScores(graph.by_layer(blend), criterion=criterion, l1=scores.l1, reasons=scores.reasons)
