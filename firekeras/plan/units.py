"""Scores of filters as scores of units: coupled filters share one."""

from __future__ import annotations

import numpy as np

from firekeras.scores.profile import FilterScores


def over_units(graph, by_layer) -> np.ndarray:
    """The mean of each unit over its filters, NaN if one of them has no value, `(num_units,)`."""
    total = np.zeros(graph.num_units)
    for name in graph.filter_layers:
        units = graph.filters(name)
        np.add.at(total, units, by_layer.get(name, np.full(units.size, np.nan)))
    return total / np.maximum(graph.unit_sizes, 1)


def open_scores(graph, scores) -> np.ndarray:
    """The score of each unit, NaN for locked units and those without a score, `(num_units,)`."""
    values = over_units(graph, scores)
    values[list(graph.locks)] = np.nan
    return values


def completed(scores, graph) -> FilterScores:
    """Scores in which units without one are ranked by l1 norms, small ones first, behind all that have a score."""
    values, norms = over_units(graph, scores), over_units(graph, scores.l1)
    known = values[np.isfinite(values)]
    below = known.min(initial=0.0) - 1
    values = np.where(np.isnan(values), below - np.nan_to_num(norms, nan=np.inf), values)
    values[np.isinf(values)] = np.nan  # no norm either
    return FilterScores(graph.by_layer(values), criterion=scores.criterion, l1=scores.l1, reasons=scores.reasons)
