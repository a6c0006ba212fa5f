"""Timing the layers of a network one by one."""

import keras
import networks
import pytest
from fake_times import table_of
from plans import graph_of

import firekeras
from firekeras.channels import channel_graph
from firekeras.channels.costs import kept_lengths
from firekeras.channels.latency_table import axes_of
from firekeras.export import layer_times
from firekeras.export.layer_times import Timed, latency_table, shrunk


@pytest.mark.parametrize("build", [networks.two_convs, networks.siamese, networks.grouped])
def test_layers_are_timed_alone_at_several_widths(build, monkeypatch):
    model, graph = build(), graph_of(build)
    table = table_of(model, monkeypatch)
    costs = firekeras.count_costs(model)
    assert (table.device, table.runtime, table.batch_size, table.others) == ("here", "Keras (fake)", 1, [])
    for name, times in table.layers.items():
        assert times.seconds[0] == pytest.approx(1e-9 * costs.by_layer[name].macs), name
    assert table.predict(model) == pytest.approx(1e-5 + 1e-9 * costs.macs, rel=1e-3) and table.step == 1
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.3, latency=table)
    assert plan.costs_after.latency == pytest.approx(1e-5 + 1e-9 * plan.costs_after.macs, rel=0.02)
    assert firekeras.count_costs(graph) == costs


def test_equal_layers_are_timed_once():
    x = inputs = keras.Input((8, 8, 4))
    for dilation in (1, 1, 2):
        x = keras.layers.Conv2D(4, 3, padding="same", dilation_rate=dilation)(x)
    timed = Timed(channel_graph(keras.Model(inputs, x)))
    timed.add(keras.Model(inputs, x), kept_lengths(timed.graph))
    assert len(timed.models) == 2 + 2 and len(timed.calls[0]) == 3


def test_inputs_and_filters_change_apart_from_each_other():
    graph = graph_of(networks.two_convs)
    first, second = (graph.layers[name] for name in ("conv1", "conv2"))
    shares = [kept_lengths(graph, gone) for gone in shrunk(graph)]
    points = {tuple(kept[axis] for axis in axes_of(second)) for kept in shares}
    assert len(points) == len(shares) and axes_of(first)


def test_what_cannot_be_timed_is_refused():
    with pytest.raises(ValueError, match="runtime must be one of 'keras', 'litert', 'onnx'"):
        latency_table(networks.two_convs(), runtime="tflite")
    x = keras.Input((None, None, 3))
    model = keras.Model(x, keras.layers.Conv2D(4, 3)(x))
    with pytest.raises(ValueError, match=r"input is open, .*build it for the size"):
        latency_table(model)


def test_a_device_is_measured_in_litert(monkeypatch):
    monkeypatch.setattr(layer_times, "SHARES", ((1, 1),))
    x = keras.Input((16, 16, 8))
    model = keras.Model(x, keras.layers.Conv2D(32, 3, name="conv")(x))
    reached = []
    table = latency_table(model, runs=3, on_progress=lambda done, of: reached.append((done, of)))
    assert reached[-1] == (6, 6) and reached == sorted(set(reached)) and (3, 6) in reached  # 3 files, then 3 times
    assert table.runtime == "LiteRT" and table.threads == 1 and list(table.layers) == ["conv"]
    assert 0 < table.layers["conv"].seconds[0] < 2 * table.seconds[0] and table.predict(model) > 0
