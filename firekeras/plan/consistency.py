"""Whether a plan agrees with itself: a file may say anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from firekeras.plan.planning import PruningPlan


def check_consistent(plan: PruningPlan) -> None:
    """Raises `ValueError` if a plan contradicts itself; says where."""
    for name in plan.removed:
        if name not in plan.widths:
            raise ValueError(f"it removes filters of a layer {name!r} that it does not have")
        _check_removed(name, plan.removed[name], plan.widths[name])
    for part in ("verdicts", "scores", "ranks"):
        _check_lengths(part, getattr(plan, part), plan.widths)
    if plan.norms:
        _check_lengths("norms", plan.norms, plan.widths)
    _check_words(plan)
    for part in ("costs_before", "costs_after"):
        _check_sums(part, getattr(plan, part))
    _check_savings(plan.costs_before, plan.costs_after)


def _check_removed(name, filters, width):
    if not filters.size or (np.diff(filters) <= 0).any() or filters[-1] >= width:
        raise ValueError(
            f"of layer {name!r} it removes {_few(filters)}. Expected filters from 0 to {width - 1}, ascending"
        )
    if filters.size == width:
        raise ValueError(f"it removes all filters of layer {name!r}")


def _few(filters):
    return f"{filters[:5].tolist()}{' and more' * (filters.size > 5)}"


def _check_lengths(part, arrays, widths):
    if {name: array.size for name, array in arrays.items()} != widths:
        raise ValueError(f"{part!r} does not hold one number for each filter of each layer")


def _check_words(plan):
    if any((array >= len(plan.sentences)).any() for array in plan.verdicts.values()):
        raise ValueError("a verdict refers to a sentence that it does not have")
    if any((array > plan.ranked).any() for array in plan.ranks.values()) or plan.ranked > sum(plan.widths.values()):
        raise ValueError("a rank is beyond the number of ranked filters")


def _check_sums(part, costs):
    for field in ("macs", "params"):
        if getattr(costs, field) != sum(getattr(one, field) for one in costs.by_layer.values()):
            raise ValueError(f"{field!r} in {part!r} is not the sum over its layers")
    if costs.conv_macs > costs.macs:
        raise ValueError(f"'conv_macs' in {part!r} is more than 'macs'")


def _check_savings(before, after):
    layers = before.by_layer
    more = [
        n
        for n, c in after.by_layer.items()
        if n not in layers or c.macs > layers[n].macs or c.params > layers[n].params
    ]
    if more or after.conv_macs > before.conv_macs:
        raise ValueError(
            f"it costs more after the cut than before, in layer {more[0]!r}" if more else "it costs more after the cut"
        )
