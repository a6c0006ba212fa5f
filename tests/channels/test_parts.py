"""Splits, slices and branches that read only a part of a layer: no part runs empty, and the reason is said."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from keras import ops
from oracle import assert_pruned_equals_masked

import firekeras
from firekeras.channels.graph import ChannelGraph


def split(x):
    """Two parts, each read by a layer of its own."""
    one, other = ops.split(x, [12], axis=-1)
    return L.Concatenate()([L.Conv2D(5, 1)(one), L.Conv2D(6, 1)(other)])


def cross_stage(x):
    """As YOLO's C2f: a part goes on, another is worked on and joined with both."""
    one, other = ops.split(x, 2, axis=-1)
    worked = L.Conv2D(8, 3, padding="same", activation="relu")(other)
    return L.Concatenate()([one, other, other + worked])


def scales(x):
    """As Res2Net: each part is added to what was made of the one before."""
    parts, made = ops.split(x, 4, axis=-1), []
    for part in parts:
        made.append(L.Conv2D(4, 3, padding="same")(part + made[-1] if made else part))
    return L.Concatenate()(made)


def pooled(x):
    """A part that no layer with weights reads by itself."""
    return L.Concatenate()([L.MaxPooling2D(1)(x[..., 12:]), x[..., :3]])


def flattened(x):
    """Of flattened channels a few positions."""
    return L.Dense(4)(L.Flatten()(x)[:, 5:9])


PARTS = [split, cross_stage, scales, pooled, flattened]


def network(part):
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((6, 6, 3))
    x = part(L.Conv2D(16, 3, activation="relu", name="conv")(inputs))
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 1, name="last")(x)) if len(x.shape) == 4 else x
    return networks.scramble(keras.Model(inputs, L.Dense(2)(x)))


def plan_against(model, weakest, **settings):
    """A plan by which these filters of `conv` are the first to go."""
    graph = firekeras.channel_graph(model)
    values = {"conv": np.zeros(graph.widths["conv"])}
    values["conv"][weakest] = 1
    scores = firekeras.FilterScores(values, criterion="l1")
    return firekeras.plan_pruning(graph, scores, **{"balance": 0, "max_cut": 1, **settings})


@pytest.mark.parametrize("part", PARTS)
def test_no_axis_runs_empty_and_what_is_left_computes_the_same(part):
    model = network(part)
    plan = plan_against(model, slice(11, 16), pruning_ratio=0.9, min_keep=0)
    graph = firekeras.channel_graph(model)
    gone = graph.units_of(plan.removed)
    assert not any(axis.size and (axis >= 0).all() and gone[axis].all() for axis in graph.axes)
    smaller = firekeras.prune(model, plan)
    assert_pruned_equals_masked(model, plan, smaller)
    assert plan.costs_after == firekeras.count_costs(smaller)


def test_the_last_of_a_part_stays_and_is_explained():
    model = network(split)
    plan = plan_against(model, slice(12, 16), pruning_ratio=0.25)
    assert plan.removed["conv"].tolist() == [0, 12, 13, 14]
    why = "takes only a part of the channels and is at its smallest: at least 1 of its 4 stay."
    assert plan.explain("conv", 15).endswith(f"it is in split[1], which {why}")


@pytest.mark.parametrize(("min_keep", "left"), [(0, 1), (0.25, 1), (0.5, 2), (0.6, 3), (1, 4)])
def test_a_part_keeps_its_share(min_keep, left):
    plan = plan_against(network(split), slice(12, 16), pruning_ratio=0.9, min_keep=min_keep)
    assert np.setdiff1d(range(12, 16), plan.removed.get("conv", [])).size == left


def test_the_share_is_that_of_the_first_network():
    model = network(split)
    graph = firekeras.channel_graph(model)
    smaller = firekeras.prune(model, plan_against(model, slice(12, 14), pruning_ratio=0.125, min_keep=0.3))
    plan = plan_against(smaller, slice(12, 14), pruning_ratio=0.2, min_keep=0.3, original_widths=graph.sizes)
    assert firekeras.channel_graph(smaller).sizes["split[1]"] == 2
    assert plan.removed["conv"].tolist() == [0, 1, 2]
    assert "at least 2 of its 4 stay" in plan.explain("conv", 13)


def test_a_whole_layer_is_no_part():
    assert firekeras.channel_graph(networks.residual()).parts == []
    assert [part.name for part in firekeras.channel_graph(network(split)).parts] == ["split[0]", "split[1]"]


def test_a_plan_that_empties_a_part_is_refused():
    model = network(split)
    plan = plan_against(model, slice(12, 16), pruning_ratio=0.2)
    plan.removed["conv"] = np.arange(12, 16)
    with pytest.raises(ValueError, match=r"removes all 4 channels that split\[1\] takes .* at least one must stay"):
        firekeras.prune(model, plan)


def test_parts_are_written_and_read():
    graph = firekeras.channel_graph(network(scales))
    assert ChannelGraph.from_dict(graph.to_dict()).sizes == graph.sizes
    assert [part.name for part in graph.parts] == ["split[0]"]  # the others are tied with layers of their own
