"""Whether the ONNX file of a stranger does anything but compute: it is read as data, before it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firekeras.export.formats.format import in_one_sentence, needed
from firekeras.export.harmless import MICROSOFT, ONNX_DOMAINS, ONNX_RUNTIME


def why_untrusted(path: Path) -> str | None:
    """Why an ONNX file may do more than compute; None if it only computes.

    Args:
        path: The file.

    Raises:
        ValueError: If it cannot be read.
    """
    onnx = needed("onnx")
    with in_one_sentence(f"{path} is not an .onnx file, or is truncated"):
        model = onnx.load(str(path), load_external_data=False)
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if (node.domain, node.op_type) not in own and not _computes(node):
            return f"it has the operation {node.domain}.{node.op_type} ({node.name}), which may do more than compute"
    return next(filter(None, (_elsewhere(path, tensor) for tensor in _tensors(model, onnx.TensorProto.EXTERNAL))), None)


def _computes(node):
    return node.domain in ONNX_DOMAINS or (node.domain == MICROSOFT and node.op_type in ONNX_RUNTIME)


def _nodes(model) -> Iterator[Any]:
    """All nodes, also those of functions, branches and loops."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [inner for graph in _graphs(node) for inner in graph.node]


def _graphs(node):
    return [graph for one in node.attribute for graph in (one.g, *one.graphs) if graph.node or graph.initializer]


def _tensors(model, external) -> Iterator[Any]:
    """All tensors that lie in other files."""
    nodes = list(_nodes(model))
    graphs = [model.graph, *(graph for node in nodes for graph in _graphs(node))]
    of_graphs = [one for graph in graphs for one in graph.initializer]
    sparse = [part for graph in graphs for one in graph.sparse_initializer for part in (one.values, one.indices)]
    attributes = [one for node in nodes for one in node.attribute]
    of_nodes = [tensor for one in attributes for tensor in (one.t, *one.tensors)]
    of_nodes += [
        part for one in attributes for s in (one.sparse_tensor, *one.sparse_tensors) for part in (s.values, s.indices)
    ]
    return (one for one in (*of_graphs, *sparse, *of_nodes) if one.data_location == external)


def _elsewhere(path, tensor):
    """Numbers may lie in a file beside it, as exporters write large models."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    beside = path.parent / location
    if (
        not location
        or Path(location).name != location
        or "\\" in location
        or beside.is_symlink()
        or not beside.is_file()
    ):
        return f"its tensor {tensor.name!r} takes its numbers from {location!r}, which is not a file beside it"
    return None
