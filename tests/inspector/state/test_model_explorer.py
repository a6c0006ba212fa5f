import json
import math

import pytest

from inspector.state import model_explorer


def test_every_layer_with_a_score_colours_its_node(session, tmp_path):
    model_explorer.write(session, tmp_path / "graph.json", tmp_path / "nodes.json")
    (graph,) = json.loads((tmp_path / "graph.json").read_text())
    ((identity, data),) = json.loads((tmp_path / "nodes.json").read_text()).items()
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert identity == graph["id"] == "net.keras" and data["results"].keys() <= nodes.keys()
    scores = {row.name: row.fire for row in session.rows if not math.isnan(row.fire)}
    assert {name: result["value"] for name, result in data["results"].items()} == scores
    assert [stop["stop"] for stop in data["gradient"]] == [0, 0.25, 0.5, 0.75, 1]
    reads = {name: [edge["sourceNodeId"] for edge in node["incomingEdges"]] for name, node in nodes.items()}
    assert all(source in nodes for sources in reads.values() for source in sources)
    assert any(len(sources) == 2 for sources in reads.values())  # where branches are added
    assert sum(not sources for sources in reads.values()) == 1  # only the input reads nothing


def test_an_old_measurement_is_refused(session):
    session.opened.graph.program = None
    with pytest.raises(ValueError, match="Measure it again"):
        model_explorer.graph_of(session.opened.graph, "net")
