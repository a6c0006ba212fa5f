"""Li et al. 2017: the papers' networks to the digit, and which filters go."""

from functools import cache

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from plans import counts, planned, removed_lists, run_on

import firekeras
from firekeras import methods
from firekeras.methods.by_score import ByScore
from firekeras.methods.l1 import L1Pruning
from firekeras.methods.l1_norms import convolution_kernels
from firekeras.methods.shortcuts import projections
from firekeras.network import Network
from firekeras.zoo import resnet_cifar, vgg16_cifar


def with_norms(model, **norms):
    """Gives each filter of these layers a norm of its own, with equal weights within a filter."""
    for name, values in norms.items():
        kernel = model.get_layer(name).kernel
        each = np.array(values) / np.prod(kernel.shape[:-1])
        kernel.assign(np.broadcast_to(each, kernel.shape))
    return model


# The networks of table 1


RESNETS = cache(resnet_cifar)


@pytest.mark.parametrize(
    ("preset", "build", "before", "after"),
    [
        ("vgg16-a", vgg16_cifar, 313_196_544, 206_143_488),
        ("resnet56-a", lambda: RESNETS(56), 125_485_056, 112_435_200),
        ("resnet56-b", lambda: RESNETS(56), 125_485_056, 90_906_624),
        ("resnet110-a", lambda: RESNETS(110), 252_887_040, 212_779_008),
        ("resnet110-b", lambda: RESNETS(110), 252_887_040, 155_123_712),
    ],
)
def test_the_presets_give_the_papers_macs(preset, build, before, after):
    model = build()
    for selection in ("independent", "greedy"):
        plan = planned(L1Pruning(preset, selection=selection), model)
        assert (plan.costs_before.conv_macs, plan.costs_after.conv_macs) == (before, after)


def test_a_preset_goes_by_the_order_of_convolutions_and_not_by_their_names():
    model = resnet_cifar(56, shortcut="B")
    plan = planned(L1Pruning("resnet56-b"), model)
    assert counts(plan)["stage1_block1_conv1"] == 16 - int(16 * 0.4)
    assert not {"stage1_block8_conv1", "stage2_block1_conv1", "conv1"} & plan.removed.keys()  # 16, 20 and 1


def resnet34():
    """The ResNet-34 of He et al. 2016 for ImageNet, with projections."""
    image = keras.Input((224, 224, 3))
    x = L.MaxPooling2D(3, 2, padding="same")(convolution(image, 64, 7, 2))
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = convolution(L.ReLU()(convolution(x, 64 * 2**stage, 3, stride)), 64 * 2**stage, 3, 1)
            x = L.ReLU()(L.Add()([y, convolution(x, 64 * 2**stage, 1, 2) if stride == 2 else x]))
    return keras.Model(image, L.Dense(10)(L.GlobalAveragePooling2D()(x)))


def convolution(x, filters, size, stride):
    return L.Conv2D(filters, size, stride, padding="same", kernel_initializer="zeros")(x)


def test_the_presets_of_resnet_34_give_the_papers_shares():
    """Table 1: 3.64e9, of which 15.5%, 24.2% and 7.5% go; the paper leaves 1x1 shortcuts out of the count."""
    model = resnet34()
    shortcuts = sum(128 * 2**stage * 64 * 2**stage * (28 // 2**stage) ** 2 for stage in range(3))
    for preset, share in (("resnet34-a", 15.5), ("resnet34-b", 24.2), ("resnet34-c", 7.5)):
        plan = planned(L1Pruning(preset), model)
        before = plan.costs_before.conv_macs - shortcuts
        assert before == 3_643_981_824
        assert round(100 * (plan.costs_before.conv_macs - plan.costs_after.conv_macs) / before, 1) == share


def test_a_preset_for_another_network_is_refused():
    with pytest.raises(ValueError, match=r"'vgg16-a' is for a network of 13 convolutions.*Received: one of 19"):
        planned(L1Pruning("vgg16-a"), resnet_cifar(20))
    with pytest.raises(ValueError, match=r"Unknown preset 'resnet56b'.*'resnet56-b'"):
        L1Pruning("resnet56b")


# Which filters go, and how many


def test_in_each_layer_the_smallest_norms_go():
    model = with_norms(networks.two_convs(4, 8), conv1=[3, 1, 2, 4], conv2=[8, 7, 6, 5, 4, 3, 2, 1])
    assert removed_lists(planned(L1Pruning(0.5), model)) == {"conv1": [1, 2], "conv2": [4, 5, 6, 7]}
    assert removed_lists(planned(L1Pruning({"conv2": 0.25}), model)) == {"conv2": [6, 7]}
    assert removed_lists(planned(L1Pruning({"conv*": 0.25}), model)) == {"conv1": [1], "conv2": [6, 7]}


def test_rates_are_those_of_the_original_width():
    model = with_norms(networks.two_convs(4, 8), conv1=[3, 1, 2, 4], conv2=range(1, 9))
    original = {"conv1": 8, "conv2": 16, "logits": 3}
    assert removed_lists(planned(L1Pruning(0.625), model, original=original)) == {"conv1": [1], "conv2": [0, 1]}
    done = planned(L1Pruning(0.5), model, original=original)
    assert not done.removed
    assert done.notes == ["The rates are met: conv1 has lost 4 of 8 filters, conv2 has lost 8 of 16 filters."]


def test_a_target_takes_the_same_share_of_every_layer_at_once():
    model = resnet_cifar(20)
    plan = planned(L1Pruning(), model, target={"conv_macs": 0.5})
    assert 0.49 < plan.costs_after.conv_macs / plan.costs_before.conv_macs <= 0.5
    shares = [count / plan.widths[name] for name, count in counts(plan).items()]
    assert len(shares) == 9 and max(shares) - min(shares) <= 1 / 16


def test_without_rates_and_target_a_round_takes_its_ratio_of_every_layer():
    assert counts(planned(L1Pruning(), networks.two_convs(8, 16), ratio=0.25)) == {"conv1": 2, "conv2": 4}


def test_caps_and_the_least_width_hold():
    model = networks.two_convs(8, 16)
    plan = planned(L1Pruning(0.5), model, layer_caps={"conv1": 0.25}, min_keep=0.75)
    assert counts(plan) == {"conv1": 2, "conv2": 4}


def test_a_round_that_was_undone_is_tried_with_half_of_it():
    assert counts(planned(L1Pruning(0.5), networks.two_convs(8, 16), halvings=1)) == {"conv1": 2, "conv2": 4}


def test_greedy_leaves_out_weights_that_read_what_goes():
    model = with_norms(networks.two_convs(2, 4), conv1=[1, 2])
    kernel = np.ones((3, 3, 2, 4), "float32")
    kernel[:, :, 0] *= np.array([4, 3, 2, 1])  # reads the filter that goes
    kernel[:, :, 1] *= np.array([0.1, 0.2, 0.3, 0.4])
    model.get_layer("conv2").kernel.assign(kernel)
    assert removed_lists(planned(L1Pruning(0.5), model)) == {"conv1": [0], "conv2": [2, 3]}
    assert removed_lists(planned(L1Pruning(0.5, selection="greedy"), model)) == {"conv1": [0], "conv2": [0, 1]}


def test_greedy_goes_past_pooling_and_normalization():
    model = networks.plain_cnn()
    kernel = np.ones((3, 3, 8, 12), "float32")
    model.get_layer("conv1").kernel.assign(np.ones((3, 3, 3, 8)) * np.arange(1, 9))
    kernel[:, :, :4] *= np.arange(12, 0, -1)
    kernel[:, :, 4:] *= 0.001 * np.arange(1, 13)
    model.get_layer("conv2").kernel.assign(kernel)
    assert removed_lists(planned(L1Pruning(0.5), model))["conv2"] == [6, 7, 8, 9, 10, 11]
    assert removed_lists(planned(L1Pruning(0.5, selection="greedy"), model))["conv2"] == [0, 1, 2, 3, 4, 5]


def test_one_layer_after_the_other():
    model, original = networks.two_convs(8, 16), None
    taken = []
    for _ in range(3):
        run = run_on(model, original=original)
        original = run.original_widths
        plan = L1Pruning(0.5, iterative=True).plan(model, run)
        taken.append(counts(plan))
        model = firekeras.prune(model, plan)
    assert taken == [{"conv1": 4}, {"conv2": 8}, {}]


def test_iterative_has_to_know_how_far():
    with pytest.raises(ValueError, match="give rates, or a target"):
        planned(L1Pruning(iterative=True), networks.two_convs())


# What is left alone


def test_dense_layers_and_what_an_addition_joins_are_left_alone():
    assert set(counts(planned(L1Pruning(0.5), networks.plain_cnn()))) == {"conv1", "conv2"}
    plan = planned(L1Pruning(0.5), networks.residual())
    assert set(plan.removed) == {"a1", "b1"}
    assert "no filter goes by its own norm" in plan.explain("stem", 0)


def test_a_depthwise_convolution_goes_along_with_what_it_reads():
    plan = planned(L1Pruning(0.5), networks.mobile())
    assert {"stem", "depthwise", "pointwise"} <= plan.removed.keys()
    assert plan.removed["stem"].size * 2 == plan.removed["depthwise"].size == 8


def test_a_rate_for_what_cannot_go_is_refused():
    with pytest.raises(ValueError, match=r"rate of 'stem' cannot be met.*\['a1', 'b1'\]"):
        planned(L1Pruning({"stem": 0.5}), networks.residual())
    with pytest.raises(ValueError, match="Did you mean 'conv1'"):
        planned(L1Pruning({"konv1": 0.5}), networks.two_convs())


def test_rates_of_a_sensitivity_fit_every_network():
    plan = planned(L1Pruning({"stem": 0.25, "a1": 0.5, "b1": 0.0}), networks.residual())
    assert set(plan.removed) == {"a1"} and "Rates that do not count: stem." in plan.notes[-1]
    none = planned(L1Pruning({"stem": 0.5, "a1": 0.0}), networks.residual())
    assert not none.removed and "Rates that do not count: stem." in none.notes[-1]


def test_rates_that_the_limits_of_the_run_cut_short_are_pointed_out():
    plan = planned(L1Pruning({"conv1": 0.95}), networks.two_convs(20, 8))
    assert counts(plan) == {"conv1": 18}
    assert plan.notes == ["The rates ask for 1 more of conv1: min_keep=0.1, caps or round_to keep them."]


@pytest.mark.parametrize(
    "settings",
    [{"rates": 1.5}, {"rates": -0.1}, {"rates": {"conv1": 1.5}}, {"rates": [0.5]}, {"selection": "lazy"}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match="Received"):
        L1Pruning(**settings)


# Projection shortcuts


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (networks.residual, ["b_shortcut"]),
        (lambda: resnet_cifar(20, shortcut="B"), ["stage2_block1_shortcut", "stage3_block1_shortcut"]),
        (lambda: resnet_cifar(20), []),
        (networks.plain_cnn, []),
    ],
)
def test_projections_are_found(build, expected):
    model = build()
    assert projections(Network.of(model), convolution_kernels(Network.of(model))) == expected


def bottleneck(x, filters, name, project):
    y = networks.conv_bn_relu(networks.conv_bn_relu(x, 4, f"{name}_1", size=1), 4, f"{name}_2")
    y = L.BatchNormalization()(L.Conv2D(filters, 1, name=f"{name}_3")(y))
    x = L.BatchNormalization()(L.Conv2D(filters, 1, name=f"{name}_0")(x)) if project else x
    return L.ReLU()(x + y)


def test_projections_of_a_bottleneck_network_are_found():
    image = keras.Input((8, 8, 3))
    x = networks.conv_bn_relu(image, 8, "stem")
    for name, filters, project in (("a", 8, False), ("b", 12, True), ("c", 12, False), ("d", 16, True)):
        x = bottleneck(x, filters, name, project)
    model = keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    assert projections(Network.of(model), convolution_kernels(Network.of(model))) == ["b_0", "d_0"]


def test_the_projection_decides_for_what_it_is_added_to():
    model = networks.residual()
    model.get_layer("b_shortcut").kernel.assign(np.ones((1, 1, 8, 12)) * np.arange(12, 0, -1))
    plan = planned(L1Pruning({"b_shortcut": 0.25}, shortcuts=True), model)
    assert removed_lists(plan) == {"b2": [9, 10, 11], "b_shortcut": [9, 10, 11]}
    smaller = firekeras.prune(model, plan)
    assert smaller.get_layer("b2").filters == smaller.get_layer("b_shortcut").filters == 9


def test_a_single_convolution_beside_a_shortcut_is_no_block():
    image = keras.Input((8, 8, 3))
    x = L.ReLU()(L.Add()([L.Conv2D(4, 3, padding="same", name="one")(image), L.Conv2D(4, 1, name="other")(image)]))
    model = keras.Model(image, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    assert projections(Network.of(model), ["one", "other"]) == []


# As a method among others


def compiled(model):
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def data(count=32):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 8, 8, 3)).astype("float32"), rng.integers(0, 3, count)


def compress(method, **settings):
    plain = {"epochs": None, "epochs_per_round": 0, "recovery": (), "verbose": 0}
    return firekeras.compress(compiled(networks.two_convs(8, 16)), data(), data(), method=method, **plain, **settings)


class Falling:
    """Measures less each time."""

    value = 1.0

    def __call__(self, model):
        self.value -= 0.2
        return self.value


def test_rates_are_reached_in_one_round_however_bad_the_metric():
    result = compress(L1Pruning(0.5), evaluate=Falling())
    assert [record.filters_removed for record in result.rounds] == [12] and result.rounds[0].accepted
    assert result.rounds[0].criterion == "l1" and result.stopped_because == "All went in one cut."
    assert result.accuracy < result.baseline and not result.within_tolerance


def test_a_target_is_reached_in_one_round():
    result = compress("l1", target={"macs": 0.5})
    assert len(result.rounds) == 1 and result.costs_after.macs <= 0.5 * result.costs_before.macs


def test_criteria_are_methods_by_their_names():
    assert isinstance(methods.get("l1"), L1Pruning)
    assert (methods.get("l1_global").criterion, methods.get("l2").criterion) == ("l1", "l2")
    assert methods.get("random", seed=3).seed == 3
    assert {"fire", "fire_paper", "l1", "l1_global", "l2", "random"} <= set(methods.names())
    with pytest.raises(ValueError, match=r"Unknown method 'randon'.*'random'"):
        methods.get("randon")


def test_a_criterion_ranks_within_layers_or_over_all_of_them():
    model = compiled(with_norms(networks.two_convs(4, 8), conv1=[1, 2, 3, 4], conv2=range(5, 13)))

    def gone(method):
        run = firekeras.compression_rounds(model, data(), data(), method=method, epochs=None, pruning_ratio=0.25)
        run.next_step()
        return removed_lists(run.method.plan(model, run))

    assert gone("l1_global") == gone(ByScore("l1", balance=0)) == {"conv1": [0, 1, 2]}
    assert gone("l1") == gone(ByScore("l1")) == gone(ByScore("l1", balance=1)) == {"conv1": [0], "conv2": [0, 1]}
    with pytest.raises(ValueError, match=r"balance must be a share, from 0 to 1\. Received: 2"):
        ByScore("l1", balance=2)


def test_random_filters_are_drawn_by_seed():
    model = networks.two_convs(16, 16)
    one, same, other = (removed_lists(planned(ByScore("random", seed=seed), model, ratio=0.3)) for seed in (1, 1, 2))
    assert one == same != other
