"""Several targets at once; RAM is cut only where it stands."""

import networks
import numpy as np
import pytest
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
@pytest.mark.parametrize("round_to", [1, 2])
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
