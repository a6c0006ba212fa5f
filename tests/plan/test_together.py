"""Several criteria in one ranking: places by hand, dead filters first, coupled layers, and what lacks a score."""

import networks
import numpy as np
from plans import graph_of

import firekeras
from firekeras.plan.together import together
from firekeras.scores.profile import FilterScores

NAN = float("nan")


def scores_of(graph, values, criterion="fire", **settings):
    """Scores of all layers: those given, else zeros."""
    scores = {name: np.zeros(width) for name, width in graph.widths.items()}
    return FilterScores({**scores, **values}, criterion=criterion, **settings)


def small():
    return graph_of(lambda: networks.two_convs(2, 4))


def test_by_hand():
    graph = small()
    fire = scores_of(graph, {"conv1": [0.1, 0.2], "conv2": [0.3, 0.4, 0.5, 0.6]}, l1={"conv2": np.ones(4)})
    l1 = scores_of(graph, {"conv1": [-7.0, -9.0], "conv2": [-1.0, -4.0, -3.0, -2.0]}, "l1")
    found = together(fire, graph, [l1])
    np.testing.assert_allclose(found["conv1"], [(0.25 + 0.75) / 2, (0.75 + 0.25) / 2])
    by_fire, by_norm = np.array([1, 3, 5, 7]) / 8, np.array([7, 1, 3, 5]) / 8
    np.testing.assert_allclose(found["conv2"], (by_fire + by_norm) / 2)
    np.testing.assert_allclose(together(fire, graph, [l1, l1])["conv2"], (by_fire + 2 * by_norm) / 3)
    assert found.criterion == "fire and l1" and found.l1["conv2"].tolist() == [1, 1, 1, 1]


def test_alone_the_scores_are_given_back():
    graph = small()
    scores = scores_of(graph, {})
    assert together(scores, graph, []) is scores


def test_what_others_know_nothing_of_goes_by_the_rest():
    graph = small()
    fire = scores_of(graph, {"conv2": [0.3, 0.4, 0.5, 0.6]})
    other = scores_of(graph, {"conv2": [NAN, NAN, 1.0, 2.0]}, "mine")
    expected = [1 / 8, 3 / 8, (5 / 8 + 1 / 4) / 2, (7 / 8 + 3 / 4) / 2]
    np.testing.assert_allclose(together(fire, graph, [other])["conv2"], expected)


def test_filters_that_never_fire_go_before_all_others_of_their_layer():
    graph = small()
    for criterion in ("fire", "fire_predicted"):
        scores = scores_of(graph, {"conv2": [1.0, 0.999, 0.5, 1.0]}, criterion)
        norms = scores_of(graph, {"conv2": [-9.0, -1.0, -2.0, -8.0]}, "l1")
        found = together(scores, graph, [norms] * 5)
        assert set(np.argsort(-found["conv2"])[:2].tolist()) == {0, 3}
        plan = firekeras.plan_pruning(graph, found, pruning_ratio=0.34, layer_caps={"conv1": 0})
        assert plan.removed["conv2"].tolist() == [0, 3]


def test_one_is_nothing_special_among_other_scores():
    graph = small()
    scores = scores_of(graph, {"conv2": [1.0, 0.9, 0.5, 0.4]}, "mine")
    norms = scores_of(graph, {"conv2": [-9.0, -1.0, -2.0, -8.0]}, "l1")
    assert np.argmax(together(scores, graph, [norms] * 5)["conv2"]) == 1


def test_coupled_layers_are_one_by_their_mean_scores():
    graph = graph_of(networks.residual)
    rng = np.random.default_rng(0)
    values, others = ({name: rng.uniform(size=w) for name, w in graph.widths.items()} for _ in range(2))
    found = together(scores_of(graph, values), graph, [scores_of(graph, others, "mine")] * 9)
    np.testing.assert_array_equal(found["stem"], found["a2"])
    assert np.corrcoef(found["stem"], others["stem"] + others["a2"])[0, 1] > 0.7


def test_what_has_no_score_of_one_goes_by_the_others():
    graph = graph_of()
    scores = scores_of(graph, {"conv1": np.full(8, NAN)})
    norms = scores_of(graph, {"conv1": np.arange(8.0)}, "l1")
    found = together(scores, graph, [norms])
    np.testing.assert_allclose(found["conv1"], (np.arange(8) + 0.5) / 8)
    assert np.isnan(found["logits"]).all()


def test_what_none_of_them_rates_has_no_score_and_keeps_its_reason():
    graph = graph_of()
    scores, norms = (
        scores_of(graph, {"conv1": [NAN, *range(7)]}, criterion, reasons={"conv1": "is out of reach"})
        for criterion in ("fire", "l1")
    )
    found = together(scores, graph, [norms])
    assert np.isnan(found["conv1"][0]) and np.isfinite(found["conv1"][1:]).all() and np.isnan(found["logits"]).all()
    plan = firekeras.plan_pruning(graph, found)
    assert plan.explain("conv1", 0).endswith("it has no fire and l1 score, since in conv1 is out of reach.")
