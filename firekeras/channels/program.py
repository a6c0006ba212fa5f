"""What the exported file of a network does, step by step, as plain data. Free of Keras.

A step is an operation of LiteRT, after its converter has folded BatchNormalization and activations into the layers
before them. In `firekeras.channels.lite`, `lowering` makes a program of a model; `arena` and `file_size` count it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np

from firekeras.strict_json import Count, Meta

Indices = Annotated[tuple[Count, ...], Meta(max_length=4096)]


@dataclasses.dataclass(frozen=True)
class Product:
    """A size that depends on what is kept: `factor` times the kept length of each of `axes`.

    Args:
        factor: A plain number.
        axes: Indices into `ChannelGraph.axes`.
    """

    factor: Count
    axes: Annotated[tuple[Count, ...], Meta(max_length=16)] = ()

    def of(self, kept: Sequence[int]) -> int:
        """The size if so many channels are kept along each of the graph's axes."""
        return self.factor * math.prod(kept[axis] for axis in self.axes)


@dataclasses.dataclass(frozen=True)
class Term:
    """A time that depends on what is kept: `factor` seconds times the kept length of each of `axes`.

    Args:
        factor: Seconds.
        axes: Indices into `ChannelGraph.axes`.
        steps: For each of them, what its length is rounded up to a multiple of: so many channels are computed at a
            time. Without any, lengths count as they are.
        narrow: A smaller number of channels that are computed at a time if there are no more; 0 without one.
    """

    factor: float
    axes: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    narrow: int = 0

    def of(self, kept: Sequence[int] | Mapping[int, int]) -> float:
        """The time if so many channels are kept along each of the graph's axes."""
        pairs = zip(self.axes, self.steps or (1,) * len(self.axes), strict=True)
        return self.factor * math.prod(self._rounded(kept[axis], step) for axis, step in pairs)

    def _rounded(self, length, step):
        return self.narrow if step > 1 and length <= self.narrow else -(-length // step) * step


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor that exists while the network runs.

    Args:
        size: How many numbers it holds, per sample.
        rank: The number of its axes.
        bytes: The bytes of a number if they are always the same, as in a shape; 0 if they depend on whether the
            network computes in int8 or in floats.
    """

    size: Product
    rank: Count = 4
    bytes: Count = 0


@dataclasses.dataclass(frozen=True)
class Constant:
    """A tensor of weights in the file.

    Args:
        size: How many numbers it holds.
        scales: How many scales and zero points it has in int8; None for a constant of whole numbers.
        bytes: The bytes of a number in int8: 4 for a bias.
        name: The length of its name.
        rank: The number of its axes.
    """

    size: Product
    scales: Product | None
    bytes: Count = 1
    name: Count = 0
    rank: Count = 1


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation.

    Args:
        layer: The layer that it comes from, the last one if it does the work of several.
        kind: The operation, as LiteRT names it: `"CONV_2D"`.
        reads: The tensors that it reads, as indices into `Program.tensors`.
        makes: The tensors that it makes.
        constants: The weights that it reads, without those that an earlier step has.
        scratch: How many bytes it needs in int8 while it runs, besides its tensors.
        name: The length of the names of the tensors that it makes.
    """

    layer: str
    kind: str
    reads: Indices
    makes: Indices
    constants: tuple[Constant, ...] = ()
    scratch: Product | None = None
    name: Count = 0


@dataclasses.dataclass(frozen=True)
class Program:
    """The steps of an exported network, in the order in which they run.

    Args:
        tensors: All tensors that steps make, and the inputs.
        steps: The steps.
        inputs: The inputs, as indices into `tensors`.
        outputs: The outputs.
        unknown: The layers whose steps are not known: each counts as one step.
    """

    tensors: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    inputs: Indices
    outputs: Indices
    unknown: tuple[str, ...] = ()

    @functools.cached_property
    def lifetimes(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last moment of each tensor, then of the scratch of steps; step k runs at moment k + 1."""
        first, last = [0] * len(self.tensors), [0] * len(self.tensors)
        for moment, step in enumerate(self.steps, 1):
            for k in step.makes:
                first[k] = last[k] = moment
            for k in step.reads:
                last[k] = moment
        for k in self.outputs:
            last[k] = len(self.steps)
        scratch = [moment for moment, step in enumerate(self.steps, 1) if step.scratch is not None]
        return np.array([*first, *scratch], "int64"), np.array([*last, *scratch], "int64")

    @functools.cached_property
    def alive_together(self) -> list[list[int]]:
        """For each of these buffers, those that are alive at some moment of its life."""
        first, last = self.lifetimes
        met = (first[:, None] <= last) & (last[:, None] >= first)
        return [np.flatnonzero(row).tolist() for row in met]

    def products(self) -> Iterator[Product]:
        """All sizes in it."""
        yield from (tensor.size for tensor in self.tensors)
        for step in self.steps:
            yield from (size for size in (step.scratch,) if size is not None)
            for constant in step.constants:
                yield from (size for size in (constant.size, constant.scales) if size is not None)
