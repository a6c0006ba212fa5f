"""Several targets at once; RAM is cut only where it stands."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from plans import graph_of

import firekeras
from firekeras.scores.profile import FilterScores


def scores_for(graph):
    rng = np.random.default_rng(0)
    return FilterScores({name: rng.random(width) for name, width in graph.widths.items()}, criterion="drawn")


def plan_for(graph, target, **limits):
    return firekeras.plan_pruning(graph, scores_for(graph), target=target, **limits)


@pytest.mark.parametrize("build", [networks.plain_cnn, networks.residual, networks.mobile])
@pytest.mark.parametrize(
    "target", [{"ram": 0.7}, {"flash": 0.9}, {"ram": 0.7, "flash": 0.9}, {"params": 0.6, "ram": 0.8, "macs": 0.5}]
)
@pytest.mark.parametrize("round_to", [1, 2, 4])
def test_all_are_reached(build, target, round_to):
    graph = graph_of(build)
    plan = plan_for(graph, target, round_to=round_to)
    for measure, share in target.items():
        assert getattr(plan.costs_after, measure) <= share * getattr(plan.costs_before, measure)
    assert plan.costs_after == firekeras.channels.costs.costs_without(graph, graph.units_of(plan.removed))


def test_ram_is_cut_where_its_peak_stands():
    graph = graph_of(networks.plain_cnn)
    plan = plan_for(graph, {"ram": 0.9})
    first = graph.filter_layers[0]
    assert first in plan.removed and len(plan.removed) < len(graph.filter_layers)
    saves = plan.explain(graph.filter_layers[-2], 0)
    assert "would save no int8 RAM" in saves or "must" in saves or "others go before it" in saves


def two_stages():
    """Two residual blocks; where half the filters of the first are gone, all buffers of both are equally large."""

    def conv(x, filters, size, strides, name):
        x = L.Conv2D(filters, size, strides=strides, padding="same", name=name)(x)
        return L.ReLU()(x) if size > 1 else x

    i = L.Input((8, 8, 3))
    x = conv(i, 16, 3, 1, "stem")
    x = L.Add()([x, conv(conv(x, 16, 3, 1, "a1"), 16, 3, 1, "a2")])
    x = L.Add()([conv(x, 32, 1, 2, "shortcut"), conv(conv(x, 32, 3, 2, "b1"), 32, 3, 1, "b2")])
    x = conv(x, 64, 3, 2, "c")
    return keras.Model(i, L.Dense(4)(L.GlobalAveragePooling2D()(x)))


def test_where_only_the_way_that_buffers_are_laid_is_in_the_way_little_more_goes():
    """Three buffers of 1,024 bytes; halved they are as large as those behind them, and the planner wastes a place."""
    graph = graph_of(two_stages)
    halved = {"stem": 0.5, "a1": 0.5, "a2": 0.5, "shortcut": 0, "b1": 0, "b2": 0, "c": 0, "dense": 0}
    only_first = firekeras.plan_pruning(graph, scores_for(graph), pruning_ratio=0.9, layer_caps=halved, max_cut=1.0)
    assert only_first.costs_before.ram == 3 * 16 * 64 and only_first.costs_after.ram == 4 * 8 * 64
    plan = plan_for(graph, {"ram": 0.5})
    lost = {name: len(filters) for name, filters in plan.removed.items()}
    assert plan.costs_after.ram == 3 * 8 * 64 and lost["stem"] == lost["a1"] == lost["a2"] == 8
    assert sum(lost.values()) - 3 * 8 <= 3 and "c" not in lost


def test_a_later_cut_that_does_the_work_of_an_earlier_one_gives_its_filters_back():
    graph = graph_of(two_stages)
    for share in (0.9, 0.7, 0.4, 0.3):
        plan = plan_for(graph, {"ram": share})
        for name in plan.removed:
            units = np.unique(graph.units_of({name: plan.removed[name]}).nonzero()[0])
            back = graph.units_of(plan.removed)
            back[units[-1]] = False  # any one of them
            costs = firekeras.channels.costs.costs_without(graph, back)
            assert costs.ram > share * plan.costs_before.ram


def test_amounts_are_bytes():
    graph = graph_of(networks.residual)
    before = firekeras.count_costs(graph)
    plan = plan_for(graph, {"ram": before.ram - 16, "flash": f"{before.flash - 64} B"})
    assert plan.costs_after.ram <= before.ram - 16 and plan.costs_after.flash <= before.flash - 64


def test_a_target_that_holds_already_removes_nothing():
    graph = graph_of(networks.residual)
    assert plan_for(graph, {"ram": 10**9, "macs": 1.0}).num_removed == 0


def test_out_of_reach_says_what_can_be_had_and_where_it_stands():
    graph = graph_of(networks.residual)
    with pytest.raises(
        ValueError, match=r"the least is ram=[\d,]+ B \(the peak stands at \w+\), flash=[\d,]+ B \(\w+ has"
    ):
        plan_for(graph, {"ram": 101, "flash": 101, "macs": 0.9})
    with pytest.raises(ValueError, match=r"the least is ram=0\.\d+ \(the peak stands at"):
        plan_for(graph, {"ram": 0.001})


def test_a_graph_of_an_earlier_release_says_what_to_do():
    graph = graph_of(networks.residual)
    graph.program = None
    with pytest.raises(ValueError, match=r"RAM of this network is unknown.*Measure the model again"):
        plan_for(graph, {"ram": 0.5})
