"""MACs in the ranking: what goes with a filter is counted to the digit, and breaks ties between layers."""

import networks
import numpy as np
import pytest
from plans import graph_of, removed, scores_of

import firekeras
from firekeras.channels.costs import costs_of_units, costs_without
from firekeras.plan.favouring_macs import favouring_macs


@pytest.mark.parametrize("build", [networks.two_convs, networks.residual, networks.branches, networks.mobile])
def test_what_goes_with_a_unit_is_what_it_saves(build):
    graph = graph_of(build)
    found, before = costs_of_units(graph, "macs"), costs_without(graph).macs
    for unit in range(0, graph.num_units, 5):
        assert found[unit] == before - costs_without(graph, np.arange(graph.num_units) == unit).macs


def test_of_layers_with_equal_scores_the_costliest_loses_filters():
    graph = graph_of()
    alike = scores_of(graph, {})
    costly = int(np.argmax(costs_of_units(graph, "macs")[[graph.filters(name)[0] for name in ("conv1", "conv2")]]))
    assert removed(graph, favouring_macs(alike, graph), 0.2) == {("conv1", "conv2")[costly]: 4}


def test_by_hand():
    graph = graph_of(lambda: networks.two_convs(2, 4))
    scores = scores_of(graph, {"conv1": [1.0, 2.0], "conv2": [3.0, 4.0, 5.0, 6.0]})
    by_macs = favouring_macs(scores, graph, 1.0)
    np.testing.assert_allclose(by_macs["conv1"], [4.5 / 6 + 0.5 / 6] * 2)  # the fifth and sixth, in the middle
    np.testing.assert_allclose(by_macs["conv2"], [2 / 6] * 4)
    np.testing.assert_allclose(favouring_macs(scores, graph, 0.0)["conv2"], [2.5 / 6, 3.5 / 6, 4.5 / 6, 5.5 / 6])
    half = favouring_macs(scores, graph, 0.5)
    np.testing.assert_allclose(half["conv2"], (by_macs["conv2"] + [2.5 / 6, 3.5 / 6, 4.5 / 6, 5.5 / 6]) / 2)
    assert half.criterion == "mine and MACs"


def test_what_may_not_go_has_no_place():
    graph = graph_of()
    found = favouring_macs(scores_of(graph, {"conv1": [np.nan, *range(7)]}), graph)
    assert np.isnan(found["conv1"][0]) and np.isnan(found["logits"]).all() and np.isfinite(found["conv2"]).all()


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_weights_out_of_range_are_refused(weight):
    graph = graph_of()
    with pytest.raises(ValueError, match="from 0 to 1"):
        favouring_macs(scores_of(graph, {}), graph, weight)


def test_a_run_weighs_its_scores():
    model = networks.two_convs()
    model.compile("sgd", "mse", metrics=["accuracy"])
    data = np.zeros((4, 8, 8, 3), "float32"), np.zeros((4, 3), "float32")
    scores = scores_of(firekeras.channel_graph(model), {"conv1": np.arange(8.0), "conv2": 100 + np.arange(11.0)})

    def planned(**settings):
        run = firekeras.compression_rounds(model, data, (data[0] + 1, data[1]), pruning_ratio=0.4, **settings)
        return run.plan(model, scores)

    alone = planned(balance=0.0, max_cut=1.0)
    assert alone.criterion == "mine" and set(alone.removed) == {"conv2"}
    assert set(planned().removed) == {"conv1", "conv2"}  # within layers, by default
    both = planned(favour_macs=0.5)
    assert both.criterion == "mine and MACs" and set(both.removed) == {"conv1", "conv2"}
    for name in ("balance", "favour_macs"):
        with pytest.raises(ValueError, match=rf"{name} must be a share, from 0 to 1\. Received: 1\.5"):
            planned(**{name: 1.5})
