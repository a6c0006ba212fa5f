"""The graph of a network and numbers for its nodes, as Google's Model Explorer reads them.

The graph is a list of graphs with nodes and edges; node data belong to a graph by its id, and to nodes by theirs. See
https://github.com/google-ai-edge/model-explorer, its `graph_builder.py` and `node_data_builder.py`.
"""

from __future__ import annotations

import json
import math

from firekeras.atomic import write_text
from firekeras.channels.graph import ChannelGraph
from inspector.state import palette
from inspector.state.heatmap_image import scale_of
from inspector.state.session import Session

STOPS = (0, 0.25, 0.5, 0.75, 1)
OLD = "Its measurement is of an earlier release, which did not record the steps of the network. Measure it again (F5)."


def write(session: Session, graph, data):
    """Writes the graph, and the node data.

    Args:
        session: The `Session`; it must have a profile.
        graph: The path of the graph.
        data: The path of the node data.

    Raises:
        ValueError: If the profile does not say how the layers are connected.
    """
    name = session.need_document().name
    write_text(graph, json.dumps([graph_of(session.need_opened().graph, name)], indent=1))
    write_text(data, json.dumps({name: node_data(session)}, indent=1))


def graph_of(graph: ChannelGraph, name: str) -> dict:
    """The layers that the exported network computes, each a node, with the layers that it reads.

    Raises:
        ValueError: If the graph does not say how they are connected.
    """
    if graph.program is None:
        raise ValueError(OLD)
    made = dict.fromkeys(graph.program.inputs, "input")
    nodes = {"input": _node("input", "input", [])}
    for step in graph.program.steps:
        reads = [made[tensor] for tensor in step.reads if tensor in made and made[tensor] != step.layer]
        kind = graph.layers[step.layer].kind if step.layer in graph.layers else step.kind
        node = nodes.setdefault(step.layer, _node(step.layer, kind, []))
        known = [edge["sourceNodeId"] for edge in node["incomingEdges"]]
        node["incomingEdges"] += _edges([read for read in dict.fromkeys(reads) if read not in known], len(known))
        made.update(dict.fromkeys(step.makes, step.layer))
    return {"id": name, "nodes": list(nodes.values())}


def _node(name, kind, reads):
    *folders, own = name.split("/")
    return {"id": name, "label": f"{own} ({kind})", "namespace": "/".join(folders), "incomingEdges": _edges(reads, 0)}


def _edges(reads, first):
    return [
        {"sourceNodeId": read, "sourceNodeOutputId": "0", "targetNodeInputId": str(number)}
        for number, read in enumerate(reads, first)
    ]


def node_data(session: Session) -> dict:
    """The mean score of each layer as the colour and the number of its node."""
    scored = {row.name: {"value": row.fire} for row in session.rows if not math.isnan(row.fire)}
    low, high = scale_of(session)
    least, most = (end(v["value"] for v in scored.values()) if scored else 0.0 for end in (min, max))
    return {"results": scored, "gradient": [_stop(stop, least + stop * (most - least), low, high) for stop in STOPS]}


def _stop(stop, value, low, high):
    """The colour that the heatmap has for a value; stops lie between the least and the greatest value."""
    index = min(palette.STEPS - 1, max(0, int((value - low) / (high - low) * palette.STEPS)))
    return {"stop": stop, "bgColor": "#" + "".join(f"{part:02x}" for part in palette.FIRE[index].tolist())}
