"""The steps of the exported file: what the converter folds and fuses, and what it adds."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras

IMAGE = (8, 8, 3)


def kinds(model):
    return [step.kind for step in firekeras.channel_graph(model).program.steps]


def sequence(*layers, shape=IMAGE):
    return keras.Sequential([L.Input(shape), *layers])


@pytest.mark.parametrize(
    ("layers", "steps"),
    [
        ([L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU()], ["CONV_2D"]),
        ([L.Conv2D(4, 3, activation="relu"), L.BatchNormalization()], ["CONV_2D", "MUL", "ADD"]),
        ([L.BatchNormalization(), L.ReLU(6.0), L.Conv2D(4, 1)], ["MUL", "ADD", "CONV_2D"]),
        ([L.DepthwiseConv2D(3), L.BatchNormalization(), L.LeakyReLU()], ["DEPTHWISE_CONV_2D", "LEAKY_RELU"]),
        ([L.Conv2D(4, 1, activation="silu"), L.Dropout(0.5)], ["CONV_2D", "LOGISTIC", "MUL"]),
        ([L.SeparableConv2D(4, 3), L.BatchNormalization()], ["DEPTHWISE_CONV_2D", "CONV_2D"]),
        ([L.ZeroPadding2D(), L.MaxPooling2D(), L.ReLU()], ["PAD", "MAX_POOL_2D"]),
        ([L.GlobalAveragePooling2D(), L.Dense(4, "softmax")], ["MEAN", "FULLY_CONNECTED", "SOFTMAX"]),
        ([L.Flatten(), L.Identity()], ["SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE"]),
    ],
)
def test_layers_become_these_steps(layers, steps):
    assert kinds(sequence(*layers)) == steps


def test_time_becomes_an_image_of_height_one_and_takes_in_what_follows():
    layers = [L.Conv1D(4, 3), L.BatchNormalization(), L.ReLU(), L.MaxPooling1D()]
    image = ["RESHAPE", "CONV_2D", "RESHAPE", "RESHAPE", "MAX_POOL_2D", "RESHAPE"]
    assert kinds(sequence(*layers, shape=(8, 3))) == image


def test_what_several_layers_read_is_not_folded():
    x = L.Input(IMAGE)
    y = L.Conv2D(3, 1)(x)
    model = keras.Model(x, L.Add()([y, L.BatchNormalization()(y)]))
    assert kinds(model) == ["CONV_2D", "MUL", "ADD", "ADD"]


def test_augmentation_is_not_in_the_file():
    layers = [L.RandomFlip(), L.RandomTranslation(0.1, 0.1), L.RandomContrast(0.1), L.Conv2D(4, 3)]
    model = sequence(*layers)
    assert kinds(model) == ["CONV_2D"] and not firekeras.count_costs(model).estimated


def test_a_layer_that_nobody_knows_is_one_step_and_says_so():
    model = sequence(L.Reshape((8, 24)), L.LSTM(3, name="memory"))
    costs = firekeras.count_costs(model)
    assert costs.estimated == ("memory",) and costs.ram > 0


@pytest.mark.parametrize("build", [networks.residual, networks.mobile, networks.branches, networks.nested])
def test_costs_after_a_cut_are_those_of_the_network_that_is_cut(build):
    model = build()
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.4)
    assert firekeras.count_costs(firekeras.prune(model, plan)) == plan.costs_after
    assert plan.costs_after.ram <= plan.costs_before.ram and plan.costs_after.flash < plan.costs_before.flash


def test_the_program_travels_with_the_graph():
    graph = firekeras.channel_graph(networks.residual())
    again = type(graph).from_dict(graph.to_dict())
    assert again.program == graph.program
    without = type(graph).from_dict({**graph.to_dict(), "program": None})  # files of earlier releases
    assert firekeras.count_costs(without).ram is None
    scores = firekeras.plan_pruning(graph, firekeras.score_filters(networks.residual(), "l1"))
    assert scores.costs_before.totals.keys() - firekeras.count_costs(without).totals.keys() == {"ram", "flash"}
    with pytest.raises(ValueError, match="its program names the tensor 99"):
        broken = graph.to_dict()
        broken["program"]["outputs"] = [99]
        type(graph).from_dict(broken)


def test_a_weight_that_two_calls_share_is_in_the_file_once():
    shared, x = L.Conv2D(3, 1), L.Input(IMAGE)
    once, twice = keras.Model(x, shared(x)), keras.Model(x, shared(shared(x)))
    constants = [len(step.constants) for step in firekeras.channel_graph(twice).program.steps]
    assert constants == [2, 0] and len(firekeras.channel_graph(once).program.steps) == 1
    assert np.isfinite(firekeras.count_costs(twice).flash)
