"""Plan in, smaller model out."""

from __future__ import annotations

import keras
import numpy as np

from firekeras.arguments import typed
from firekeras.channels.graph import ChannelGraph
from firekeras.network import Network
from firekeras.plan.planning import PruningPlan
from firekeras.refusals import suggestion
from firekeras.scores.same_weights import warn_of_other_weights


@typed
def prune(model: keras.Model, plan: PruningPlan) -> keras.Model:
    """Removes the filters of a plan, and every slice of every weight that belongs to them.

    The new model has the same layer names, order, dtype policies, trainable flags, regularizers,
    input and output structure; shared layers stay shared, nested models nested. If the model was
    compiled, so is the new one, with the optimizer's state cut accordingly; an optimizer that has taken no step has no
    state, even if Keras made room for it when it loaded the model.

    Args:
        model: A built Functional or Sequential model. It is not changed.
        plan: A `PruningPlan` for this model.

    Returns:
        A new `keras.Model` that runs without firekeras.

    Raises:
        ValueError: If the plan is for another model, or removes locked filters.

    Example:
    >>> smaller = firekeras.prune(model, plan)
    >>> smaller.count_params() == plan.costs_after.params
    True
    """
    network = Network.of(model)
    gone = checked_units(network.graph, plan)
    if plan.read_from:
        warn_of_other_weights(f"The plan in {plan.read_from}", plan.norms, network)
    return network.without(gone, built=False)


def checked_units(graph: ChannelGraph, plan: PruningPlan) -> np.ndarray:
    """The units that a plan removes, as a mask, after checking that the plan matches the network."""
    if not isinstance(plan, PruningPlan):
        raise ValueError(f"Expected a PruningPlan, as plan_pruning returns it. Received: {type(plan).__name__}.")
    _check_widths(graph, plan.widths)
    for name, filters in plan.removed.items():
        _check_filters(name, graph.filters(name).size, np.asarray(filters))
    gone = graph.units_of(plan.removed)
    for name, filters in graph.removed_filters(gone).items():
        _check_layer(graph, name, filters, set(np.asarray(plan.removed.get(name, ())).tolist()))
    emptied = graph.emptied(gone)
    if emptied:
        size = graph.axes[emptied.axis].size
        raise ValueError(
            f"The plan removes all {size} channels that {emptied.name} takes of the layers before it; at least one "
            "must stay. Make the plan with plan_pruning, which ensures that."
        )
    return gone


def _check_widths(graph, widths):
    for name, width in widths.items():
        if name not in graph.filter_layers:
            raise ValueError(
                f"The plan is for another model: it knows a layer with filters named {name!r}, which this one lacks."
                f"{suggestion(name, graph.filter_layers)} Plan again for this model."
            )
        if graph.filters(name).size != width:
            raise ValueError(
                f"The plan is for another model: it expects {width} filters in layer {name!r}, which has "
                f"{graph.filters(name).size}. Plan again for this model."
            )
    unknown = [name for name in graph.filter_layers if name not in widths]
    if unknown:
        raise ValueError(
            f"The plan is for another model: it does not know layer {unknown[0]!r}. Plan again for this model."
        )


def _check_filters(name, width, filters):
    if filters.size and filters.dtype.kind not in "iu":
        raise ValueError(
            f"The plan removes filters {filters[:5].tolist()} of layer {name!r}. Expected their indices, whole numbers."
        )
    beyond = filters[(filters < 0) | (filters >= width)].tolist()
    if beyond:
        raise ValueError(f"The plan removes filters {beyond} of layer {name!r}, which has filters 0 to {width - 1}.")


def _check_layer(graph, name, filters, planned):
    missing = sorted(set(filters.tolist()) - planned)
    if missing:
        raise ValueError(
            f"The plan splits coupled filters: filters {missing} of layer {name!r} would have to "
            f"go too. Make the plan with plan_pruning, or add what graph.coupled({name!r}, {missing[0]}) lists."
        )
    locked = next((graph.locks[unit] for unit in graph.filters(name)[filters].tolist() if unit in graph.locks), None)
    if locked:
        raise ValueError(f"The plan removes filters of layer {name!r} that must stay: {locked}.")
    if filters.size == graph.filters(name).size:
        raise ValueError(f"The plan removes all {filters.size} filters of layer {name!r}; at least one must stay.")
