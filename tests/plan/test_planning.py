"""Plans: exactly as many filters as asked for, in the promised order, within the limits, and explained."""

import dataclasses
import functools
import json
import math

import keras
import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as L
from plans import graph_of, removed_lists

import firekeras
from firekeras.channels.costs import costs_of_units
from firekeras.channels.graph import ChannelGraph
from firekeras.plan.balance import balanced
from firekeras.scores.profile import FilterScores

FIRST, SECOND = 8, 11
FILTERS = FIRST + SECOND
NAN = float("nan")


@functools.cache
def chain():
    return graph_of(networks.two_convs)


def scores_for(graph, values=None, seed=0, l1=None, **settings):
    """Scores for all layers of a graph: those given, else random ones."""
    rng = np.random.default_rng(seed)
    drawn = {name: rng.uniform(size=width) for name, width in graph.widths.items()}
    return FilterScores({**drawn, **(values or {})}, criterion="mine", l1=l1, **settings)


def plan_of(graph, values=None, ratio=0.25, l1=None, **limits):
    return firekeras.plan_pruning(graph, scores_for(graph, values, l1=l1), pruning_ratio=ratio, **limits)


def widths_after(plan):
    return {name: width - len(plan.removed.get(name, ())) for name, width in plan.widths.items()}


def rounded_half_up(x):
    return math.floor(x + 0.5)


def shrunk(graph, plan):
    """The graph of the network without the plan's filters."""
    gone = graph.units_of(plan.removed)
    number = np.append(np.where(gone, -9, np.cumsum(~gone) - 1), -1)
    axes = [number[axis] for axis in graph.axes]
    locks = {int(number[unit]): reason for unit, reason in graph.locks.items()}
    return ChannelGraph(graph.layers.values(), [axis[axis != -9] for axis in axes], locks, graph.notes)


# How many


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.05, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.61, 0.75, 0.89])
def test_exactly_the_share_asked_for_goes(ratio):
    plan = plan_of(chain(), ratio=ratio, min_keep=0)
    assert plan.num_removed == (max(1, rounded_half_up(ratio * FILTERS)) if ratio else 0)


@pytest.mark.parametrize("tie", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", range(1, FILTERS - 1))
def test_ties_do_not_change_how_many_go(tie, count):
    equal = {"conv1": np.full(FIRST, tie), "conv2": np.full(SECOND, tie)}
    plan = plan_of(chain(), equal, ratio=count / FILTERS, min_keep=0)
    assert plan.num_removed == count


def test_the_default_is_five_percent():
    graph = chain()
    assert firekeras.plan_pruning(graph, scores_for(graph)).num_removed == 1


def test_filters_that_may_not_go_do_not_count():
    """The share is of the filters that may go: not of the output's, nor of those without score."""
    unscored = {"conv1": np.full(FIRST, NAN)}
    assert plan_of(chain(), unscored, ratio=0.5, min_keep=0).num_removed == rounded_half_up(0.5 * SECOND)


# Which


def test_without_balance_high_scores_go_first_over_all_layers_together():
    values = {"conv1": np.linspace(0.1, 0.45, FIRST), "conv2": np.linspace(0.4, 0.9, SECOND)}
    plan = plan_of(chain(), values, ratio=8 / FILTERS, balance=0, max_cut=1)
    assert removed_lists(plan) == {"conv2": [3, 4, 5, 6, 7, 8, 9, 10]}


def test_of_equal_scores_the_smaller_norm_goes_first_then_the_first_position():
    equal = {"conv1": np.full(FIRST, 1.0), "conv2": np.full(SECOND, 1.0)}
    l1 = {"conv1": np.full(FIRST, 5.0), "conv2": np.full(SECOND, 5.0)}
    l1["conv2"][[7, 9]], l1["conv1"][6] = 1.0, 2.0
    order = [("conv2", 7), ("conv2", 9), ("conv1", 6), ("conv1", 0), ("conv1", 1)]
    for count in range(1, 6):
        plan = plan_of(chain(), equal, ratio=count / FILTERS, l1=l1)
        assert {(name, k) for name, filters in plan.removed.items() for k in filters.tolist()} == set(order[:count])


def test_the_score_comes_before_the_norm():
    values = {"conv1": np.full(FIRST, 0.2), "conv2": np.full(SECOND, 0.1)}
    l1 = {"conv1": np.full(FIRST, 9.0), "conv2": np.full(SECOND, 1.0)}
    assert set(plan_of(chain(), values, ratio=0.2, l1=l1, balance=0).removed) == {"conv1"}


def test_planning_again_gives_the_same():
    graph = graph_of(networks.residual)
    assert removed_lists(plan_of(graph)) == removed_lists(plan_of(graph))


def test_filters_without_score_stay():
    values = {"conv1": np.full(FIRST, NAN), "conv2": np.array([NAN] * 5 + [0.5] * 6)}
    plan = plan_of(chain(), values, ratio=0.99, min_keep=0)
    assert removed_lists(plan) == {"conv2": [5, 6, 7, 8, 9, 10]}


def test_removed_filters_are_ascending():
    plan = plan_of(chain(), {"conv2": np.linspace(1, 0.5, SECOND)}, ratio=0.3)
    assert all((np.diff(filters) > 0).all() for filters in plan.removed.values())


# Random scores and limits

UNCOUPLED = [networks.sequential_cnn, networks.one_dimensional, networks.plain_cnn, networks.branches]
TIED = st.sampled_from([0.0, 0.1, 0.25, 0.7, 0.9, 1.0])
drawn_scores = st.lists(st.one_of(TIED, st.floats(0, 1), st.just(NAN)), min_size=1, max_size=80)
shares = st.floats(0, 1)


def spread(drawn, graph):
    """Scores for all layers of a graph out of a list of any length."""
    edges = np.cumsum([0, *graph.widths.values()])
    values = np.resize(drawn, edges[-1])
    return FilterScores(
        {name: values[a:b] for name, a, b in zip(graph.widths, edges, edges[1:], strict=False)}, criterion="drawn"
    )


@settings(deadline=None, max_examples=60)
@given(build=st.sampled_from(UNCOUPLED), drawn=drawn_scores, ratio=st.floats(0, 0.999))
def test_random_scores_give_exact_counts_where_nothing_limits(build, drawn, ratio):
    graph = graph_of(build)
    scores = spread(drawn, graph)
    plan = firekeras.plan_pruning(graph, scores, pruning_ratio=ratio, min_keep=0)
    prunable = {
        name: sum(graph.lock(name, k) is None and np.isfinite(s) for k, s in enumerate(scores[name])) for name in scores
    }
    wanted = max(1, rounded_half_up(ratio * sum(prunable.values()))) if ratio else 0
    possible = sum(min(n, graph.widths[name] - 1) for name, n in prunable.items())
    assert plan.num_removed == min(wanted, possible)


@settings(deadline=None, max_examples=80)
@given(
    build=st.sampled_from(networks.TINY),
    drawn=drawn_scores,
    ratio=st.floats(0.01, 0.8),
    caps=st.dictionaries(st.integers(0, 20), shares, max_size=4),
    min_keep=st.floats(0, 0.9),
    round_to=st.sampled_from([1, 2, 3, 4, 8]),
    rounds=st.integers(1, 3),
)
def test_limits_hold_over_rounds_for_random_scores(build, drawn, ratio, caps, min_keep, round_to, rounds):
    graph = graph_of(build)
    original = graph.widths
    caps = {list(original)[k % len(original)]: cap for k, cap in caps.items()}
    limits = {"layer_caps": caps, "min_keep": min_keep, "round_to": round_to, "original_widths": original}
    for _ in range(rounds):
        plan = firekeras.plan_pruning(graph, spread(drawn, graph), pruning_ratio=ratio, **limits)
        assert_within(plan, graph, **limits)
        graph = shrunk(graph, plan)


def assert_within(plan, graph, layer_caps, min_keep, round_to, original_widths):
    """Caps, least widths, multiples, partners and locks."""
    after = widths_after(plan)
    for name, filters in plan.removed.items():
        original = original_widths[name]
        assert after[name] >= max(1, min_keep * original - 1e-6)
        assert original - after[name] <= layer_caps.get(name, 1) * original + 1e-6
        assert after[name] % round_to == 0, f"{name} became {after[name]} wide"
        for k in filters.tolist():
            assert graph.lock(name, k) is None
            assert all(other in plan.removed[layer] for layer, other in graph.coupled(name, k))


@pytest.mark.parametrize("value", [0.1, 0.3, 0.6, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("round_to", [4, 8])
def test_widths_are_multiples_for_equal_scores_too(value, round_to):
    equal = {"conv1": np.full(FIRST, NAN), "conv2": np.full(SECOND, value)}
    plan = plan_of(chain(), equal, ratio=8 / SECOND, round_to=round_to)
    assert widths_after(plan)["conv2"] in (SECOND, 8, 4)


# Balance between layers


def steep():
    """All of conv2's filters score above all of conv1's."""
    return {"conv1": np.arange(8.0), "conv2": 100 + np.arange(11.0)}


def test_by_default_layers_lose_about_the_same_share():
    assert removed_lists(plan_of(chain(), steep(), ratio=8 / FILTERS)) == {
        "conv1": [5, 6, 7],
        "conv2": [6, 7, 8, 9, 10],
    }


@pytest.mark.parametrize("balance", [0, 0.3, 1])
@pytest.mark.parametrize("build", [networks.two_convs, networks.residual, networks.branches, networks.grouped])
def test_balance_in_a_plan_is_the_balance_of_scores(balance, build):
    graph = graph_of(build)
    scores = scores_for(graph)
    given = firekeras.plan_pruning(graph, balanced(scores, graph, balance), pruning_ratio=0.3, balance=0)
    plan = firekeras.plan_pruning(graph, scores, pruning_ratio=0.3, balance=balance)
    assert removed_lists(plan) == removed_lists(given)
    assert given.criterion == "balanced mine" and plan.criterion == "mine"


# The most that goes at once


@pytest.mark.parametrize("max_cut", [0.1, 0.3, 0.5, 0.7])
def test_no_layer_loses_more_than_the_share_that_may_go_at_once(max_cut):
    plan = plan_of(chain(), steep(), ratio=0.1, balance=0, max_cut=max_cut, min_keep=0)
    most = max(1, math.floor(max_cut * SECOND + 1e-9))
    assert len(plan.removed["conv2"]) == min(2, most) and plan.num_removed == 2 and plan.notes == []


def test_a_filter_that_is_kept_by_it_says_so():
    plan = plan_of(chain(), steep(), ratio=8 / FILTERS, balance=0)
    assert {name: len(filters) for name, filters in plan.removed.items()} == {"conv1": 3, "conv2": 5}
    assert plan.explain("conv2", 0) == (
        "Filter 0 of conv2 stays: its mine score of 100 ranks 11 of 19; conv2 loses at most 5 of its 11 filters in one "
        "plan (max_cut=0.5)."
    )


@pytest.mark.parametrize(("ratio", "widened"), [(0.3, None), (0.6, "75%"), (0.8, "100%")])
def test_a_ratio_that_needs_more_gets_it_and_the_notes_say_so(ratio, widened):
    plan = plan_of(chain(), ratio=ratio, min_keep=0)
    assert plan.num_removed == rounded_half_up(ratio * FILTERS)
    expected = (
        f"Layers may lose up to {widened} of their filters here, not 50%: pruning_ratio={ratio:g} needs it (max_cut)."
    )
    assert plan.notes == ([expected] if widened else [])


def test_a_target_that_needs_more_gets_it_and_the_notes_say_so():
    graph = chain()
    plan = firekeras.plan_pruning(graph, scores_for(graph), target={"macs": 0.15})
    assert plan.costs_after.macs <= 0.15 * plan.costs_before.macs
    assert [note for note in plan.notes if "up to 75% of their filters here" in note and "{'macs': 0.15}" in note]


def test_what_caps_and_least_widths_keep_does_not_widen_it():
    plan = plan_of(chain(), ratio=0.9, layer_caps={"conv1": 0.25, "conv2": 0.4})
    assert widths_after(plan)["conv1"] == 6 and widths_after(plan)["conv2"] == 7 and plan.notes == []


def test_a_cap_above_it_does_not_widen_it():
    plan = plan_of(chain(), steep(), ratio=0.4, balance=0, layer_caps={"conv2": 0.9})
    assert len(plan.removed["conv2"]) == 5


def test_it_is_of_present_filters_and_caps_of_the_original_ones():
    limits = {"original_widths": {"conv2": 22}, "layer_caps": {"conv2": 0.75}}
    plan = plan_of(chain(), steep(), ratio=0.2, balance=0, max_cut=0.3, **limits)
    assert len(plan.removed["conv2"]) == 3
    plan = plan_of(chain(), steep(), ratio=0.3, balance=0, max_cut=0.6, **limits)
    assert len(plan.removed["conv2"]) == 5  # 11 of 22 are gone already, and 16 may go in all


@pytest.mark.parametrize("build", [networks.two_convs, networks.residual, networks.grouped])
def test_one_step_may_always_go(build):
    for round_to in (1, 4):
        plan = plan_of(graph_of(build), ratio=0.15, max_cut=1e-6, round_to=round_to)
        assert plan.removed and not any("Nothing goes" in note for note in plan.notes)


# What a cost is none of


def with_dense():
    """Two convolutions and a Dense layer of 20, whose filters cost no convolution MACs."""
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 3, activation="relu", name="conv2")(x))
    return keras.Model(image, L.Dense(3, name="logits")(L.Dense(20, activation="relu", name="dense")(x)))


def high_dense():
    return {"dense": 10 + np.arange(20.0)}


@pytest.mark.parametrize("balance", [0, 1])
def test_what_saves_nothing_of_the_target_stays_and_says_so(balance):
    graph = graph_of(with_dense)
    plan = firekeras.plan_pruning(graph, scores_for(graph, high_dense()), target={"conv_macs": 0.6}, balance=balance)
    assert set(plan.removed) <= {"conv1", "conv2"} and plan.costs_after.conv_macs <= 0.6 * plan.costs_before.conv_macs
    expected = "Filter 3 of dense stays: its removal would save no conv MACs, which this plan is for."
    assert plan.explain("dense", 3) == expected and plan.ranked == 16


@pytest.mark.parametrize("measure", ["macs", "params"])
def test_a_target_in_another_cost_takes_dense_units_too(measure):
    graph = graph_of(with_dense)
    plan = firekeras.plan_pruning(graph, scores_for(graph, high_dense()), target={measure: 0.9}, balance=0, max_cut=1)
    assert "dense" in plan.removed and plan.ranked == 36


def test_a_ratio_counts_only_what_saves_something_of_a_measure():
    graph = graph_of(with_dense)
    plan = plan_of(graph, high_dense(), ratio=0.25, measure="conv_macs")
    assert set(plan.removed) == {"conv1", "conv2"} and plan.num_removed == 4 and plan.ranked == 16
    assert "dense" in plan_of(graph, high_dense(), ratio=0.25).removed


def test_dense_units_that_a_convolution_reads_save_convolution_macs():
    noise = keras.Input((5,))
    x = L.Reshape((1, 1, 32))(L.Dense(32, activation="relu", name="dense")(noise))
    graph = firekeras.channel_graph(keras.Model(noise, L.Conv2DTranspose(3, 3, name="image")(x)))
    assert (costs_of_units(graph, "conv_macs")[graph.filters("dense")] > 0).all()


# Coupled filters


def test_coupled_filters_go_together_and_count_one_each():
    graph = graph_of(networks.residual)
    low = {name: np.zeros(width) for name, width in graph.widths.items()}
    low["stem"] = low["a2"] = np.array([0, 0, 0, 0.9, 0, 0.8, 0, 0])
    total = sum(width for name, width in graph.widths.items() if name != "logits")
    plan = plan_of(graph, low, ratio=4 / total)
    assert removed_lists(plan) == {"stem": [3, 5], "a2": [3, 5]} and plan.num_removed == 4


def test_coupled_filters_are_ranked_by_their_mean():
    graph = graph_of(networks.residual)
    values = {name: np.zeros(width) for name, width in graph.widths.items()}
    values["stem"][2], values["a2"][2] = 1.0, 0.2
    values["stem"][4], values["a2"][4] = 0.7, 0.7
    total = sum(width for name, width in graph.widths.items() if name != "logits")
    plan = plan_of(graph, values, ratio=2 / total)
    assert removed_lists(plan) == {"stem": [4], "a2": [4]}
    assert plan.scores["stem"][2] == plan.scores["a2"][2] == pytest.approx(0.6)


def test_one_unscored_partner_keeps_a_unit():
    graph = graph_of(networks.residual)
    plan = plan_of(graph, {"a2": np.full(8, NAN)}, ratio=0.5)
    assert not {"stem", "a2"} & set(plan.removed)
    assert "has no mine score" in plan.explain("stem", 0)


def test_a_unit_that_would_overshoot_is_passed_over():
    graph = graph_of(networks.residual)
    values = {name: np.full(width, 0.1) for name, width in graph.widths.items()}
    values["stem"][0] = values["a2"][0] = 1.0
    values["a1"][6] = 0.5
    plan = plan_of(graph, values, ratio=0.001)
    assert removed_lists(plan) == {"a1": [6]}
    sentence = plan.explain("stem", 0)
    assert "stays" in sentence and "2 filters" in sentence and "only go together" in sentence


# Limits


def test_a_cap_is_a_share_of_the_layers_filters():
    high = {"conv2": np.full(SECOND, 1.0), "conv1": np.full(FIRST, 0.1)}
    plan = plan_of(chain(), high, ratio=0.5, layer_caps={"conv2": 0.3}, min_keep=0)
    assert len(plan.removed["conv2"]) == math.floor(0.3 * SECOND)
    assert plan.num_removed == rounded_half_up(0.5 * FILTERS)


@pytest.mark.parametrize(("cap", "may_go"), [(0, 0), (0.1, 1), (0.2, 2), (0.3, 3), (0.7, 7), (1, 9)])
def test_a_cap_is_exact_where_floats_are_not(cap, may_go):
    graph = graph_of(functools.partial(networks.two_convs, 10, 10))
    plan = plan_of(graph, {"conv1": np.full(10, 2.0)}, ratio=0.9, layer_caps={"conv1": cap}, min_keep=0)
    assert len(plan.removed.get("conv1", ())) == may_go


def test_a_cap_of_zero_leaves_a_layer_alone():
    assert "conv1" not in plan_of(chain(), ratio=0.9, layer_caps={"conv1": 0}).removed


def test_caps_refer_to_the_original_widths():
    graph = chain()
    plan = plan_of(
        graph, {"conv1": np.ones(FIRST)}, ratio=0.9, layer_caps={"conv1": 0.5}, original_widths={"conv1": 10}
    )
    assert widths_after(plan)["conv1"] == 5


def test_coupled_layers_share_the_tightest_cap():
    graph = graph_of(networks.residual)
    values = {"stem": np.ones(8), "a2": np.ones(8)}
    plan = plan_of(graph, values, ratio=0.5, layer_caps={"stem": 0.5, "a2": 0.25})
    assert len(plan.removed["stem"]) == len(plan.removed["a2"]) == 2


def test_no_layer_falls_under_min_keep():
    plan = plan_of(chain(), ratio=0.99, min_keep=0.35)
    assert widths_after(plan) == {"conv1": 3, "conv2": 4, "logits": 3}


def test_no_layer_becomes_empty():
    plan = plan_of(chain(), ratio=0.99, min_keep=0)
    assert widths_after(plan) == {"conv1": 1, "conv2": 1, "logits": 3}


def test_widths_go_down_to_multiples():
    plan = plan_of(chain(), ratio=0.4, round_to=4)
    assert all(width % 4 == 0 for name, width in widths_after(plan).items() if name in plan.removed)
    assert plan.removed


def test_one_step_of_round_to_goes_though_it_is_more_than_asked_for():
    plan = plan_of(chain(), {"conv1": np.ones(FIRST)}, ratio=0.01, round_to=4)
    assert plan.num_removed in (3, 4) and all(widths_after(plan)[name] % 4 == 0 for name in plan.removed)


@pytest.mark.parametrize("round_to", [np.int64(4), 4.0])
def test_round_to_may_be_any_whole_number(round_to):
    assert widths_after(plan_of(chain(), ratio=0.4, round_to=round_to))


# Costs


@pytest.mark.parametrize("build", networks.TINY, ids=lambda build: build.__name__)
def test_planned_costs_are_those_of_the_pruned_model(build):
    model = build()
    plan = plan_of(firekeras.channel_graph(model), ratio=0.4)
    smaller = firekeras.prune(model, plan)
    assert plan.costs_before == firekeras.count_costs(model)
    assert plan.costs_after == firekeras.count_costs(smaller)
    assert plan.costs_before.params == model.count_params()
    assert plan.costs_after.params == smaller.count_params() < model.count_params()


def test_the_graph_of_the_pruned_model_is_the_graph_without_the_filters():
    model = networks.residual()
    graph = firekeras.channel_graph(model)
    plan = plan_of(graph, ratio=0.4)
    expected, found = shrunk(graph, plan), firekeras.channel_graph(firekeras.prune(model, plan))
    assert found.widths == expected.widths and found.groups == expected.groups
    for name in found.filter_layers:
        np.testing.assert_array_equal(found.filters(name), expected.filters(name))


# Targets


@pytest.mark.parametrize("measure", ["macs", "conv_macs", "params"])
@pytest.mark.parametrize("share", [0.9, 0.62, 0.4, 0.2])
@pytest.mark.parametrize("build", [networks.two_convs, networks.plain_cnn, networks.residual, networks.branches])
def test_a_target_is_reached_with_as_few_filters_as_possible(measure, share, build):
    graph = graph_of(build)
    scores = scores_for(graph)
    plan = firekeras.plan_pruning(graph, scores, target={measure: share})
    goal = share * getattr(plan.costs_before, measure)
    assert getattr(plan.costs_after, measure) <= goal
    total = sum(size for unit, size in enumerate(graph.unit_sizes.tolist()) if unit not in graph.locks)
    for count in range(1, plan.num_removed):
        fewer = firekeras.plan_pruning(graph, scores, pruning_ratio=count / total)
        assert fewer.num_removed <= count
        assert getattr(fewer.costs_after, measure) > goal


def test_a_target_of_all_removes_nothing():
    graph = chain()
    assert firekeras.plan_pruning(graph, scores_for(graph), target={"macs": 1.0}).num_removed == 0


def test_a_target_respects_caps_and_multiples():
    graph = chain()
    plan = firekeras.plan_pruning(graph, scores_for(graph), target={"macs": 0.7}, layer_caps={"conv1": 0.5}, round_to=4)
    assert plan.costs_after.macs <= 0.7 * plan.costs_before.macs
    assert widths_after(plan)["conv1"] in (4, 8)


def test_a_target_out_of_reach_names_the_best_that_can_be():
    graph = chain()
    best = plan_of(graph, ratio=0.99, min_keep=0.5)
    least = best.costs_after.macs / best.costs_before.macs
    with pytest.raises(ValueError, match=rf"cannot be reached.*least is macs={least:.3f}.*Loosen the caps"):
        firekeras.plan_pruning(graph, scores_for(graph), target={"macs": 0.01}, min_keep=0.5)


# Refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pruning_ratio": -0.1}, r"pruning_ratio.*from 0 to below 1.*Received: -0.1"),
        ({"pruning_ratio": 1.0}, r"pruning_ratio.*Received: 1.0"),
        ({"pruning_ratio": 5}, r"pruning_ratio.*\(0.05 is 5%\).*Received: 5"),
        ({"pruning_ratio": NAN}, r"pruning_ratio.*Received: nan"),
        ({"min_keep": -0.1}, r"min_keep.*0 to 1.*Received: -0.1"),
        ({"min_keep": 1.1}, r"min_keep.*Received: 1.1"),
        ({"min_keep": NAN}, r"min_keep.*Received: nan"),
        ({"round_to": 0}, r"round_to.*whole number.*Received: 0"),
        ({"round_to": -8}, r"round_to.*Received: -8"),
        ({"round_to": 2.5}, r"round_to.*Received: 2.5"),
        ({"layer_caps": {"conv1": 1.2}}, r"cap of 'conv1' must be the share.*from 0 to 1. Received: 1.2"),
        ({"layer_caps": {"conv1": -0.2}}, r"cap.*Received: -0.2"),
        ({"layer_caps": {"conv1": NAN}}, r"cap.*Received: nan"),
        ({"layer_caps": {"conv11": 0.2}}, r"no layer with filters named 'conv11'. Did you mean 'conv1'"),
        ({"layer_caps": {"logit": 0.2}}, r"Did you mean 'logits'"),
        ({"balance": 1.1}, r"balance must be the weight.*0 to 1. Received: 1.1"),
        ({"balance": NAN}, r"balance must be the weight"),
        ({"max_cut": 0}, r"max_cut must be the share.*above 0, up to 1.*Received: 0"),
        ({"max_cut": NAN}, r"max_cut must be the share"),
        ({"measure": "flops"}, r"measure must be one of.*'conv_macs'.*Received: 'flops'. Did you mean 'macs'"),
        ({"target": {"macs": 0.5}, "pruning_ratio": 0.3}, r"pruning_ratio=0.3 would not be used"),
        ({"target": {}}, r"target must be one of.*macs.*params"),
        ({"target": {"flops": 0.5}}, r"target must be one of.*'macs'.*Received: \{'flops': 0.5\}"),
        ({"target": {"macs": 0}}, r"target.*share above 0, up to 1"),
        ({"target": {"macs": 1.5}}, r"target.*share above 0, up to 1"),
        ({"target": {"macs": NAN}}, r"target.*share above 0, up to 1"),
        ({"target": {"macs": 0.5, "ram": "256 chars"}}, r"'chars' is no unit of ram"),
        ({"target": {"ram": 50}}, r"target must be one of.* 50% is 0.5"),
    ],
)
def test_numbers_and_names_that_mean_nothing_are_refused(settings, words):
    graph = chain()
    with pytest.raises(ValueError, match=words):
        firekeras.plan_pruning(graph, scores_for(graph), **settings)


def test_a_cap_of_no_layer_names_the_nearest_layers_and_where_to_see_all():
    graph = chain()
    with pytest.raises(ValueError, match=r"named 'convolution'\. The model has conv1, conv2, .*widths shows them all"):
        firekeras.plan_pruning(graph, scores_for(graph), layer_caps={"convolution": 0.2})
    with pytest.raises(ValueError, match=r"named 'dence'\. Did you mean 'Dense'"):
        firekeras.plan_pruning(graph, scores_for(graph), layer_caps={"dence": 0.2})


def test_scores_of_another_model_are_refused():
    graph = chain()
    with pytest.raises(ValueError, match=r"another model: layer 'conv2' has 11 filters, the scores hold 9.*Score the"):
        firekeras.plan_pruning(graph, FilterScores({"conv2": np.ones(9)}, criterion="mine"))
    with pytest.raises(
        ValueError, match=r"another model: .* 'conv3', which .* lacks. Did you mean 'conv[12]'\? Score "
    ):
        firekeras.plan_pruning(graph, FilterScores({"conv3": np.ones(8)}, criterion="mine"))


def test_scores_must_be_one_number_per_filter():
    with pytest.raises(ValueError, match=r"one number per filter.*'conv1'.*\(2, 2\)"):
        FilterScores({"conv1": np.ones((2, 2))}, criterion="mine")


# Explanations


def test_a_filter_that_goes_says_its_place():
    values = {"conv1": np.linspace(0.1, 0.8, FIRST), "conv2": np.zeros(SECOND)}
    plan = plan_of(chain(), values, ratio=3 / FILTERS, balance=0)
    assert plan.explain("conv1", 6) == "Filter 6 of conv1 goes: its mine score of 0.7 ranks 2 of 19; 3 go."


@pytest.mark.parametrize(("balance", "words"), [(1, "balanced over layers"), (0.4, "balanced over layers by 0.4")])
def test_a_ranking_that_is_balanced_says_so_beside_the_raw_score(balance, words):
    values = {"conv1": np.linspace(0.1, 0.8, FIRST), "conv2": np.zeros(SECOND)}
    plan = plan_of(chain(), values, ratio=3 / FILTERS, balance=balance)
    expected = f"Filter 6 of conv1 goes: its mine score of 0.7 ranks 2 of 19 ({words}); 3 go."
    assert plan.explain("conv1", 6) == expected and plan.criterion == "mine" and plan.balance == balance


def test_a_filter_that_is_outranked_says_so():
    values = {"conv1": np.linspace(0.1, 0.8, FIRST), "conv2": np.zeros(SECOND)}
    plan = plan_of(chain(), values, ratio=3 / FILTERS, balance=0)
    expected = "Filter 0 of conv1 stays: its mine score of 0.1 ranks 8 of 19; 3 others go before it."
    assert plan.explain("conv1", 0) == expected


def test_a_coupled_filter_names_its_partners():
    graph = graph_of(networks.residual)
    plan = plan_of(graph, {"stem": np.ones(8), "a2": np.ones(8)}, ratio=0.2, balance=0)
    sentence = plan.explain("stem", int(plan.removed["stem"][0]))
    assert "goes: the mean " in sentence and " score of its group, 1, ranks " in sentence
    assert "with it goes the rest of its group, in stem, a2" in sentence


def test_an_output_says_that_it_is_one():
    sentence = plan_of(chain(), ratio=0.5).explain("logits", 1)
    assert sentence == "Filter 1 of logits stays: it is part of the model's output 'logits', whose size must stay."


def test_an_unscored_filter_says_why():
    graph = chain()
    scores = scores_for(graph, {"conv1": np.full(FIRST, NAN)}, reasons={"conv1": "its output meets add (Add)"})
    plan = firekeras.plan_pruning(graph, scores)
    assert plan.explain("conv1", 3) == (
        "Filter 3 of conv1 stays: it has no mine score, since in conv1 its output meets add (Add)."
    )


def test_a_cap_that_keeps_a_filter_is_named():
    plan = plan_of(chain(), {"conv1": np.ones(FIRST)}, ratio=0.5, layer_caps={"conv1": 0.25})
    kept = next(k for k in range(FIRST) if k not in plan.removed["conv1"])
    assert "stays" in plan.explain("conv1", kept)
    assert "the cap of 25% on conv1 is reached: at least 6 of its 8 filters stay" in plan.explain("conv1", kept)


def test_the_least_width_that_keeps_a_filter_is_named():
    plan = plan_of(chain(), {"conv1": np.ones(FIRST)}, ratio=0.9, min_keep=0.5)
    kept = next(k for k in range(FIRST) if k not in plan.removed["conv1"])
    assert "conv1 is at its smallest: at least 4 of its 8 filters stay" in plan.explain("conv1", kept)


def joined(*widths):
    """Convolutions side by side, whose joined outputs a depthwise convolution reads: its width is their sum."""
    image = keras.Input((8, 8, 1))
    branches = [
        keras.layers.Conv2D(width, 3, activation="relu", name=f"conv{k}")(image) for k, width in enumerate(widths)
    ]
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(keras.layers.Concatenate(name="join")(branches))
    return keras.Model(image, keras.layers.Conv2D(2, 1, name="out")(keras.layers.ReLU(name="relu")(x)))


def test_widths_that_are_sums_become_multiples_together():
    graph = graph_of(lambda: joined(8, 12))
    plan = plan_of(graph, ratio=0.5, round_to=4)
    after = widths_after(plan)
    assert after["depthwise"] == after["conv0"] + after["conv1"] < 20
    assert not any(after[name] % 4 for name in ("conv0", "conv1", "depthwise"))


def test_widths_that_cannot_be_multiples_say_so():
    graph = graph_of(lambda: joined(8, 10))
    plan = plan_of(graph, ratio=0.5, round_to=4)
    ragged = [plan.explain(name, k) for name in ("conv0", "conv1") for k in range(graph.widths[name])]
    assert all(" stays: " in s and "not all of their parts are multiples of 4" in s for s in ragged)


@pytest.mark.parametrize("build", networks.TINY, ids=lambda build: build.__name__)
def test_every_filter_has_a_sentence(build):
    graph = graph_of(build)
    plan = plan_of(graph, ratio=0.4, layer_caps={graph.filter_layers[0]: 0.3})
    for name, width in graph.widths.items():
        for k in range(width):
            goes = k in plan.removed.get(name, ())
            assert plan.explain(name, k).startswith(f"Filter {k} of {name} {'goes' if goes else 'stays'}: ")
            assert plan.explain(name, k).endswith(".")


def test_unknown_layers_and_filters_are_refused_with_what_there_is():
    plan = plan_of(chain())
    with pytest.raises(ValueError, match=r"'convv1'. Did you mean 'conv1'"):
        plan.explain("convv1", 0)
    for filter in (-1, FIRST):
        with pytest.raises(ValueError, match=r"'conv1' has filters 0 to 7"):
            plan.explain("conv1", filter)


# At a glance


def test_a_plan_is_shown_in_one_line():
    plan = plan_of(chain(), ratio=8 / FILTERS)
    left = plan.costs_after.conv_macs / plan.costs_before.conv_macs
    assert repr(plan) == f"<PruningPlan by mine: 8 of 22 filters, conv MACs 100% -> {left:.0%}>"


def test_a_summary_has_a_row_for_each_layer_and_the_totals():
    plan = plan_of(chain(), steep(), ratio=8 / FILTERS)
    lines = plan.summary().splitlines()
    assert lines[0].split() == ["layer", "filters", "gone"]
    assert lines[1].split() == ["conv1", "8", "->", "5", "38%"]
    assert lines[2].split() == ["conv2", "11", "->", "6", "45%"]
    assert lines[3].split() == ["logits", "3", "0%"]
    left = plan.costs_after.params / plan.costs_before.params
    assert f"parameters  100% -> {left:.1%}" in lines
    assert lines[-1] == "8 of 22 filters go, ranked by mine (balanced over layers)."


def test_a_summary_fits_in_80_columns_and_holds_the_notes():
    long = "backbone/" * 9 + "conv"
    image = keras.Input((8, 8, 3))
    x = L.GlobalAveragePooling2D()(L.Conv2D(12, 3, activation="relu", name=long.replace("/", "-"))(image))
    plan = plan_of(firekeras.channel_graph(keras.Model(image, L.Dense(2, name="logits")(x))), ratio=0.8)
    text = plan.summary()
    assert max(map(len, text.splitlines())) <= 80
    assert "backbone-backbone" in text and "..." in text and "-conv " in text
    assert "Layers may lose up to 100% of their filters here" in text.replace("\n", " ")


def test_a_network_without_convolutions_has_a_summary_too():
    units = keras.Input((5,))
    x = L.Dense(4, activation="relu", name="hidden")(units)
    plan = plan_of(firekeras.channel_graph(keras.Model(units, L.Dense(2, name="logits")(x))))
    assert "conv MACs   100% -> 100.0%" in plan.summary() and ", MACs 100% -> 75%>" in repr(plan)


# Where nothing goes


def test_nothing_goes_because_of_caps_is_said():
    plan = plan_of(chain(), layer_caps={"conv1": 0, "conv2": 0})
    assert plan.num_removed == 0 and plan.removed == {}
    assert any("Nothing goes" in note and "cap of 0% on conv1" in note for note in plan.notes)


def test_nothing_goes_without_scores_is_said():
    graph = chain()
    plan = firekeras.plan_pruning(graph, FilterScores({}, criterion="mine"))
    assert any("Nothing goes, because no filter may" in note and "no mine score" in note for note in plan.notes)


def test_nothing_goes_from_the_smallest_network_is_said():
    graph = chain()
    smallest = {name: 10 * width for name, width in graph.widths.items()}
    plan = plan_of(graph, original_widths=smallest)
    assert any("Nothing goes" in note and "at its smallest" in note for note in plan.notes)


def test_a_plan_that_removes_something_has_no_such_note():
    assert plan_of(chain()).notes == []


def test_notes_of_the_network_come_along():
    image = keras.Input((None, None, 3), name="image")
    x = L.GlobalAveragePooling2D(name="pool")(L.Conv2D(8, 3, activation="relu", name="conv")(image))
    plan = plan_of(firekeras.channel_graph(keras.Model(image, L.Dense(2, name="logits")(x))))
    assert any("size of the input is open" in note and "224" in note for note in plan.notes)


# Files


def a_plan():
    graph = graph_of(networks.residual)
    values = {"a1": np.full(8, NAN)}
    return firekeras.plan_pruning(graph, scores_for(graph, values, reasons={"a1": "it is dull"}), pruning_ratio=0.3)


def test_a_saved_plan_is_read_back_whole(tmp_path):
    plan = a_plan()
    plan.save(tmp_path / "plan.json")
    loaded = firekeras.PruningPlan.load(tmp_path / "plan.json")
    for field in dataclasses.fields(plan):
        before, after = getattr(plan, field.name), getattr(loaded, field.name)
        if isinstance(before, dict) and field.name != "widths":
            assert list(before) == list(after)
            for name in before:
                np.testing.assert_array_equal(before[name], after[name])
                assert before[name].dtype == after[name].dtype
        else:
            assert before == after, field.name
    assert all(loaded.explain("stem", k) == plan.explain("stem", k) for k in range(8))


def test_a_plan_of_the_first_version_is_read_as_unbalanced(tmp_path):
    path = tmp_path / "plan.json"
    a_plan().save(path)
    data = json.loads(path.read_text())
    del data["balance"], data["norms"]
    path.write_text(json.dumps({**data, "version": 1}))
    loaded = firekeras.PruningPlan.load(path)
    assert loaded.balance == 0 and removed_lists(loaded) == removed_lists(a_plan())
    assert "balanced" not in loaded.explain("b1", 0)


def test_a_loaded_plan_prunes_the_same(tmp_path):
    model = networks.scramble(networks.residual())
    plan = a_plan()
    plan.save(tmp_path / "plan.json")
    one = firekeras.prune(model, plan)
    two = firekeras.prune(model, firekeras.PruningPlan.load(tmp_path / "plan.json"))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_plan_file_is_plain_json(tmp_path):
    a_plan().save(tmp_path / "plan.json")

    def strict(constant):
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads((tmp_path / "plan.json").read_text("utf-8"), parse_constant=strict)
    assert data["format"] == "firekeras.plan" and isinstance(data["version"], int)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_plan_is_refused(tmp_path, share):
    path = tmp_path / "plan.json"
    a_plan().save(path)
    text = path.read_bytes()
    path.write_bytes(text[: int(share * len(text))])
    with pytest.raises(ValueError, match=r"plan.json is not a pruning plan, or is damaged"):
        firekeras.PruningPlan.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89HDF\r\n\x1a\n\x00\xff", r"not a pruning plan"),
        (b"[1, 2]", r"not a pruning plan, or is damaged: expected object, received array"),
        (b'"firekeras.plan"', r"not a pruning plan, or is damaged: expected object, received str"),
        (b'{"format": "other"}', r'expected JSON with "format"'),
        (b'{"format": "firekeras.plan", "version": 99}', r"of another version, 99; .* up to 3"),
        (b'{"format": "firekeras.plan", "version": 1}', r"not a whole pruning plan"),
    ],
)
def test_other_files_are_no_plans(tmp_path, content, words):
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        firekeras.PruningPlan.load(path)


FIELDS = [field.name for field in dataclasses.fields(firekeras.PruningPlan)]


@pytest.mark.parametrize("name", FIELDS)
def test_a_plan_without_one_of_its_fields_is_refused(tmp_path, name):
    path = tmp_path / "plan.json"
    a_plan().save(path)
    data = json.loads(path.read_text())
    del data[name]
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="plan"):
        firekeras.PruningPlan.load(path)


@pytest.mark.parametrize("name", FIELDS)
def test_a_plan_with_a_field_of_another_kind_is_refused(tmp_path, name):
    path = tmp_path / "plan.json"
    a_plan().save(path)
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, name: None}))
    with pytest.raises(ValueError, match="plan"):
        firekeras.PruningPlan.load(path)
