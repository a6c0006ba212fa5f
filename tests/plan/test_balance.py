"""Balance: no layer is starved, the order within a layer stays, and plans say what ranked them."""

import subprocess
import sys

import networks
import numpy as np
import pytest
from plans import graph_of, removed, scores_of

import firekeras
from firekeras.plan.balance import balanced


def starving():
    """All of conv2's filters score above all of conv1's."""
    graph = graph_of()
    return graph, scores_of(graph, {"conv1": np.arange(8.0), "conv2": 100 + np.arange(11.0)})


def test_places_by_hand():
    graph = graph_of(lambda: networks.two_convs(2, 4))
    scores = scores_of(graph, {"conv1": [1.0, 2.0], "conv2": [3.0, 4.0, 5.0, 6.0]})
    across, within = balanced(scores, graph, 0.0), balanced(scores, graph, 1.0)
    np.testing.assert_allclose(across["conv1"], [0.5 / 6, 1.5 / 6])
    np.testing.assert_allclose(across["conv2"], [2.5 / 6, 3.5 / 6, 4.5 / 6, 5.5 / 6])
    np.testing.assert_allclose(within["conv1"], [0.25, 0.75])
    np.testing.assert_allclose(within["conv2"], [0.125, 0.375, 0.625, 0.875])
    both = balanced(scores, graph, 0.25)
    for name in ("conv1", "conv2"):
        np.testing.assert_allclose(both[name], 0.75 * across[name] + 0.25 * within[name])


def test_without_weight_the_order_is_that_of_the_scores():
    graph, scores = starving()
    assert removed(graph, scores, 0.4) == removed(graph, balanced(scores, graph, 0.0), 0.4) == {"conv2": 8}


def test_with_all_weight_every_layer_loses_the_same_share():
    graph, scores = starving()
    assert removed(graph, balanced(scores, graph, 1.0), 0.4) == {"conv1": 3, "conv2": 5}


def test_in_between_a_layer_that_scores_higher_loses_more_but_is_not_starved():
    graph, scores = starving()
    gone = removed(graph, balanced(scores, graph), 0.4)
    assert 3 > gone["conv1"] >= 1 and 5 < gone["conv2"] < 8


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_the_order_within_a_layer_stays(weight):
    graph = graph_of(networks.residual)
    rng = np.random.default_rng(0)
    scores = scores_of(graph, {name: rng.normal(size=width) for name, width in graph.widths.items()})
    found = balanced(scores, graph, weight)
    for name in ("a1", "b1"):
        np.testing.assert_array_equal(np.argsort(found[name]), np.argsort(scores[name]))
    coupled = (scores["stem"] + scores["a2"]) / 2
    np.testing.assert_array_equal(np.argsort(found["stem"]), np.argsort(coupled))
    np.testing.assert_array_equal(found["stem"], found["a2"])


def test_equal_scores_stay_equal_and_small_norms_go_first_among_them():
    graph = graph_of()
    norms = {"conv1": np.arange(8.0)[::-1], "conv2": 10 + np.arange(11.0), "logits": np.ones(3)}
    found = balanced(scores_of(graph, {}, l1=norms), graph, 1.0)
    assert len(set(found["conv1"])) == 1
    plan = firekeras.plan_pruning(graph, found, pruning_ratio=1 / 19)
    assert {name: filters.tolist() for name, filters in plan.removed.items()} == {"conv1": [7]}


def test_what_has_no_score_or_may_not_go_has_no_place_and_keeps_its_reason():
    graph = graph_of()
    values = {"conv1": [np.nan, *range(7)], "logits": [9.0, 9.0, 9.0]}
    found = balanced(scores_of(graph, values, reasons={"conv1": "is out of reach"}), graph)
    assert np.isnan(found["conv1"][0]) and np.isnan(found["logits"]).all()
    plan = firekeras.plan_pruning(graph, found, pruning_ratio=0.2)
    assert (
        plan.explain("conv1", 0)
        == "Filter 0 of conv1 stays: it has no balanced mine score, since in conv1 is out of reach."
    )
    assert "it is part of the model's output" in plan.explain("logits", 0)
    assert plan.ranked == 18


def test_a_plan_says_that_it_is_balanced():
    graph, scores = starving()
    plan = firekeras.plan_pruning(graph, balanced(scores, graph), pruning_ratio=0.2)
    assert plan.criterion == "balanced mine"
    assert "its balanced mine score of 0.9" in plan.explain("conv2", 10)


def test_the_scores_given_are_left_alone():
    graph, scores = starving()
    before = {name: values.copy() for name, values in scores.items()}
    balanced(scores, graph)
    assert all((scores[name] == values).all() for name, values in before.items())


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_weights_out_of_range_are_refused(weight):
    graph, scores = starving()
    with pytest.raises(ValueError, match="from 0 to 1"):
        balanced(scores, graph, weight)


def test_balance_needs_no_keras():
    code = "import sys, firekeras.plan.balance; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
