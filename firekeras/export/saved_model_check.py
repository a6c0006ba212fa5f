"""Whether the SavedModel of a stranger does anything but compute: its graph is read as data, before it is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firekeras.export.harmless import SAVING, TENSORFLOW
from firekeras.paths import open_regular

GRAPH = "saved_model.pb"
OTHER_GRAPHS = ("saved_model.pbtxt", "saved_model.cpb")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
FLOOR, EXPANSION = 64 * 2**20, 20  # constants may take up the floor, and so many times the graph's file


def why_untrusted(path: Path) -> str | None:
    """Why a SavedModel may do more than compute; None if it only computes.

    Its functions that save and restore weights are allowed if nothing else refers to them: they are never called.

    Args:
        path: Its folder.

    Raises:
        ValueError: If it cannot be read.
    """
    graphs, size = _parsed(path)
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        return "it is of TensorFlow 1, which runs operations of its own while it is loaded"
    return _misplaced(path) or _foreign(graphs[0]) or _too_large(graphs[0], size)


def _parsed(path):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        with open_regular(path / GRAPH) as file:
            content = file.read()
        saved.ParseFromString(content)
    except Exception as error:  # of protobuf, whose errors share no base class
        raise ValueError(f"{path} is not a SavedModel: its {GRAPH} cannot be read ({error}).") from error
    return list(saved.meta_graphs), len(content)


def _misplaced(path):
    if any((path / other).exists() for other in OTHER_GRAPHS):
        return f"it has another graph beside {GRAPH}"
    strange = next((one for one in sorted(path.rglob("*")) if not one.is_file() and not one.is_dir()), None)
    return f"{strange} is not a file" if strange else None


def _foreign(meta):
    """The first operation that is not known to compute only, and where it is."""
    savers = _saver_functions(meta)
    for place, node in _nodes(meta):
        allowed = TENSORFLOW | SAVING if place in savers else TENSORFLOW
        if node.op not in allowed:
            return f"its graph has the operation {node.op!r} ({node.name}), which may do more than compute"
    return None


def _nodes(meta) -> Iterator[tuple[str, Any]]:
    """Yields (function, node); the function of the graph itself is empty."""
    yield from (("", node) for node in meta.graph_def.node)
    for function in meta.graph_def.library.function:
        yield from ((function.signature.name, node) for node in function.node_def)


def _saver_functions(meta) -> set[str]:
    """The functions that save and restore weights, and that nothing else can call."""
    saver = {_owner(name) for name in (meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name)} - {""}
    calls = [node for node in meta.graph_def.node if node.name in saver and node.op in CALLS]
    functions = {node.attr["f"].func.name for node in calls}
    return functions - _called(meta, saver)


def _called(meta, saver) -> set[str]:
    """The functions that anything but the saver refers to; those that it calls, if anything takes its results."""
    named = {name for place, node in _nodes(meta) if place or node.name not in saver for name in _functions_of(node)}
    for one in meta.object_graph_def.nodes:
        named |= {*one.function.concrete_functions, one.bare_concrete_function.concrete_function_name}
    named |= set(meta.object_graph_def.concrete_functions)
    used = {_owner(name) for node in meta.graph_def.node for name in node.input}
    for signature in meta.signature_def.values():
        used |= {_owner(one.name) for side in (signature.inputs, signature.outputs) for one in side.values()}
    taken = [node for node in meta.graph_def.node if node.name in saver & used]
    return named | {name for node in taken for name in _functions_of(node)}


def _functions_of(node) -> Iterator[str]:
    for value in node.attr.values():
        yield from (function.name for function in (value.func, *value.list.func) if function.name)


def _owner(tensor) -> str:
    """The node of a tensor, as inputs name it: `^node`, `node`, `node:1`."""
    return tensor.removeprefix("^").split(":")[0]


def _too_large(meta, size):
    """Constants may declare a shape and hold a single value."""
    tensors = [value.tensor for _, node in _nodes(meta) for value in node.attr.values() if value.HasField("tensor")]
    declared = sum(math.prod(dim.size for dim in tensor.tensor_shape.dim) for tensor in tensors)
    if declared > FLOOR + EXPANSION * size:
        return f"its constants declare {declared:,} values, and its {GRAPH} has {size:,} bytes"
    return None
