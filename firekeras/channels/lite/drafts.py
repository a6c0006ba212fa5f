"""The calls of a network, and the steps that come of them until they are final."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from firekeras.channels.labels import Channels
from firekeras.channels.program import Constant, Product

BATCH_NORM = "BATCH_NORM"  # until it is folded, or becomes a product and a sum
FOLDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D")  # BatchNormalization


@dataclasses.dataclass(frozen=True)
class Ran:
    """One call, as the trace saw it.

    Args:
        name: The path of the layer.
        layer: The layer or operation.
        inputs, outputs: What goes in and comes out.
    """

    name: str
    layer: Any
    inputs: Sequence[Channels]
    outputs: Sequence[Channels]


def ran_of(name: str, operation, args, kwargs, outputs) -> Ran:
    """The record of a call."""
    inputs = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, Channels)]
    return Ran(name, operation, inputs, [x for x in keras.tree.flatten(outputs) if isinstance(x, Channels)])


@dataclasses.dataclass(eq=False)
class Draft:
    """A step that may still be folded into another."""

    layer: str
    kind: str
    reads: list[int]
    makes: list[int]
    constants: list[Constant]
    names: list[int]  # the length of the name of each operation that it does the work of
    scratch: Product | None = None
    fused: bool = False
    behind: Draft | None = None  # the step before it if it only changes the shape of what that makes

    @property
    def core(self):
        """The step that takes in what follows: itself, or the one whose shape it changes."""
        return self.behind or self

    @property
    def name(self):
        """The length of the name of what it makes."""
        return joined(self.names) + 1


def joined(lengths):
    """The length of names of these lengths, with something between them."""
    return sum(lengths) + len(lengths) - 1
