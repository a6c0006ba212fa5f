"""The order in which an exported network runs its steps.

LiteRT's converter does not keep Keras's order. It walks depth first from the weights and inputs through the graph, of
several ways the last by name first, and runs first what that walk leaves last (a reverse postorder). So the names of
layers decide which of two branches runs first, and with that how much of both is in RAM at once.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any


def running_order(steps: Sequence[Any], inputs: Mapping[int, str], model: str) -> list[Any]:
    """The steps in the order in which the exported network runs them.

    Args:
        steps: The steps in any order in which they could run, each with its `layer`, what it `reads` and `makes`, and
            its `constants`.
        inputs: The names of the network's inputs, by the tensor that each is.
        model: The name of the model.
    """
    readers = collections.defaultdict(list)
    for step in sorted(steps, key=_name):
        for tensor in dict.fromkeys(step.reads):
            readers[tensor].append(step)
    begun = [(name, readers[tensor]) for tensor, name in inputs.items()]
    begun += [(f"{model}_1_{_name(step).lower().replace('/', '_')}", [step]) for step in steps if _has_weights(step)]
    starts = [step for _, read_by in sorted(begun, key=lambda start: start[0]) for step in read_by]
    after = {step: [reader for tensor in step.makes for reader in readers[tensor]] for step in steps}
    return _left_by_a_walk([*reversed(steps), *starts], after)[::-1]


def scope(layer: str) -> str:
    """What the names of a layer's operations begin with in the exported graph, behind the name of the model."""
    return "".join(f"{part}_1/" for part in layer.split("/"))


def _name(step):
    return scope(step.layer)


def _has_weights(step):
    return any(constant.scales is not None for constant in step.constants)


def _left_by_a_walk(starts, after):
    """The steps in the order in which a walk leaves them that goes depth first, the last of several ways first."""
    entered, left = set(), []
    waiting = [(step, False) for step in starts]
    while waiting:
        step, leaving = waiting.pop()
        if leaving:
            left.append(step)
        elif step not in entered:
            entered.add(step)
            waiting += [(step, True), *((reader, False) for reader in after[step])]
    return left
