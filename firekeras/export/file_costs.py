"""What exported files cost, counted from the operations in them: MACs and parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from firekeras.channels.costs import Costs


class Operation(NamedTuple):
    """A convolution or a dense layer: the products that it takes per sample, and the sizes of its weights, by name."""

    convolution: bool
    macs: int
    params: dict[str, int]


def file_costs(operations: Iterable[Operation]) -> Costs:
    """The costs of all operations; weights that several share count once."""
    operations = list(operations)
    conv_macs = sum(operation.macs for operation in operations if operation.convolution)
    params = {name: size for operation in operations for name, size in operation.params.items()}
    return Costs(conv_macs, sum(operation.macs for operation in operations), sum(params.values()), {})
