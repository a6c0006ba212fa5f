"""The steps that LiteRT's converter makes of each layer; each kind of layer registers its own in `steps/`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from firekeras.channels.labels import Channels
from firekeras.channels.lite.drafts import Draft, Ran
from firekeras.channels.lite.folding import folded, numbered
from firekeras.channels.lite.running_order import running_order, scope
from firekeras.channels.program import Constant, Product, Program, Tensor
from firekeras.channels.registry import find_in

if TYPE_CHECKING:
    from firekeras.channels.trace import Axes, Tracer

STEPS: dict[type, Callable[[Lowering, Ran], None]] = {}


def becomes(*operations: type):
    """Registers a function that adds the steps of a call of these layers or operations to a `Lowering`."""

    def register(function):
        STEPS.update(dict.fromkeys(operations, function))
        return function

    return register


def becomes_one(kind: str, *operations: type) -> None:
    """Registers that a call of these layers or operations becomes one step of this kind, and nothing else."""
    becomes(*operations)(lambda lowering, ran: lowering.single(ran, kind))


class Lowering:
    """Turns the calls of a model into a `Program`.

    Args:
        tracer: Knows which labels run along which weight.
        units: Collects the axes of the graph.
        model: The model's name.
    """

    def __init__(self, tracer: Tracer, units: Axes, model: str):
        self.tracer, self.units, self.model = tracer, units, model
        self.tensors: list[Tensor] = []
        self.drafts: list[Draft] = []
        self.unknown: list[str] = []
        self._index: dict[int, int] = {}
        self._has: set[int] = set()

    # What functions of STEPS use

    def tensor(self, x: Channels) -> int:
        """The index of a tensor of the model."""
        if id(x) not in self._index:
            self._index[id(x)] = self.new(self.size(x), len(x.shape))
        return self._index[id(x)]

    def new(self, size: Product, rank: int = 4, bytes: int = 0) -> int:
        """The index of a tensor that only the exported file has."""
        self.tensors.append(Tensor(size, rank, bytes))
        return len(self.tensors) - 1

    def size(self, x: Channels) -> Product:
        """How many numbers a tensor holds, per sample of the network's input."""
        whole = int(math.prod(x.shape[1:]) * x.samples)
        if not x.labels.any():
            return Product(whole)
        return self.units.product(whole // x.labels.size, [x.labels.ravel()])

    def channels(self, x: Channels, axis: int = -1) -> Product:
        """How many channels a tensor has along an axis."""
        if x.labels.any() and x.varies_only_along(axis):
            return self.units.product(1, [x.vector(axis)])
        return Product(int(x.shape[axis]))

    def weight(self, variable) -> Product:
        """How many numbers a weight holds."""
        return self.units.weight_size(self.tracer, variable)

    def is_new(self, owner) -> bool:
        """Whether the weights of a layer are not in the file yet."""
        known = id(owner) in self._has
        self._has.add(id(owner))
        return not known

    def length(self, ran: Ran, operation: str) -> int:
        """The length of the name of an operation of a layer: that of the model, its path and its own."""
        return len(f"{self.model}/{scope(ran.name)}{operation}")

    def step(self, ran: Ran, kind, reads, makes, *, names=(), constants=(), scratch=None) -> Draft:
        """Adds a step that makes one tensor, or several; returns it."""
        makes = makes if isinstance(makes, list) else [makes]
        lengths = [self.length(ran, name) for name in names or (kind,)]
        self.drafts.append(Draft(ran.name, kind, list(reads), makes, list(constants), lengths, scratch))
        return self.drafts[-1]

    def like(self, x: Channels) -> int:
        """A new tensor of the size of another."""
        return self.new(self.size(x), len(x.shape))

    def constant(self, numbers: Product, scales: Product | None = None, name: int = 0) -> Constant:
        """A constant with one scale unless another number is given."""
        return Constant(numbers, scales or Product(1), name=name)

    def whole_numbers(self, count: int, name: int = 10) -> Constant:
        """A constant of whole numbers, such as a shape."""
        return Constant(Product(count), None, 4, name)

    def single(self, ran: Ran, kind: str, constants=(), scratch=None):
        """Adds the usual: one step that reads all inputs and makes all outputs."""
        self.step(
            ran,
            kind,
            map(self.tensor, ran.inputs),
            [self.tensor(x) for x in ran.outputs],
            constants=constants,
            scratch=scratch,
        )

    def nothing(self, ran: Ran):
        """Makes the outputs of a call another name of its inputs: the converter removes it."""
        for before, after in zip(ran.inputs, ran.outputs, strict=False):
            self._index[id(after)] = self.tensor(before)

    # The whole

    def program(
        self, calls: Sequence[Ran], inputs: Sequence[tuple[Channels, str, str]], outputs: Sequence[Channels]
    ) -> Program:
        """The program of a model, from its calls in order; inputs with their dtypes and names."""
        starts = [self._index.setdefault(id(x), self.new(self.size(x), len(x.shape), _bytes(t))) for x, t, _ in inputs]
        for ran in calls:
            _lower(self, ran)
        names = {start: name for start, (*_, name) in zip(starts, inputs, strict=True)}
        self.drafts = running_order(self.drafts, names, self.model)
        ends = [self.tensor(x) for x in outputs]
        steps = folded(self, ends)
        return numbered(self.tensors, steps, starts, ends, tuple(dict.fromkeys(self.unknown)))


def _bytes(dtype):
    """The bytes of a number of an input if they do not depend on how the network computes."""
    return 0 if "float" in dtype else 4


def _lower(lowering, ran):
    known, begun = find_in(STEPS, ran.layer), len(lowering.drafts)
    if known is not None:
        try:
            return known(lowering, ran)
        except (ValueError, TypeError, LookupError, AttributeError):  # a call of a kind that nobody has seen
            del lowering.drafts[begun:]
    lowering.unknown.append(ran.name)
    sizes = [lowering.weight(v) for v in getattr(ran.layer, "weights", ())] if lowering.is_new(ran.layer) else []
    return lowering.single(ran, "CUSTOM", [lowering.constant(size) for size in sizes])
