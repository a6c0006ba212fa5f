"""Costs: the papers' numbers to the digit, and every kind of layer against a sum by hand."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras.scores.profile import FilterScores
from firekeras.zoo import resnet_cifar, vgg16_cifar


def kernels_times_positions(model):
    """Convolution MACs, read from the kernels and output sizes."""
    convs = [layer for layer in model.layers if isinstance(layer, L.Conv2D)]
    return sum(int(np.prod(conv.kernel.shape)) * int(np.prod(conv.output.shape[1:3])) for conv in convs)


# The papers' networks


@pytest.mark.parametrize(
    ("build", "conv_macs"),
    [
        (vgg16_cifar, 313_196_544),
        (lambda: resnet_cifar(56, shortcut="A"), 125_485_056),
        (lambda: resnet_cifar(56, shortcut="B"), 125_747_200),
        (lambda: resnet_cifar(110), 252_887_040),
    ],
)
def test_macs_of_the_papers_networks(build, conv_macs):
    assert firekeras.count_costs(build()).conv_macs == conv_macs


def test_dense_layers_of_vgg16_add_their_macs():
    model = vgg16_cifar()
    costs = firekeras.count_costs(model)
    assert costs.macs - costs.conv_macs == 512 * 512 + 512 * 10 == 267_264
    assert costs.params == model.count_params()


def stage_of(depth, number):
    """The stage (0, 1, 2) of a 3x3 convolution of a CIFAR ResNet, numbered from 1 with the stem."""
    per_stage = (depth - 2) // 3
    return 0 if number <= per_stage else 1 if number <= 2 * per_stage else 2


def li_resnet(depth, ratios, skipped):
    """Ratios by layer: the first convolutions of the blocks, which have even numbers."""
    blocks = (depth - 2) // 6
    names = {
        2 * (stage * blocks + block): f"stage{stage + 1}_block{block}_conv1"
        for stage in range(3)
        for block in range(1, blocks + 1)
    }
    return {names[n]: ratios[stage_of(depth, n)] for n in names if n not in skipped}


def li_vgg16():
    return {f"conv{k}": 0.5 for k in (1, *range(8, 14))}


def plan_as_li(model, ratios):
    """A plan in which exactly n - int(n * (1 - ratio)) filters of each layer go."""
    graph = firekeras.channel_graph(model)
    going = {name: n - int(n * (1 - ratios.get(name, 0))) for name, n in graph.widths.items()}
    values = {name: np.arange(n) < going[name] for name, n in graph.widths.items()}
    scores = FilterScores(values, criterion="as in the paper")
    total = sum(n for name, n in graph.widths.items() if graph.lock(name, 0) is None)
    plan = firekeras.plan_pruning(
        graph, scores, pruning_ratio=sum(going.values()) / total, min_keep=0, balance=0, max_cut=1
    )
    assert {name: len(filters) for name, filters in plan.removed.items()} == {n: k for n, k in going.items() if k}
    return plan


@pytest.mark.parametrize(
    ("build", "ratios", "conv_macs", "percent"),
    [
        (vgg16_cifar, li_vgg16(), 206_143_488, 34.2),
        (lambda: resnet_cifar(56), li_resnet(56, (0.1, 0.1, 0.1), (16, 20, 38, 54)), 112_435_200, 10.4),
        (lambda: resnet_cifar(56), li_resnet(56, (0.6, 0.3, 0.1), (16, 18, 20, 34, 38, 54)), 90_906_624, 27.6),
        (lambda: resnet_cifar(110), li_resnet(110, (0.5, 0.4, 0.3), (36, 38, 74)), 155_123_712, 38.7),
    ],
    ids=["VGG-16-A", "ResNet-56-A", "ResNet-56-B", "ResNet-110-B"],
)
def test_surgery_gives_the_pruned_networks_of_li_2017(build, ratios, conv_macs, percent):
    model = build()
    plan = plan_as_li(model, ratios)
    smaller = firekeras.prune(model, plan)
    assert plan.costs_after.conv_macs == conv_macs
    assert firekeras.count_costs(smaller).conv_macs == conv_macs
    assert kernels_times_positions(smaller) == conv_macs
    assert 100 * (1 - conv_macs / plan.costs_before.conv_macs) == pytest.approx(percent, abs=0.1)


def test_the_first_pruned_vgg16_has_the_papers_widths():
    model = vgg16_cifar()
    smaller = firekeras.prune(model, plan_as_li(model, li_vgg16()))
    widths = [smaller.get_layer(f"conv{k}").filters for k in range(1, 14)]
    assert widths == [32, 64, 128, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256]
    assert smaller.get_layer("fc1").kernel.shape == (256, 512)


# One layer at a time


def costs_of(shape, layer):
    features = keras.Input(shape, name="features")
    model = keras.Model(features, layer(features))
    costs = firekeras.count_costs(model)
    assert costs.params == model.count_params()
    return costs


@pytest.mark.parametrize(
    ("shape", "layer", "macs"),
    [
        ((6, 6, 4), L.Conv2D(8, 3, padding="same"), 9 * 4 * 8 * 36),
        ((6, 6, 4), L.Conv2D(8, 3), 9 * 4 * 8 * 16),
        ((6, 6, 4), L.Conv2D(8, (1, 3), strides=(2, 1), padding="same"), 3 * 4 * 8 * 18),
        ((7, 7, 4), L.Conv2D(8, 3, dilation_rate=2), 9 * 4 * 8 * 9),
        ((6, 6, 4), L.Conv2D(8, 3, padding="same", groups=2), 9 * 2 * 8 * 36),
        ((6, 6, 4), L.Conv2D(8, 3, padding="same", groups=4), 9 * 1 * 8 * 36),
        ((6, 6, 4), L.DepthwiseConv2D(3), 9 * 4 * 16),
        ((6, 6, 4), L.DepthwiseConv2D(3, depth_multiplier=2), 9 * 8 * 16),
        ((6, 6, 4), L.SeparableConv2D(5, 3, padding="same"), 9 * 4 * 36 + 4 * 5 * 36),
        ((6, 6, 4), L.SeparableConv2D(5, 3, padding="same", depth_multiplier=2), 9 * 8 * 36 + 8 * 5 * 36),
        ((4, 4, 5), L.Conv2DTranspose(3, 2, strides=2), 4 * 5 * 3 * 16),  # each input meets each tap once
        ((10, 2), L.Conv1D(4, 3), 3 * 2 * 4 * 8),
        ((10, 2), L.Conv1D(4, 3, padding="causal"), 3 * 2 * 4 * 10),
        ((10, 2), L.DepthwiseConv1D(3, depth_multiplier=3), 3 * 6 * 8),
        ((10, 2), L.SeparableConv1D(5, 3, padding="same"), 3 * 2 * 10 + 2 * 5 * 10),
        ((4, 2), L.Conv1DTranspose(3, 2, strides=2), 2 * 2 * 3 * 4),
        ((4, 4, 4, 2), L.Conv3D(3, 2), 8 * 2 * 3 * 27),
        ((3, 3, 3, 2), L.Conv3DTranspose(3, 2, strides=2), 8 * 2 * 3 * 27),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, L.Layer) else None,
)
def test_convolution_macs_by_hand(shape, layer, macs):
    costs = costs_of(shape, layer)
    assert costs.conv_macs == costs.macs == macs
    assert costs.by_layer[layer.name].macs == macs


@pytest.mark.parametrize(
    ("shape", "layer", "macs"),
    [((7,), L.Dense(5), 35), ((4, 7), L.Dense(5), 4 * 35), ((2, 4, 7), L.Dense(5), 8 * 35)],
)
def test_dense_macs_are_no_convolution_macs(shape, layer, macs):
    costs = costs_of(shape, layer)
    assert (costs.conv_macs, costs.macs) == (0, macs)


@pytest.mark.parametrize("layer", [L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(), L.PReLU(), L.Flatten()])
def test_normalization_activation_and_pooling_cost_no_macs(layer):
    assert costs_of((6, 6, 4), layer).macs == 0


def test_parameters_include_biases_and_the_statistics_of_normalization():
    image = keras.Input((6, 6, 4), name="image")
    x = L.BatchNormalization(name="bn")(L.Conv2D(8, 3, name="conv")(image))
    by_layer = firekeras.count_costs(keras.Model(image, x)).by_layer
    assert (by_layer["conv"].params, by_layer["bn"].params) == (9 * 4 * 8 + 8, 4 * 8)


def test_a_shared_layer_computes_twice_and_weighs_once():
    conv = L.Conv2D(8, 3, name="shared")
    images = [keras.Input((6, 6, 4), name="left"), keras.Input((4, 4, 4), name="right")]
    model = keras.Model(images, [conv(image) for image in images])
    costs = firekeras.count_costs(model)
    assert costs.conv_macs == 9 * 4 * 8 * (16 + 4)
    assert costs.params == model.count_params() == 9 * 4 * 8 + 8


def test_layers_of_nested_models_are_named_by_path():
    model = networks.nested()
    costs = firekeras.count_costs(model)
    assert costs.by_layer["backbone/conv1"].macs == 9 * 3 * 8 * 64
    assert sum(layer.macs for layer in costs.by_layer.values()) == costs.macs
    assert sum(layer.params for layer in costs.by_layer.values()) == costs.params == model.count_params()


@pytest.mark.parametrize("build", networks.TINY, ids=lambda build: build.__name__)
def test_parameters_are_those_that_keras_counts(build):
    model = build()
    assert firekeras.count_costs(model).params == model.count_params()


def test_a_graph_costs_what_its_model_does():
    model = networks.residual()
    assert firekeras.count_costs(firekeras.channel_graph(model)) == firekeras.count_costs(model)


def test_an_open_input_size_is_counted_at_224_and_said():
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model(image, L.Conv2D(8, 3, strides=2, padding="same", name="conv")(image))
    graph = firekeras.channel_graph(model)
    assert firekeras.count_costs(graph).conv_macs == 9 * 3 * 8 * 112 * 112
    assert any("open" in note and "224" in note for note in graph.notes)


def test_a_fixed_input_size_needs_no_note():
    assert firekeras.channel_graph(networks.plain_cnn()).notes == []


def test_latency_is_measured_in_seconds():
    latency = firekeras.measure_latency(networks.two_convs(), batch_size=2, runs=3)
    assert 0 < latency.median < 10 and latency.spread >= 0 and latency.batch_size == 2
