"""Latency by a table: fitted, saved, attached to a graph, and refused if it is of another network or damaged."""

import dataclasses
import json
import math

import keras
import networks
import numpy as np
import pytest
from plans import graph_of

import firekeras
from firekeras.channels.costs import cost_without, costs_of_units, in_the_way
from firekeras.channels.latency_table import LatencyTable, LayerTimes, axes_of, macs_of, multiplying, numbers_in
from firekeras.channels.program import Term
from firekeras.export.layer_times import shrunk


def kept_of(graph):
    return [firekeras.channels.costs.kept_lengths(graph, gone) for gone in shrunk(graph)]


def table_of(graph, seconds, *, fixed=0.0, share=1.0, per_number=0.0, step=1):
    """A table of layers that take what a function of their name and widths says."""
    kept = kept_of(graph)
    widths = {layer.name: [[k[axis] for axis in axes_of(layer)] for k in kept] for layer in multiplying(graph)}
    macs = {layer.name: macs_of(layer) for layer in multiplying(graph)}
    layers = {n: LayerTimes(rows, [seconds(n, row) for row in rows], macs[n]) for n, rows in widths.items()}
    numbers = [numbers_in(graph, k) for k in kept]
    alone = np.sum([times.seconds for times in layers.values()], axis=0)
    whole = fixed + share * alone + per_number * np.array(numbers)
    return LatencyTable("a board", "LiteRT", 1, 1, layers, [], numbers, whole.tolist(), step)


def by_macs(name, widths):
    return 1e-6 * {"conv1": 1, "conv2": 5}.get(name, 0.1) * (1 + math.prod(widths))


@pytest.fixture(scope="module")
def graph():
    return graph_of(networks.two_convs)


@pytest.fixture(scope="module")
def table(graph):
    return table_of(graph, by_macs, fixed=1e-5, share=0.9, per_number=1e-9)


@pytest.fixture(scope="module")
def wide():
    x = inputs = keras.Input((6, 6, 3))
    for name, filters in (("conv1", 16), ("conv2", 40), ("conv3", 12)):
        x = keras.layers.Conv2D(filters, 3, padding="same", name=name)(x)
    return firekeras.channel_graph(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x)))


def test_a_table_gives_back_what_it_was_made_of(graph, table):
    timed = table.on(graph)
    gone = np.arange(graph.num_units) % 3 == 0
    kept = firekeras.channels.costs.kept_lengths(graph, gone)
    alone = sum(by_macs(layer.name, [kept[axis] for axis in axes_of(layer)]) for layer in multiplying(graph))
    expected = 1e-5 + 0.9 * alone + 1e-9 * numbers_in(graph, kept)
    assert cost_without(timed, "latency", gone) == pytest.approx(expected, rel=0.01)
    assert table.predict(graph) == pytest.approx(table.seconds[0], rel=0.01)
    assert in_the_way(timed, "latency", gone).startswith("conv2 ")
    assert graph.times == {} and firekeras.count_costs(graph).latency is None


def test_units_of_slow_layers_save_more(graph, table):
    saved = costs_of_units(table.on(graph), "latency")
    assert saved[graph.filters("conv1")].min() > saved[graph.filters("conv2")].min() > 0  # which conv2 reads


@pytest.mark.parametrize(("step", "narrow"), [(1, 0), (4, 0), (8, 4)])
def test_what_is_computed_at_a_time_is_found(wide, step, narrow):
    def stepped(name, widths):
        rounded = Term(1.0, (0,), (step,), narrow).of({0: widths[-1]})
        return by_macs(name, [*widths[:-1], rounded])

    table = table_of(wide, stepped).with_step(wide)
    assert (table.step, table.narrow) == (step, narrow) and table.error(wide) < 0.01
    assert table.notes(8) == []
    assert step == 1 or f"pass round_to={step}" in table.notes(1)[0]


def test_a_table_serves_what_pruning_made_of_the_network(graph, table):
    model = networks.two_convs()
    scores = firekeras.score_filters(model, "l1")
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3, latency=table)
    assert table.predict(firekeras.prune(model, plan)) == pytest.approx(plan.costs_after.latency)
    assert plan.costs_after.latency < plan.costs_before.latency and "latency, by the table" in plan.summary()


def test_a_table_is_saved_and_loaded(table, tmp_path):
    table.save(tmp_path / "t.json")
    assert LatencyTable.load(tmp_path / "t.json") == table
    assert repr(table).endswith("in LiteRT on a board>")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "firekeras.plan"}, "not a latency table: expected JSON with \"format\": 'firekeras.latency'"),
        ({"version": 9}, "of another version, 9; this firekeras reads version 1"),
        ({"seconds": [-1.0]}, r"expected float >= 0\.0 at seconds\[0\]"),
        ({"seconds": [1.0]}, "it has 1 times of networks, but 5 sizes of them"),
        (
            {"layers": {"conv1": {"widths": [[1]], "seconds": [1.0], "macs": []}}},
            "the points of layer 'conv1' do not belong",
        ),
        ({"layers": {"conv1": {"widths": [[0]], "seconds": []}}}, "expected int >= 1 at layers"),
        ({"step": 0}, "expected int >= 1 at step"),
        ({"numbers": None}, "at numbers"),
    ],
)
def test_damaged_files_are_refused(table, tmp_path, change, words):
    table.save(tmp_path / "t.json")
    fields = json.loads((tmp_path / "t.json").read_text())
    (tmp_path / "t.json").write_text(json.dumps({**fields, **change}))
    with pytest.raises(ValueError, match=words) as error:
        LatencyTable.load(tmp_path / "t.json")
    assert "\n" not in str(error.value)


def test_tables_of_other_networks_are_refused(graph, table):
    with pytest.raises(ValueError, match=r"of another network: (it|this one) lacks .*Measure again"):
        table.on(graph_of(networks.residual))
    first = dataclasses.replace(table.layers["conv1"], widths=[[1]] * len(table.seconds))
    narrow = dataclasses.replace(table, layers={**table.layers, "conv1": first})
    with pytest.raises(ValueError, match=r"layer 'conv1' has widths \[.*\], and was measured up to \[1\]"):
        narrow.on(graph)
    other = dataclasses.replace(table.layers["conv2"], macs=[7])
    with pytest.raises(ValueError, match="layer 'conv2' has kernels, strides or feature maps of another size"):
        dataclasses.replace(table, layers={**table.layers, "conv2": other}).on(graph)
