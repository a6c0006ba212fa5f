"""What exported files cost, counted from the operations in them: MACs and parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from firekeras.channels.costs import Costs
from firekeras.channels.lite.arena import peak
from firekeras.channels.program import Program


class Operation(NamedTuple):
    """A convolution or a dense layer: the products that it takes per sample, and the sizes of its weights, by name."""

    convolution: bool
    macs: int
    params: dict[str, int]


def file_costs(operations: Iterable[Operation], program: Program | None = None) -> Costs:
    """The costs of all operations; weights that several share count once. A `Program` of fixed sizes tells the RAM."""
    operations = list(operations)
    conv_macs = sum(operation.macs for operation in operations if operation.convolution)
    params = {name: size for operation in operations for name, size in operation.params.items()}
    macs = sum(operation.macs for operation in operations)
    costs = Costs(conv_macs, macs, sum(params.values()), {})
    if program is None:
        return costs
    at = peak(program, ())
    return dataclasses.replace(costs, ram=at.planned, ram_layer=at.layer)
