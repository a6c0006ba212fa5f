"""The features of weights and BatchNormalization against the statistics module and numbers worked out by hand."""

import statistics
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras.channels import traced
from firekeras.network import Network
from firekeras.scores.detector import features
from firekeras.scores.detector.features import (
    BN_FEATURE_NAMES,
    FEATURE_NAMES,
    FEATURES,
    bn_features,
    extract_features,
    filter_features,
    gaussian_fire,
    number_layers,
    renumbered,
)
from firekeras.scores.profile import L1_FEATURE


def by_statistics_module(weights, layer_index, channels):
    w = [float(v) for v in weights]
    q1, median, q3 = statistics.quantiles(w, n=4, method="inclusive")
    low, high = min(w), max(w)
    head = [channels, layer_index, sum(w), sum(map(abs, w)), high, low, statistics.fmean(w)]
    tail = [median, (high + low) / 2, high - low, statistics.pstdev(w), q1, q3, q3 - q1]
    return head + tail


def fake_kernels(monkeypatch, moments=None, **kernels):
    """Makes kernels stand for a model; its filters have no BatchNormalization but where `moments` say so."""
    nothing = {name: np.full((kernel.shape[-1], 2), np.nan) for name, kernel in kernels.items()}
    network = SimpleNamespace(
        graph=SimpleNamespace(filter_layers=list(kernels)),
        kernel=kernels.__getitem__,
        moments=lambda: nothing | (moments or {}),
    )
    monkeypatch.setattr(Network, "of", lambda model: network)


def test_names_in_the_order_of_table_1():
    names = "channel_num layer sum l1 max min mean median midrange range std q1 q3"
    assert (*names.split(), "quartile_deviation") == FEATURE_NAMES
    assert FEATURE_NAMES[L1_FEATURE] == "l1"


def test_features_by_hand():
    found = filter_features([[1.0, -2.0, 3.0, 4.0]], layer_index=5, channels=2)
    std = np.sqrt((0.5**2 + 3.5**2 + 1.5**2 + 2.5**2) / 4)
    expected = [2, 5, 6, 10, 4, -2, 1.5, 2, 1, 6, std, 0.25, 3.25, 3]
    np.testing.assert_allclose(found, [expected], rtol=1e-15)
    assert found.dtype == np.float64


@pytest.mark.parametrize("size", [1, 2, 3, 27, 576])
def test_features_against_the_statistics_module(size):
    weights = np.random.default_rng(size).normal(size=(5, size)).astype("float32")
    found = filter_features(weights, 3, 1)
    if size == 1:  # statistics.quantiles wants two values
        weights = np.repeat(weights, 2, axis=1)
    expected = np.array([by_statistics_module(w, 3, 1) for w in weights])
    if size == 1:
        expected[:, 2:4] /= 2
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_sums_are_in_float64():
    weights = np.full((1, 4), 1e8, "float32")
    weights[0, 1:] = 1.0
    assert filter_features(weights, 0, 1)[0, 2] == 1e8 + 3
    assert filter_features(np.full((1, 3), 60000, "float16"), 0, 1)[0, 2] == 180000


def test_filters_do_not_influence_each_other():
    weights = np.random.default_rng(0).normal(size=(7, 12))
    alone = np.vstack([filter_features(w[None], 1, 3) for w in weights])
    np.testing.assert_array_equal(filter_features(weights, 1, 3), alone)


def test_working_in_parts_changes_nothing(monkeypatch):
    weights = np.random.default_rng(0).normal(size=(7, 12))
    whole = filter_features(weights, 1, 3)
    for size in (1, 24, 36):
        monkeypatch.setattr(features, "_WEIGHTS_AT_ONCE", size)
        np.testing.assert_array_equal(filter_features(weights, 1, 3), whole)


@pytest.mark.parametrize("shape", [(4,), (3, 3, 4, 8), (0, 4), (4, 0)])
def test_weights_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"one row of weights per filter.*Received: shape.*reshape"):
        filter_features(np.zeros(shape), 0, 1)


def test_weights_are_left_as_they_are():
    weights = np.arange(12.0)[::-1].reshape(3, 4).copy()
    before = weights.copy()
    filter_features(weights, 0, 1)
    np.testing.assert_array_equal(weights, before)


def test_kernels_have_filters_last_and_channels_before(monkeypatch):
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 6))
    dense = np.random.default_rng(2).normal(size=(10, 2))
    fake_kernels(monkeypatch, conv=kernel, dense=dense)
    found = extract_features(None)
    assert list(found) == ["conv", "dense"]
    for j in range(6):
        expected = by_statistics_module(kernel[..., j].ravel(), 0, 4)
        np.testing.assert_allclose(found["conv"][j, :14], expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found["dense"][1, :14], by_statistics_module(dense[:, 1], 1, 10))


def test_layer_indices_are_kept(monkeypatch):
    fake_kernels(monkeypatch, a=np.ones((2, 1)), b=np.ones((2, 1)), c=np.ones((2, 1)))
    found = renumbered(extract_features(None), {"c": 4, "a": 1})
    assert {name: x[0, 1] for name, x in found.items()} == {"a": 1, "b": 5, "c": 4}


def test_layers_count_from_zero():
    assert number_layers(["x", "y", "z"]) == {"x": 0, "y": 1, "z": 2}
    assert number_layers(iter("xyz"), {"y": 0}) == {"x": 1, "y": 0, "z": 2}


def test_layer_indices_are_not_changed_in_place(monkeypatch):
    fake_kernels(monkeypatch, a=np.ones((2, 1)), b=np.ones((2, 1)))
    known = {"a": 7}
    renumbered(extract_features(None), known)
    assert known == {"a": 7}


def test_a_model_without_filters(monkeypatch):
    fake_kernels(monkeypatch)
    assert extract_features(None) == {}


def test_features_need_no_keras():
    code = "import sys, firekeras.scores.detector.features; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# BatchNormalization


def test_the_papers_features_come_first():
    assert FEATURES["paper"] == FEATURE_NAMES and FEATURES["bn"][:14] == FEATURE_NAMES
    assert FEATURES["bn"][14:] == BN_FEATURE_NAMES == ("bn_mean", "bn_deviation", "bn_fire", "bn")


def test_fire_in_closed_form_against_the_statistics_module():
    mean, deviation = np.random.default_rng(0).normal(size=(2, 20))
    deviation = np.abs(deviation)
    expected = [statistics.NormalDist(m, d).cdf(0) for m, d in zip(mean, deviation, strict=True)]
    np.testing.assert_allclose(gaussian_fire(mean, deviation), expected, rtol=1e-10)


def test_a_filter_that_is_constant_fires_always_or_never():
    np.testing.assert_array_equal(gaussian_fire([1e-9, 0.0, -1e-9], [0.0, 0.0, 0.0]), [0, 1, 1])
    np.testing.assert_array_equal(gaussian_fire([50.0, -50.0], [1e-3, 1e-3]), [0, 1])


def test_features_of_the_batch_normalization_by_hand():
    found = bn_features([[2.0, 2.0], [np.nan, np.nan], [0.0, 3.0]])
    phi = statistics.NormalDist().cdf(-1)
    np.testing.assert_allclose(found, [[2, 2, phi, 1], [0, 1, 0.5, 0], [0, 3, 0.5, 1]], rtol=1e-12)
    assert bn_features(np.empty((0, 2))).shape == (0, 4)


def test_features_of_weights_and_batch_normalization_stand_side_by_side(monkeypatch):
    moments = np.array([[0.5, 1.0], [-0.5, 2.0]])
    fake_kernels(monkeypatch, {"b": moments}, a=np.ones((2, 3)), b=np.ones((2, 2)))
    found = extract_features(None)
    np.testing.assert_array_equal(found["a"][:, 14:], [[0, 1, 0.5, 0]] * 3)
    np.testing.assert_array_equal(found["b"][:, 14:], bn_features(moments))
    np.testing.assert_array_equal(found["b"][:, :14], filter_features(np.ones((2, 2)), 1, 2))


def disturbed(model):
    """The model, with all that BatchNormalizations hold drawn at random; only a variance has no sign."""
    rng = np.random.default_rng(0)
    for layer in model._flatten_layers():
        for weight in layer.weights if isinstance(layer, L.BatchNormalization) else ():
            sign = 1 if "variance" in weight.path else rng.choice([-1, 1], weight.shape)
            weight.assign(sign * rng.uniform(0.2, 2, weight.shape))
    return model


def expected_moments(layer):
    zeros = np.zeros(layer.moving_variance.shape)
    beta = zeros if layer.beta is None else np.asarray(keras.ops.convert_to_numpy(layer.beta), "float64")
    gamma = zeros + 1 if layer.gamma is None else np.asarray(keras.ops.convert_to_numpy(layer.gamma), "float64")
    variance = keras.ops.convert_to_numpy(layer.moving_variance).astype("float64")
    return np.stack([beta, np.abs(gamma) * np.sqrt(variance / (variance + layer.epsilon))], axis=1)


def moments_of(model, name="conv"):
    return traced(model).moments()[name]


def stack(*between, width=4):
    """A convolution, some layers, and another convolution."""
    conv = L.Conv2D(width, 3, name="conv")
    return disturbed(keras.Sequential([keras.Input((6, 6, 2)), conv, *between, L.Conv2D(2, 1, name="last")]))


def assert_moments(found, layer):
    np.testing.assert_allclose(found, expected_moments(layer), rtol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}])
@pytest.mark.parametrize("rectifier", [L.ReLU, lambda: L.ReLU(max_value=6), lambda: L.Activation("relu6")])
def test_the_batch_normalization_before_a_relu_is_found(settings, rectifier):
    norm = L.BatchNormalization(epsilon=0.1, **settings)
    assert_moments(moments_of(stack(norm, L.Dropout(0.1), rectifier())), norm)


def test_of_two_batch_normalizations_in_a_row_the_last_counts():
    norm = L.BatchNormalization()
    assert_moments(moments_of(stack(L.BatchNormalization(), norm, L.ReLU())), norm)


@pytest.mark.parametrize(
    "between",
    [
        lambda: [L.ReLU()],
        lambda: [L.ReLU(), L.BatchNormalization(), L.ReLU()],
        lambda: [L.BatchNormalization(), L.LeakyReLU(), L.ReLU()],
        lambda: [L.BatchNormalization()],
    ],
    ids=["none", "behind the ReLU", "behind another activation", "without a ReLU"],
)
def test_filters_without_batch_normalization_before_a_relu(between):
    assert np.isnan(moments_of(stack(*between()))).all()


def test_concatenated_branches_keep_their_own_batch_normalization():
    x = keras.Input((6, 6, 2))
    norms = L.BatchNormalization(), L.BatchNormalization()
    branches = [norm(L.Conv2D(3, 1, name=name)(x)) for name, norm in zip("ab", norms, strict=True)]
    bare = L.Conv2D(2, 1, name="c")(x)
    out = L.Conv2D(2, 1)(L.ReLU()(L.Concatenate()([branches[0], bare, branches[1]])))
    found = traced(disturbed(keras.Model(x, out))).moments()
    assert_moments(found["a"], norms[0])
    assert_moments(found["b"], norms[1])
    assert np.isnan(found["c"]).all()


def test_one_batch_normalization_behind_a_concatenation_is_taken_apart():
    x = keras.Input((6, 6, 2))
    norm = L.BatchNormalization()
    both = L.Concatenate()([L.Conv2D(3, 1, name="a")(x), L.Conv2D(2, 1, name="b")(x)])
    found = traced(disturbed(keras.Model(x, L.Conv2D(2, 1)(L.ReLU()(norm(both)))))).moments()
    assert_moments(np.concatenate([found["a"], found["b"]]), norm)


def test_a_layer_that_is_called_twice_counts_by_its_first_call():
    x = keras.Input((6, 6, 3))
    conv, norm = L.Conv2D(3, 1, name="conv"), L.BatchNormalization()
    first = L.ReLU()(norm(conv(x)))
    second = L.ReLU()(L.BatchNormalization()(conv(first)))
    assert_moments(moments_of(disturbed(keras.Model(x, L.Conv2D(2, 1)(second)))), norm)


def test_nested_models_are_looked_into():
    norm = L.BatchNormalization()
    inner = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(3, 1, name="conv"), norm, L.ReLU()], name="inner")
    model = disturbed(keras.Sequential([keras.Input((6, 6, 2)), inner, L.Conv2D(2, 1)]))
    assert_moments(moments_of(model, "inner/conv"), norm)


def test_features_follow_the_filters_that_pruning_leaves():
    model = stack(L.BatchNormalization(), L.ReLU(), width=8)
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model), pruning_ratio=0.5)
    kept = np.setdiff1d(np.arange(8), plan.removed["conv"])
    before, after = extract_features(model), extract_features(firekeras.prune(model, plan))
    assert 0 < len(kept) < 8
    np.testing.assert_array_equal(after["conv"], before["conv"][kept])


@pytest.mark.parametrize("rectifier", ["relu", "relu6"])
def test_the_closed_form_is_near_measured_fire_where_pre_activations_are_gaussian(rectifier):
    conv = L.Conv2D(24, 3, name="conv", bias_initializer="random_normal", kernel_initializer="random_normal")
    norm = L.BatchNormalization(beta_initializer="random_normal")
    model = keras.Sequential([keras.Input((10, 10, 3)), conv, norm, L.Activation(rectifier), L.Conv2D(2, 1)])
    x = np.random.default_rng(0).normal(size=(64, 10, 10, 3)).astype("float32")
    given = keras.ops.convert_to_numpy(conv(x))
    rng = np.random.default_rng(1)
    moving = given.mean((0, 1, 2)), given.var((0, 1, 2))
    norm.set_weights([rng.uniform(0.5, 1.5, 24) * rng.choice([-1, 1], 24), rng.normal(size=24), *moving])
    measured = firekeras.measure_fire(model, x)["conv"]
    closed = extract_features(model)["conv"][:, FEATURES["bn"].index("bn_fire")]
    assert np.ptp(measured) > 0.5 and np.abs(closed - measured).max() < 0.02
