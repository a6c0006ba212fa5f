"""How much RAM the tensors of a network take while it runs: those alive at once, and where they are laid.

LiteRT for Microcontrollers lays all tensors into one arena before the network runs, the largest first, each at the
lowest place where none is that is alive at the same time (`GreedyMemoryPlanner`). A step's inputs and outputs are
alive together, so nothing is computed in place.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence

import numpy as np

from firekeras.channels.program import Product, Program

ALIGNED = 16  # bytes
INT8, FLOAT32 = 1, 4  # bytes of a number


@dataclasses.dataclass(frozen=True)
class Peak:
    """The RAM of the tensors of a network, in bytes.

    Args:
        planned: What they take as LiteRT for Microcontrollers lays them: the size of the arena without its tail.
        alive: What is alive at once in the most crowded step; `planned` is never less.
        layer: The layer of that step. RAM falls only if something that is alive there shrinks.
    """

    planned: int
    alive: int
    layer: str


def peak(program: Program, kept: Sequence[int], width: int = INT8) -> Peak:
    """The RAM of a network of which so many channels are kept along each axis of its graph.

    Args:
        program: The network's program.
        kept: The kept length of each of the graph's axes.
        width: The bytes of a number: 1 for int8, 4 for float32. Defaults to 1.
    """
    sizes, first, last = _buffers(program, kept, width)
    load = _loads(sizes, first, last, len(program.steps))
    crowded = int(load[1:].argmax()) if program.steps else 0
    layer = program.steps[crowded].layer if program.steps else ""
    return Peak(_planned(sizes, first, last), int(load.max(initial=0)), layer)


def planned(program: Program, kept: Sequence[int], width: int = INT8) -> int:
    """The `planned` bytes of `peak`."""
    return _planned(*_buffers(program, kept, width))


def crowded(program: Program, kept: Sequence[int], width: int = INT8) -> list[Product]:
    """The sizes in bytes of the tensors that are alive in the most crowded step."""
    sizes, first, last = _buffers(program, kept, width)
    moment = int(_loads(sizes, first, last, len(program.steps)).argmax())
    return _alive(program, first, last, moment, width)


def _alive(program, first, last, moment, width):
    alive = np.flatnonzero((first <= moment) & (moment <= last)).tolist()
    tensors = [program.tensors[k] for k in alive if k < len(program.tensors)]
    return [Product(tensor.size.factor * (tensor.bytes or width), tensor.size.axes) for tensor in tensors]


def _buffers(program, kept, width):
    """Sizes in bytes, first and last moment of all tensors, then of the scratch of steps; step k runs at moment k+1."""
    first, last = _lifetimes(program)
    sizes = [aligned(tensor.size.of(kept) * (tensor.bytes or width)) for tensor in program.tensors]
    moments = [k for k, step in enumerate(program.steps, 1) if step.scratch is not None] if width == INT8 else []
    sizes += [aligned(program.steps[k - 1].scratch.of(kept)) for k in moments]  # type: ignore[union-attr]
    return np.array(sizes, "int64"), np.array([*first, *moments], "int64"), np.array([*last, *moments], "int64")


def aligned(size: int) -> int:
    """A number of bytes, rounded up to where the next buffer may begin."""
    return -(-size // ALIGNED) * ALIGNED


def _lifetimes(program):
    first = [0] * len(program.tensors)
    last = [0] * len(program.tensors)
    for moment, step in enumerate(program.steps, 1):
        for k in step.makes:
            first[k] = last[k] = moment
        for k in step.reads:
            last[k] = moment
    for k in program.outputs:
        last[k] = len(program.steps)
    return first, last


def _loads(sizes, first, last, steps):
    """The bytes alive at each moment, `(steps + 1,)`."""
    change = np.zeros(steps + 2, "int64")
    np.add.at(change, first, sizes)
    np.add.at(change, last + 1, -sizes)
    return change.cumsum()[:-1]


def _planned(sizes, first, last):
    """The end of the last buffer if each is laid, the largest first, into the first gap that is wide enough."""
    starts: list[int] = []  # of the buffers that are laid, ascending, and with each its end and its number
    laid: list[tuple[int, int, int]] = []
    highest = 0
    for k in np.argsort(-sizes, kind="stable").tolist():
        place, size, a, b = 0, int(sizes[k]), first[k], last[k]
        for start, end, other in laid:
            if first[other] > b or last[other] < a:
                continue
            if start - place >= size:
                break
            place = max(place, end)
        at = bisect.bisect_right(starts, place)
        starts.insert(at, place)
        laid.insert(at, (place, place + size, k))
        highest = max(highest, place + size)
    return highest
