import keras
import networks
import numpy as np
import pytest

import firekeras
from inspector.state import exports


def test_table_as_csv(session):
    lines = exports.table_text(session).splitlines()
    assert lines[0].split(",") == list(exports.COLUMNS) and len(lines) == len(session.rows) + 1
    first = dict(zip(exports.COLUMNS, lines[1].split(","), strict=False))
    assert first["layer"] == session.rows[0].name
    assert int(first["filters_after"]) == session.measured.preview.widths[first["layer"]]
    after = session.measured.preview.costs.by_layer[first["layer"]]
    assert float(first["macs_change"]) == (after.macs - int(first["macs"])) / int(first["macs"])
    assert float(first["params_change"]) == (after.params - int(first["params"])) / int(first["params"])


def test_netron_finds_layers_by_the_names_that_it_gives_them():
    """As Netron 9.3.3 names the nodes of `.keras` files; its own reader showed each layer's numbers."""
    graph = firekeras.channel_graph(networks.nested())
    assert exports.netron_names(graph, "backbone/conv1") == ["backbone/conv1"]
    graph = firekeras.channel_graph(networks.mobile())
    assert exports.netron_names(graph, "separable") == ["separable"]
    graph = firekeras.channel_graph(networks.siamese())
    assert exports.netron_names(graph, "logits") == ["logits"]
    assert exports.netron_names(graph, "shared") == ["shared", "shared[0]", "shared[1]"]
    assert set(exports.netron_names(graph, "tower/deep")) >= {"tower/deep", "deep"}


def test_netron_gets_no_name_that_two_layers_could_have():
    left, right, inside = (keras.Input((8, 8, 3)) for _ in range(3))
    tower = keras.Model(inside, keras.layers.Conv2D(4, 3, name="conv")(inside), name="tower")
    joined = keras.layers.Concatenate()([tower(left), tower(right)])
    outputs = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, name="conv")(joined))
    graph = firekeras.channel_graph(keras.Model([left, right], outputs))
    assert exports.netron_names(graph, "conv") == ["conv"]
    assert exports.netron_names(graph, "tower/conv") == ["tower/conv", "tower/conv[0]", "tower/conv[1]"]


def test_netron_reads_the_attachment(session):
    attachment = exports.netron_attachment(session)
    assert attachment["signature"] == "netron:attachment" and attachment["metadata"] == []
    types = {"int64": int, "float64": float}
    for metric in attachment["metrics"]:
        assert list(metric) == ["kind", "target", "name", "value", "type"]
        assert type(metric["value"]) is types[metric["type"]] and metric["kind"] in ("node", "model")
    names = {row.name for row in session.rows}
    layers = [m for m in attachment["metrics"] if m["kind"] == "node"]
    assert {m["target"] for m in layers} == names
    totals = {m["name"]: m["value"] for m in attachment["metrics"] if (m["kind"], m["target"]) == ("model", "")}
    assert totals["conv MACs"] == session.opened.costs.conv_macs
    assert totals["parameters after"] == session.measured.preview.costs.params
    assert len({(m["kind"], m["target"], m["name"]) for m in attachment["metrics"]}) == len(attachment["metrics"])
    fire = {m["target"]: m["value"] for m in attachment["metrics"] if m["name"] == "FIRE, mean"}
    scored = next(name for name, f in session.measured.profile.items() if np.isfinite(f).all())
    assert fire[scored] == pytest.approx(session.measured.profile[scored].mean())


def test_filters_as_csv(session):
    lines = [line.split(",") for line in exports.filters_text(session).splitlines()]
    assert lines[0] == ["layer", "filter", "fire", "rank", "removed"]
    assert len(lines) - 1 == sum(row.filters for row in session.rows)
    assert sum(int(line[-1]) for line in lines[1:]) == session.measured.preview.num_gone
    ranks = sorted(int(line[3]) for line in lines[1:] if line[3])
    assert ranks[0] == 1 and ranks[-1] == session.measured.planner.ranked
