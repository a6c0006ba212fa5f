from types import SimpleNamespace

import keras
import networks
import numpy as np
import pytest
from random_graphs import random_graph

import firekeras
from firekeras.channels.graph import ChannelGraph, LayerInfo, Product
from firekeras.costs import costs_without
from inspector import exports
from inspector.choices import Choices
from inspector.comparison import Comparison, Mode
from inspector.documents import open_document
from inspector.session import CELL, CHOICES, DOCUMENT, Session
from inspector.totals import totals


def test_an_empty_session_takes_choices():
    session = Session()
    session.choose(Choices(ratio=0.5))
    assert session.preview is None and session.rows == []


def test_the_totals_say_which_layers_they_leave_out():
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    hidden = LayerInfo("block", "Block", (None, 4, 4, 1), None, (Product(9),), (), False, uncounted=True)
    graph = ChannelGraph([*graph.layers.values(), hidden], graph.axes, graph.locks)
    session = SimpleNamespace(graph=graph, costs=costs_without(graph), preview=None)
    assert [total.title for total in totals(session)] == ["All (MACs without block)", "Conv"]


def test_opening_tells_the_views(files):
    told, session = [], Session()
    for what in (DOCUMENT, CHOICES, CELL):
        session.listen(what, lambda what=what: told.append(what))
    session.open(open_document(files[0]))
    assert told == [DOCUMENT, CHOICES, CELL]
    assert [row.name for row in session.rows] == session.profile.graph.filter_layers
    session.document.weights.close()


def test_a_cap_is_for_all_layers_that_lose_filters_together(session):
    group = next(group for group in session.planner.graph.groups if len(group) > 1)
    choices = session.with_caps([group[-1]], 0.25)
    assert choices.caps == dict.fromkeys(group, 0.25)
    assert session.with_locks(group[:1], True).locked == frozenset(group)
    row = session.rows[session.row_of(group[0])]
    assert set(row.partners) == set(group) - {group[0]}


def test_caps_hold_in_the_preview(session):
    free = [row.name for row in session.rows if not row.locked]
    session.choose(session.with_caps(free, 0.25).with_ratio(0.9))
    for name in free:
        width = session.planner.widths[name]
        assert width - session.preview.widths[name] <= 0.25 * width
    session.choose(session.with_locks(free, True))
    assert session.preview.num_gone == 0


def test_every_filter_and_every_layer_says_why(session):
    session.choose(session.with_caps([next(r.name for r in session.rows if not r.locked)], 0.0))
    for row in session.rows:
        assert session.why_layer(row.name).startswith(f"{row.name} keeps ")
        for filter in range(row.filters):
            goes = "goes" if session.gone(row.name, filter) else "stays"
            assert session.why_filter(row.name, filter).startswith(f"Filter {filter} of {row.name} {goes}: ")
    locked = [row for row in session.rows if row.locked]
    assert locked and all(row.locked in session.why_layer(row.name) for row in locked)


def test_rows_that_cannot_lose_anything_are_those_without_a_place(session):
    for row in session.rows:
        places = [session.place(row.name, filter) for filter in range(row.filters)]
        assert bool(row.locked) == (not any(places))


def test_a_readout_names_the_filter_and_its_number(session):
    row = next(row for row in session.rows if not row.locked)
    line = session.readout(row.name, 0)
    assert line.startswith(f"{row.name}, filter 0: FIRE {session.profile[row.name][0]:.3f}, rank ")


def test_pointing_tells_once(session):
    told = []
    session.listen(CELL, lambda: told.append(session.layer))
    for _ in range(2):
        session.point_at(session.rows[0].name, 1)
    assert told == [session.rows[0].name]


def test_table_as_csv(session):
    lines = exports.table_text(session).splitlines()
    assert lines[0].split(",") == list(exports.COLUMNS) and len(lines) == len(session.rows) + 1
    first = dict(zip(exports.COLUMNS, lines[1].split(","), strict=False))
    assert first["layer"] == session.rows[0].name
    assert int(first["filters_after"]) == session.preview.widths[first["layer"]]
    after = session.preview.costs.by_layer[first["layer"]]
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


def test_netron_is_not_told_a_name_that_two_layers_could_have():
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
    assert totals["conv MACs"] == session.planner.costs.conv_macs
    assert totals["parameters after"] == session.preview.costs.params
    assert len({(m["kind"], m["target"], m["name"]) for m in attachment["metrics"]}) == len(attachment["metrics"])
    fire = {m["target"]: m["value"] for m in attachment["metrics"] if m["name"] == "FIRE, mean"}
    scored = next(name for name, f in session.profile.items() if np.isfinite(f).all())
    assert fire[scored] == pytest.approx(session.profile[scored].mean())


# before and after


def test_the_same_network_is_compared_filter_by_filter(session):
    comparison = Comparison.of(session.profile, session.profile, "itself")
    assert not comparison.by_rank and comparison.filter_after(session.rows[0].name, 1) == 1
    np.testing.assert_array_equal(comparison.fire, session.planner.fire)


class Smaller(dict):
    """A profile of a network that lost filters."""

    def __init__(self, fire, widths):
        super().__init__(fire)
        self.graph = type("Graph", (), {"widths": widths})
        self.maps = {}


def test_known_filters_keep_their_places_and_gone_ones_have_no_number(session):
    row = next(row for row in session.rows if not row.locked)
    kept = np.delete(session.profile[row.name], 1)
    widths = {**session.planner.widths, row.name: row.filters - 1}
    later = Smaller({**session.profile, row.name: kept}, widths)
    comparison = Comparison.of(session.profile, later, "later", {row.name: np.array([1])})
    assert comparison.filter_after(row.name, 0) == 0 and comparison.filter_after(row.name, 2) == 1
    assert comparison.filter_after(row.name, 1) is None
    start = session.planner.starts[session.row_of(row.name)]
    np.testing.assert_array_equal(
        comparison.fire[start : start + row.filters][[0, 2]], session.profile[row.name][[0, 2]]
    )


def test_unknown_filters_are_compared_by_rank_and_that_is_said(session):
    row = next(row for row in session.rows if not row.locked)
    widths = {**session.planner.widths, row.name: row.filters - 2}
    comparison = Comparison.of_widths(session.profile, widths, "round 3")
    assert comparison.by_rank == (row.name,) and "does not say which" in comparison.note
    start = session.planner.starts[session.row_of(row.name)]
    fire = comparison.fire[start : start + row.filters]
    kept = np.sort(session.profile[row.name])[: row.filters - 2]
    np.testing.assert_array_equal(np.sort(fire[np.isfinite(fire)]), kept)


def test_another_network_is_not_compared(session):
    with pytest.raises(ValueError, match="do not agree on layer 'other'"):
        Comparison.of_widths(session.profile, {**session.planner.widths, "other": 3}, "later")


def test_modes_are_kept(session):
    session.compare(None, Mode.SPLIT)
    assert session.mode is Mode.SPLIT and session.comparison is None
