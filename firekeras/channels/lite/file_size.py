"""How many bytes the exported `.tflite` file of a network has, without exporting it.

A file holds the weights, with a scale and a zero point for each filter in int8, and what describes tensors and steps.
What is described takes the same room whatever the widths are; `OVERHEAD` was fitted to 60 files of LiteRT's converter
(TensorFlow 2.21), of which it misses none by more than 250 bytes if their contents are known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from firekeras.channels.program import Constant, Product, Program

INT8, FLOAT16, FLOAT32 = "int8", "float16", "float32"
OVERHEAD = {"file": 652, "step": 96, "tensor": 12, "open batch": 4, "scaled": 25, "constant": 32}  # bytes
SCALE = 12  # a scale of four bytes, a zero point of eight
INDEX = 4
RAISED = 12  # the name of the tensor that a constant in float16 becomes


@dataclasses.dataclass
class _Total:
    """Bytes so far."""

    bytes: int = OVERHEAD["file"]

    def tensor(self, name, rank, scales=0, open_batch=False):
        self.bytes += OVERHEAD["tensor"] + _padded(name + 1) + INDEX * rank * (1 + open_batch)
        self.bytes += OVERHEAD["open batch"] * open_batch + (OVERHEAD["scaled"] + SCALE * scales) * (scales > 0)

    def step(self, indices):
        self.bytes += OVERHEAD["step"] + INDEX * indices

    def data(self, size):
        self.bytes += OVERHEAD["constant"] + -(-size // 16) * 16


def file_size(program: Program, kept: Sequence[int], form: str = INT8) -> int:
    """The size of the file of a network, in bytes.

    Args:
        program: The network's program.
        kept: The kept length of each of the graph's axes.
        form: `"int8"`, with inputs and outputs in int8 too; `"float16"` or `"float32"`.
    """
    total = _Total()
    for k in program.inputs:
        _add_tensor(total, program.tensors[k], 25, form)
    for step in program.steps:
        constants = len(step.constants)
        total.step(len(step.reads) + len(step.makes) + constants)
        for k in step.makes:
            _add_tensor(total, program.tensors[k], step.name, form)
        for constant in step.constants:
            _add_constant(total, constant, kept, form)
    return total.bytes


def products(program: Program, form: str = INT8) -> list[Product]:
    """The products whose sum is the bytes of the weights, scales included."""
    return [product for step in program.steps for product in _products(step, form)]


def largest_layer(program: Program, kept: Sequence[int], form: str = INT8) -> str:
    """The layer whose weights take most of the file."""
    return max(program.steps, key=lambda step: sum(p.of(kept) for p in _products(step, form))).layer


def _products(step, form):
    for constant in step.constants:
        if constant.scales is None:
            continue
        bytes = {INT8: constant.bytes, FLOAT16: 2, FLOAT32: 4}[form]
        yield Product(bytes * constant.size.factor, constant.size.axes)
        if form == INT8:
            yield Product(SCALE * constant.scales.factor, constant.scales.axes)


def _add_tensor(total, tensor, name, form):
    scaled = form == INT8 and not tensor.bytes
    total.tensor(name, tensor.rank, int(scaled), open_batch=not tensor.bytes)


def _add_constant(total: _Total, constant: Constant, kept, form):
    numbers, whole = constant.size.of(kept), constant.scales is None
    if whole or form == FLOAT32:
        total.tensor(constant.name, constant.rank)
        total.data(4 * numbers)
    elif form == INT8:
        total.tensor(constant.name, constant.rank, constant.scales.of(kept))  # type: ignore[union-attr]
        total.data(constant.bytes * numbers)
    else:
        total.tensor(constant.name, constant.rank)
        total.data(2 * numbers)
        total.tensor(constant.name + RAISED, constant.rank)
        total.step(2)


def _padded(size):
    return -(-size // 4) * 4
