"""Several criteria in one ranking: of a layer's filters those go first that most of them find dispensable."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import places_within
from firekeras.plan.units import open_scores
from firekeras.scores.profile import FilterScores


def together(scores: FilterScores, graph: ChannelGraph, others: Iterable[FilterScores]) -> FilterScores:
    """The mean of each filter's places within its layer by several scores.

    A place is a share from 0 to 1: of so many of the layer's filters that may go, this one goes before.
    Layers whose filters only go together count as one. Others that have nothing to say of a filter do not
    count for it. Filters that never fire, of FIRE 1, go before all others of their layer, since that changes
    nothing of what the network computes.

    Args:
        scores: `FilterScores` that lead: filters without one have none in the end.
        graph: The model's `ChannelGraph`.
        others: `FilterScores` whose places count as much; with none of them the scores are given back as they are.

    Returns:
        `FilterScores` whose criterion names them all; NaN for filters that may not go.

    Example:
    >>> from firekeras.plan.together import together
    >>> together(profile, firekeras.channel_graph(model), [scores]).criterion
    'fire and l1'
    """
    others = list(others)
    if not others:
        return scores
    values = open_scores(graph, scores)
    known = [np.where(np.isnan(values), np.nan, open_scores(graph, other)) for other in others]
    blend = _mean([places_within(one, graph) for one in (values, *known)]) + _never_fire(scores, values)
    criterion = " and ".join([scores.criterion, *(other.criterion for other in others)])
    return FilterScores(graph.by_layer(blend), criterion=criterion, l1=scores.l1, reasons=scores.reasons)


def _mean(places):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what may not go there are no places
        return np.nanmean(places, axis=0)


def _never_fire(scores, values):
    return scores.criterion.startswith("fire") & (values == 1)
