"""Several criteria in one ranking: filters that most of them find dispensable are removed first."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import places_within
from firekeras.plan.units import open_scores
from firekeras.scores.profile import FilterScores


def together(scores: FilterScores, graph: ChannelGraph, others: Iterable[FilterScores]) -> FilterScores:
    """The mean of each filter's quantiles within its layer by several scores.

    A quantile is in [0, 1]: the share of the layer's prunable filters that are removed after this one. Coupled
    layers count as one. Scores that do not rate a filter do not count for it, so a filter without FIRE is ranked by
    the others alone. Filters that never fire, with FIRE 1, are removed before all others of their layer, since that
    does not change what the network computes.

    Args:
        scores: `FilterScores`.
        graph: The model's `ChannelGraph`.
        others: `FilterScores` whose quantiles count equally; without any, the scores are returned unchanged.

    Returns:
        `FilterScores` whose criterion names them all; NaN for locked filters, and those that none of them rates.

    Example:
    >>> from firekeras.plan.together import together
    >>> together(profile, firekeras.channel_graph(model), [scores]).criterion
    'fire and l1'
    """
    others = list(others)
    if not others:
        return scores
    values = open_scores(graph, scores)
    rated = [values, *(open_scores(graph, other) for other in others)]
    blend = _mean([places_within(each, graph) for each in rated]) + _never_fire(scores, values)
    criterion = " and ".join([scores.criterion, *(other.criterion for other in others)])
    return FilterScores(graph.by_layer(blend), criterion=criterion, l1=scores.l1, reasons=scores.reasons)


def _mean(places):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some units have no quantiles
        return np.nanmean(places, axis=0)


def _never_fire(scores, values):
    return scores.criterion.startswith("fire") & (values == 1)
