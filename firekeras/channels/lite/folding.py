"""What LiteRT's converter folds and fuses: BatchNormalization and ReLUs, into the steps before them."""

from __future__ import annotations

import collections
import dataclasses

from firekeras.channels.lite.drafts import BATCH_NORM, FOLDS, Draft, joined
from firekeras.channels.program import Constant, Program, Step

FUSES = (*FOLDS[:3], "ADD", "SUB", "MUL", "DIV", "AVERAGE_POOL_2D", "MAX_POOL_2D")  # a ReLU or ReLU6 behind it
RELUS = ("RELU", "RELU6")
OUTPUT = 27  # the length of the name of an output


def folded(lowering, ends) -> list[Draft]:
    """The steps after the converter has folded BatchNormalization, and fused ReLUs, into the steps before them."""
    uses = collections.Counter(k for draft in lowering.drafts for k in draft.reads) + collections.Counter(ends)
    steps: list[Draft] = []
    maker: dict[int, Draft] = {}
    for draft in lowering.drafts:
        before = maker.get(draft.reads[0]) if draft.reads else None
        if before is not None and (uses[draft.reads[0]] > 1 or before.core.fused):
            before = None  # somebody else reads it as it is
        if before is not None and draft.kind == BATCH_NORM and before.core.kind in FOLDS:
            _fold(before.core, draft, renames=before is not before.core)
        elif before is not None and draft.kind in RELUS and before.core.kind in FUSES:
            before.core.names, before.core.fused = [*draft.names, *before.core.names], True
        else:
            parts = _product_and_sum(lowering, draft) if draft.kind == BATCH_NORM else [draft]
            steps += parts
            maker.update((k, part) for part in parts for k in part.makes)
            continue
        if before is not before.core:
            before.names = [*draft.names, *before.names]
        steps.append(steps.pop(steps.index(before)))  # it runs where the last of its operations stood
        before.makes = draft.makes
        maker.update(dict.fromkeys(draft.makes, before))
    return steps


def _fold(before, norm, renames):
    """Takes BatchNormalization into the kernel and bias of the layer before it."""
    add, multiplied, scale, shift = norm.names
    depthwise, biased = before.kind == "DEPTHWISE_CONV_2D", len(before.names) > 1
    if before.constants:
        kernel, count = before.constants[0], norm.constants[1].size
        if depthwise or renames:
            kernel = dataclasses.replace(kernel, name=joined([multiplied, scale, *before.names]))
        before.constants = [kernel, Constant(count, count, 4)]
    before.names = [*(norm.names if depthwise or biased else (add, shift)), *before.names]


def _product_and_sum(lowering, norm):
    scale, shift = norm.constants
    tensor = lowering.tensors[norm.makes[0]]
    between = lowering.new(tensor.size, tensor.rank)
    product = dataclasses.replace(norm, kind="MUL", makes=[between], constants=[scale], names=norm.names[1:3])
    return [product, dataclasses.replace(norm, kind="ADD", reads=[between], constants=[shift], names=norm.names[:1])]


def numbered(tensors, drafts, starts, ends, unknown) -> Program:
    """The program, with those tensors alone that are left, numbered as they appear."""
    order = list(dict.fromkeys([*starts, *(k for draft in drafts for k in (*draft.reads, *draft.makes)), *ends]))
    number = {k: place for place, k in enumerate(order)}
    steps = [
        Step(
            draft.layer,
            draft.kind,
            tuple(number[k] for k in draft.reads),
            tuple(number[k] for k in draft.makes),
            _named(draft),
            draft.scratch,
            OUTPUT if set(draft.makes) & set(ends) else draft.name,
        )
        for draft in drafts
    ]
    inputs, outputs = (tuple(number[k] for k in side) for side in (starts, ends))
    return Program(tuple(tensors[k] for k in order), tuple(steps), inputs, outputs, unknown)


def _named(draft):
    """Its constants; a bias without a name has that of the operations that made it."""
    return tuple(c if c.name else dataclasses.replace(c, name=draft.name - 1) for c in draft.constants)
