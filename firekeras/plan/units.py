"""Scores of filters as scores of units: coupled filters share one."""

from __future__ import annotations

import numpy as np


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
