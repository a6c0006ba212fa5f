import keras
import networks
import numpy as np
import pytest

import firekeras
from inspector.state import Choices, Session, criteria, exports, open_document

COLUMN_OF_CRITERION = exports.COLUMNS.index("criterion")


def test_table_as_csv(session):
    lines = exports.table_text(session).splitlines()
    assert lines[0].split(",") == list(exports.COLUMNS) and len(lines) == len(session.rows) + 1
    first = dict(zip(exports.COLUMNS, lines[1].split(","), strict=False))
    assert first["layer"] == session.rows[0].name
    assert first["criterion"] == "fire" and float(first["mean_score"]) == session.rows[0].fire
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
    assert lines[0] == ["layer", "filter", "criterion", "score", "rank", "removed"] and lines[1][2] == "fire"
    assert len(lines) - 1 == sum(row.filters for row in session.rows)
    assert sum(int(line[-1]) for line in lines[1:]) == session.measured.preview.num_gone
    ranks = sorted(int(line[4]) for line in lines[1:] if line[4])
    assert ranks[0] == 1 and ranks[-1] == session.measured.ranked


def test_tables_have_the_same_columns_whatever_ranks_filters(session):
    by_fire = [text(session).splitlines() for text in (exports.table_text, exports.filters_text)]
    session.rank_by(criteria.known_at_once("l1", session.measured.profile))
    by_l1 = [text(session).splitlines() for text in (exports.table_text, exports.filters_text)]
    assert [lines[0] for lines in by_l1] == [lines[0] for lines in by_fire]
    assert by_l1[0][1].split(",")[COLUMN_OF_CRITERION] == by_l1[1][1].split(",")[2] == "l1"


def test_filters_that_go_under_a_cap_alone_have_a_rank(recurrent_files):
    session = Session()
    session.open(open_document(recurrent_files[0]))
    session.rank_by(criteria.known_at_once("l1", session.measured.profile))
    session.choose(Choices(ratio=0.6, caps={"gru": 0.5}))
    plan = session.measured.plan(session.choices)
    assert [session.measured.place("gru", k) for k in range(4)] == plan.ranks["gru"].tolist()
    assert len(plan.removed["gru"]) > 0 and plan.ranks["gru"].all() and session.measured.ranked == plan.ranked
    session.close()
