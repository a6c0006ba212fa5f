"""The columns of the table that do not depend on choices, for each layer."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from firekeras.channels.costs import Costs
from firekeras.scores.profile import FilterScores
from inspector.state.criteria import title


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One layer with filters.

    Args:
        name: Its name.
        kind: Its class.
        shape: The shape of its output without the batch, such as `"32 x 32 x 16"`.
        filters: How many filters it has.
        macs: MACs per sample.
        params: Its own parameters.
        fire: The mean FIRE of its filters; NaN if none has FIRE.
        locked: Why none of its filters may go; empty if some may.
        group: The index of its group in `graph.groups` if the group has several layers; else -1.
        partners: The layers that it shares filters with.
    """

    name: str
    kind: str
    shape: str
    filters: int
    macs: int
    params: int
    fire: float
    locked: str
    group: int
    partners: tuple[str, ...]


def layer_rows(graph, scores: FilterScores, costs: Costs, prunable: np.ndarray) -> list[LayerRow]:
    """The rows, in the order of `graph.filter_layers`.

    Args:
        graph: The `ChannelGraph`.
        scores: The score of each filter.
        costs: The `Costs` of the whole network.
        prunable: Which units may go, `(num_units,)`.
    """
    group_of = {name: number for number, group in enumerate(graph.groups) if len(group) > 1 for name in group}
    return [_row(graph, scores, costs, name, group_of.get(name, -1), prunable) for name in graph.filter_layers]


def unmeasured_rows(graph, costs: Costs) -> list[LayerRow]:
    """The rows of a network of which only the graph is known: only locked layers cannot lose filters.

    Args:
        graph: The `ChannelGraph`.
        costs: The `Costs` of the whole network.
    """
    prunable = np.ones(graph.num_units, bool)
    prunable[list(graph.locks)] = False
    return layer_rows(graph, FilterScores({}, criterion="fire"), costs, prunable)


def _row(graph, scores, costs, name, group, prunable):
    layer, own = graph.layers[name], costs.by_layer.get(name)
    fire = scores.get(name, np.zeros(0))
    fire = fire[np.isfinite(fire)]
    return LayerRow(
        name=name,
        kind=layer.kind,
        shape=" x ".join("?" if size is None else str(size) for size in layer.output_shape[1:]),
        filters=graph.filters(name).size,
        macs=own.macs if own else 0,
        params=own.params if own else 0,
        fire=float(fire.mean()) if fire.size else math.nan,
        locked="" if prunable[graph.filters(name)].any() else _why_locked(graph, scores, name),
        group=group,
        partners=tuple(other for other in graph.groups[group] if other != name) if group >= 0 else (),
    )


def _why_locked(graph, scores, name):
    """Why none of its filters may go: locked themselves, without a score, or coupled with one that has none."""
    units = graph.filters(name)
    reasons = [graph.locks[unit] for unit in units.tolist() if unit in graph.locks]
    if reasons:
        return reasons[0]
    if name in scores.reasons:
        return scores.reasons[name]
    held = graph.held_in[int(units[0])] if units.size else ()
    partners = [graph.filter_layers[layer] for layer, _ in held]
    partner = next((layer for layer in partners if layer in scores.reasons), None)
    wanted = title(scores.criterion)
    if partner is None:
        return f"it has no {wanted} score"
    return f"it loses filters only together with {partner}, which has no {wanted}: {scores.reasons[partner]}"
