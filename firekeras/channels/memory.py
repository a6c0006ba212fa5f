"""Remembers the traces of the last few models, so consecutive calls on one model trace it once.

A trace holds the structure of a network but no values of its weights: it stays valid while these change, and is
recomputed once anything that rules look at has been replaced by another object.
"""

from __future__ import annotations

import collections
import types
import weakref

import keras

from firekeras.channels.registry import known_rules
from firekeras.channels.walk import functional_graph
from firekeras.keras_models.internals import all_layers, operations_of

MODELS = 4
STRUCTURE = ("_nodes_by_depth", "_operations", "_inputs", "_outputs")  # of a functional model
PASSING = ("_inbound_nodes", "_outbound_nodes", "_losses", "_loss_ids", "_losses_override", "_called", "_metrics")

_remembered: collections.deque = collections.deque(maxlen=MODELS)


def remembered(model, trace_model):
    """The trace of a model: the remembered one if nothing has changed since, else a new one by `trace_model`."""
    state = _state_of(model)
    for known, before, trace in list(_remembered):
        if known() is model and _same(before, state):
            return trace
    trace = trace_model(model)
    _forget(model)
    _remembered.append((weakref.ref(model, _forget), state, trace))
    return trace


def _forget(gone):
    """Drops a model, or a dead reference to one."""
    for entry in list(_remembered):
        if entry[0] is gone or entry[0]() is gone:
            _remembered.remove(entry)


def _state_of(model) -> list:
    """Everything that a trace depends on: pairs of an object and its attributes, without a reference to the model."""
    layers = all_layers(model)
    operations = {id(layer): layer for layer in layers}
    for layer in layers:
        graph = functional_graph(layer)
        operations.update({id(op): op for op in (operations_of(graph) if graph is not None else ())})
    return [known_rules(), *((None if op is model else op, _attributes(op)) for op in operations.values())]


def _attributes(operation) -> dict:
    graph = functional_graph(operation)
    if graph is not None:  # what else a model holds changes as it is compiled and trained
        return {name: _parts(getattr(graph, name)) for name in STRUCTURE}
    found = vars(operation).items()
    return {name: _parts(value) for name, value in found if name not in PASSING and not name.startswith("_self_")}


def _parts(value) -> tuple:
    """A value's contents, which may be replaced inside it."""
    if isinstance(value, (list, tuple)):
        return (*value,)
    if isinstance(value, dict):
        return tuple(part for item in value.items() for part in (item[0], *_parts(item[1])))
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        return (value.__code__, value.__defaults__, *cells)
    return (value,)


def _same(before, now) -> bool:
    return (
        before[0] == now[0]
        and len(before) == len(now)
        and all(
            one is other and ours.keys() == theirs.keys() and all(map(_alike, ours.values(), theirs.values()))
            for (one, ours), (other, theirs) in zip(before[1:], now[1:], strict=True)
        )
    )


def _alike(parts, others) -> bool:
    """Whether values are the same objects; numbers and strings need only be equal."""
    return len(parts) == len(others) and all(map(_equal, parts, others))


def _equal(one, other) -> bool:
    if one is other:
        return True
    plain = (bool, int, float, str, tuple, keras.DTypePolicy)
    return type(one) is type(other) and isinstance(one, plain) and one == other
