"""Norms in the ranking: places by hand, dead filters first, layers coupled and not, and what lacks a norm."""

import networks
import numpy as np
import pytest
from test_balance import graph_of

import firekeras
from firekeras.plan.norms import with_norms
from firekeras.profile import FilterScores

NAN = float("nan")


def scores_of(graph, values, norms=None, criterion="fire", **settings):
    """Scores and norms of all layers: those given, else zeros and ones."""
    scores = {name: np.zeros(width) for name, width in graph.widths.items()}
    l1 = {name: np.ones(width) for name, width in graph.widths.items()}
    return FilterScores({**scores, **values}, criterion=criterion, l1={**l1, **(norms or {})}, **settings)


def small():
    return graph_of(lambda: networks.two_convs(2, 4))


def test_by_hand():
    graph = small()
    values = {"conv1": [0.1, 0.2], "conv2": [0.3, 0.4, 0.5, 0.6]}
    norms = {"conv1": [7.0, 9.0], "conv2": [1.0, 4.0, 3.0, 2.0]}
    found = with_norms(scores_of(graph, values, norms), graph)
    np.testing.assert_allclose(found["conv1"], [(0.25 + 0.75) / 2, (0.75 + 0.25) / 2])
    by_fire, by_norm = np.array([1, 3, 5, 7]) / 8, np.array([7, 1, 3, 5]) / 8
    np.testing.assert_allclose(found["conv2"], (by_fire + by_norm) / 2)
    np.testing.assert_allclose(
        with_norms(scores_of(graph, values, norms), graph, 0.25)["conv2"], 0.75 * by_fire + 0.25 * by_norm
    )
    np.testing.assert_allclose(with_norms(scores_of(graph, values, norms), graph, 1.0)["conv2"], by_norm)
    assert found.criterion == "fire and l1" and found.l1["conv2"].tolist() == norms["conv2"]


def test_without_weight_the_scores_are_given_back():
    graph = small()
    scores = scores_of(graph, {})
    assert with_norms(scores, graph, 0.0) is scores


@pytest.mark.parametrize("criterion", ["fire", "fire_predicted"])
def test_filters_that_never_fire_go_before_all_others_of_their_layer(criterion):
    graph = small()
    scores = scores_of(graph, {"conv2": [1.0, 0.999, 0.5, 1.0]}, {"conv2": [9.0, 1.0, 2.0, 8.0]}, criterion)
    found = with_norms(scores, graph, 0.9)
    assert np.argsort(-found["conv2"]).tolist() == [3, 0, 1, 2]
    plan = firekeras.plan_pruning(graph, found, pruning_ratio=0.34, layer_caps={"conv1": 0})
    assert plan.removed["conv2"].tolist() == [0, 3]


def test_one_is_nothing_special_among_other_scores():
    graph = small()
    scores = scores_of(graph, {"conv2": [1.0, 0.9, 0.5, 0.4]}, {"conv2": [9.0, 1.0, 2.0, 8.0]}, "mine")
    assert np.argmax(with_norms(scores, graph, 0.9)["conv2"]) == 1


def test_coupled_layers_are_one_by_their_mean_scores_and_norms():
    graph = graph_of(networks.residual)
    rng = np.random.default_rng(0)
    values, norms = ({name: rng.uniform(size=w) for name, w in graph.widths.items()} for _ in range(2))
    found = with_norms(scores_of(graph, values, norms), graph, 1.0)
    np.testing.assert_array_equal(found["stem"], found["a2"])
    np.testing.assert_array_equal(np.argsort(-found["stem"]), np.argsort(norms["stem"] + norms["a2"]))


def test_what_has_no_score_or_may_not_go_has_none_and_keeps_its_reason():
    graph = graph_of()
    scores = scores_of(graph, {"conv1": [NAN, *range(7)]}, reasons={"conv1": "is out of reach"})
    found = with_norms(scores, graph)
    assert np.isnan(found["conv1"][0]) and np.isfinite(found["conv1"][1:]).all() and np.isnan(found["logits"]).all()
    plan = firekeras.plan_pruning(graph, found)
    assert plan.explain("conv1", 0).endswith("it has no fire and l1 score, since in conv1 is out of reach.")


def test_scores_without_norms_are_refused():
    graph = graph_of()
    scores = FilterScores({"conv1": np.arange(8.0)}, criterion="mine")
    with pytest.raises(ValueError, match=r"Received 'mine' scores that lack some, of layers \['conv1'\].*weight=0"):
        with_norms(scores, graph)


@pytest.mark.parametrize("weight", [-0.1, 1.1, NAN])
def test_weights_out_of_range_are_refused(weight):
    graph = graph_of()
    with pytest.raises(ValueError, match="from 0 to 1"):
        with_norms(scores_of(graph, {}), graph, weight)
