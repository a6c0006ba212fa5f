"""How much RAM the tensors of a network take while it runs: those alive at once, and where they are laid.

LiteRT for Microcontrollers lays all tensors into one arena before the network runs, the largest first, each at the
lowest place where none is that is alive at the same time (`GreedyMemoryPlanner`). A step's inputs and outputs are
alive together, so nothing is computed in place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from firekeras.channels.program import Product, Program

ALIGNED = 16  # bytes
INT8, FLOAT32 = 1, 4  # bytes of a number


@dataclasses.dataclass(frozen=True)
class Peak:
    """The RAM of the tensors of a network, in bytes.

    Args:
        planned: What they take as LiteRT for Microcontrollers lays them: the size of the arena without its tail.
        alive: What is alive at once in the most crowded step of all; `planned` is never less.
        layer: The layer that runs at the peak: in the most crowded step in which the buffer is alive that is laid
            highest.
        stack: The sizes of the buffers that lie upon each other from the bottom of the arena to its top. They add up to
            `planned`, which falls only if one of them shrinks, or another order of sizes lays them otherwise.
        crowd: The sizes of the buffers that are alive in the most crowded step: they add up to `alive`.
    """

    planned: int
    alive: int
    layer: str
    stack: tuple[Product, ...] = dataclasses.field(repr=False)
    crowd: tuple[Product, ...] = dataclasses.field(repr=False)


def peak(program: Program, kept: Sequence[int], width: int = INT8) -> Peak:
    """The RAM of a network of which so many channels are kept along each axis of its graph.

    Args:
        program: The network's program.
        kept: The kept length of each of the graph's axes.
        width: The bytes of a number: 1 for int8, 4 for float32. Defaults to 1.
    """
    sizes, first, last = _buffers(program, kept, width)
    loads = _loads(sizes, first, last, len(program.steps))
    laid = _laid(sizes, program.alive_together)
    top = laid[-1].number
    moment = first[top] + int(loads[first[top] : last[top] + 1].argmax())
    layer = program.steps[max(0, moment - 1)].layer if program.steps else ""
    buffers = _products(program, width)
    stack = tuple(buffers[k] for k in _stack(laid, first, last))
    busiest = loads.argmax()
    crowd = tuple(buffers[k] for k in np.flatnonzero((first <= busiest) & (last >= busiest)))
    return Peak(laid[-1].end, int(loads.max()), layer, stack, crowd)


def planned(program: Program, kept: Sequence[int], width: int = INT8) -> int:
    """The `planned` bytes of `peak`."""
    sizes, _, _ = _buffers(program, kept, width)
    return _laid(sizes, program.alive_together)[-1].end


def _products(program, width):
    """The sizes in bytes of all buffers, as of `_buffers`."""
    sizes = [Product(tensor.size.factor * (tensor.bytes or width), tensor.size.axes) for tensor in program.tensors]
    return sizes + [step.scratch for step in program.steps if step.scratch is not None and width == INT8]


def _buffers(program, kept, width):
    """Sizes in bytes, first and last moment of all tensors, then of the scratch of steps."""
    sizes = [aligned(product.of(kept)) for product in _products(program, width)]
    first, last = program.lifetimes
    return np.array(sizes, "int64"), first[: len(sizes)], last[: len(sizes)]


def aligned(size: int) -> int:
    """A number of bytes, rounded up to where the next buffer may begin."""
    return -(-size // ALIGNED) * ALIGNED


def _loads(sizes, first, last, steps):
    """The bytes alive at each moment, `(steps + 1,)`."""
    change = np.zeros(steps + 2, "int64")
    np.add.at(change, first, sizes)
    np.add.at(change, last + 1, -sizes)
    return change.cumsum()[:-1]


class _Buffer(NamedTuple):
    """A buffer that is laid."""

    start: int
    end: int
    number: int


def _laid(sizes, alive_together) -> list[_Buffer]:
    """All buffers, each laid into the first gap that is wide enough, by their ends."""
    laid: dict[int, _Buffer] = {}
    lengths = sizes.tolist()
    for k in sorted(range(len(lengths)), key=lambda k: (-lengths[k], -k)):  # of equal ones, the last first
        place, size = 0, lengths[k]
        for start, end, _ in sorted(laid[other] for other in alive_together[k] if other in laid):
            if start - place >= size:
                break
            place = max(place, end)
        laid[k] = _Buffer(place, place + size, k)
    return sorted(laid.values(), key=lambda buffer: (buffer.end, buffer.start))


def _stack(laid, first, last) -> list[int]:
    """The numbers of buffers that lie upon each other, from the highest down: each was laid onto the next."""
    buffer, stack = laid[-1], [laid[-1].number]
    while buffer.start:
        a, b = first[buffer.number], last[buffer.number]
        under = (o for o in laid if o.end == buffer.start and first[o.number] <= b and last[o.number] >= a)
        buffer = next(under)
        stack.append(buffer.number)
    return stack
