"""Scores of filters from values of units, which are removed as one."""

from __future__ import annotations

import numpy as np

from firekeras.scores.profile import FilterScores


def scores_of_units(graph, values, criterion, missing, reasons=None) -> FilterScores:
    """Scores from one value per unit, which all filters of the unit get.

    Args:
        graph: The `ChannelGraph`.
        values: A value per unit, higher is removed first, NaN for none, `(num_units,)`.
        criterion: The name of the values.
        missing: Why a unit has no value; completes "its output ...".
        reasons: For some units, a more specific reason. Defaults to none.
    """
    why, reasons = {}, reasons or {}
    for name in graph.filter_layers:
        unscored = next((unit for unit in graph.filters(name).tolist() if np.isnan(values[unit])), None)
        if unscored is not None:
            why[name] = f"its output {reasons.get(unscored, missing)}"
    return FilterScores(graph.by_layer(values), criterion=criterion, reasons=why)
