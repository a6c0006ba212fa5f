"""Contribution against simulation: of Gaussian channels, and of what outputs lose when one is cut."""

import keras
import networks
import numpy as np
import pytest
from keras import activations, ops
from keras import layers as L
from networks import value
from scipy.integrate import quad
from scipy.stats import norm

import firekeras
from firekeras.scores.criteria.contribution import contributions, gains_behind
from firekeras.scores.criteria.gaussian import Spread, activated, rectified, variances_read
from firekeras.scores.criteria.readers import Readers

SAMPLES = 40_000


def spread(mean, deviation):
    return Spread(np.array([mean], "float64"), np.array([deviation], "float64") ** 2)


# Gaussian values


def integrated(function, mean, deviation):
    """Mean and variance of a function of a Gaussian value, by integration."""
    kinks = [k for k in (0.0, 6.0, mean) if abs(k - mean) < 8 * deviation]
    bounds = mean - 12 * deviation, mean + 12 * deviation
    first = quad(lambda z: function(z) * norm.pdf(z, mean, deviation), *bounds, points=kinks, limit=200)[0]
    second = quad(lambda z: function(z) ** 2 * norm.pdf(z, mean, deviation), *bounds, points=kinks, limit=200)[0]
    return first, second - first**2


@pytest.mark.parametrize("mean", [-3.0, -0.5, 0.0, 0.7, 5.0, 7.0])
@pytest.mark.parametrize("deviation", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("cap", [np.inf, 6.0])
def test_a_rectified_gaussian(mean, deviation, cap):
    found = rectified(spread(mean, deviation), cap)
    expected = integrated(lambda z: min(max(z, 0.0), cap), mean, deviation)
    np.testing.assert_allclose((found.mean[0], found.variance[0]), expected, rtol=1e-6, atol=1e-9)


def test_a_rectified_standard_normal_by_hand():
    found = rectified(spread(0.0, 1.0))
    assert found.mean[0] == pytest.approx(1 / np.sqrt(2 * np.pi), rel=1e-12)
    assert found.variance[0] == pytest.approx(0.5 - 1 / (2 * np.pi), rel=1e-12)


def test_a_constant_stays_one():
    for mean, expected in ((2.0, 2.0), (-2.0, 0.0), (8.0, 6.0)):
        found = rectified(spread(mean, 0.0), 6.0)
        assert (found.mean[0], found.variance[0]) == pytest.approx((expected, 0.0), abs=1e-9)


@pytest.mark.parametrize("activation", [activations.gelu, activations.silu, activations.sigmoid, activations.tanh])
def test_smooth_activations_by_quadrature(activation):
    found = activated(activation, spread(0.4, 1.5))
    expected = integrated(
        lambda z: float(ops.convert_to_numpy(activation(ops.convert_to_tensor(z, "float32")))), 0.4, 1.5
    )
    np.testing.assert_allclose((found.mean[0], found.variance[0]), expected, rtol=1e-3)


def test_sums_and_products_of_independent_values():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.5, 10**6), rng.normal(-2.0, 1.5, 10**6)
    one, other = spread(1.0, 0.5), spread(-2.0, 1.5)
    for found, drawn in ((one + other, a + b), (one * other, a * b)):
        assert found.mean[0] == pytest.approx(drawn.mean(), abs=0.01)
        assert found.variance[0] == pytest.approx(drawn.var(), rel=0.01)


def test_what_mixes_channels_is_unknown():
    assert np.isnan(activated(activations.softmax, spread(0.0, 1.0)).variance).all()


# Networks of which the Gaussian view is true


def gaussian_start(channels=6, size=4):
    """An input, and independent Gaussian channels made of it: a convolution that copies, and a normalisation."""
    image = keras.Input((size, size, channels), name="image")
    x = L.Conv2D(channels, 1, use_bias=False, name="made")(image)
    return image, L.BatchNormalization(name="norm")(x)


def settle(model, seed=0):
    """Gives the start its meaning: standard normal inputs pass it unchanged but for gamma and beta."""
    networks.scramble(model, seed)
    channels = model.input.shape[-1]
    model.get_layer("made").kernel.assign(np.eye(channels)[None, None])
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.zeros(channels))
    norm.moving_variance.assign(np.ones(channels))
    return model


def normal_inputs(model, count=SAMPLES):
    return np.random.default_rng(1).normal(size=(count, *model.input.shape[1:])).astype("float32")


def given(model, tensor, x):
    return ops.convert_to_numpy(keras.Model(model.input, tensor).predict(x, batch_size=4000, verbose=0)).astype(
        "float64"
    )


def closed_form(model, name):
    readers = Readers(model)
    return variances_read(model, readers, gains_behind(readers.network))[name]


def assert_variance_read(model, name, tolerance=0.05):
    """The closed form is what is measured at a layer's input."""
    x = given(model, model.get_layer(name).input, normal_inputs(model))
    measured = x.reshape(-1, x.shape[-1]).var(axis=0) if x.ndim > 2 else x.var(axis=0)
    np.testing.assert_allclose(closed_form(model, name), measured, rtol=tolerance, atol=1e-4)


def head(image, x):
    return settle(keras.Model(image, L.Dense(2, name="read")(x)))


def test_variance_behind_rectifiers():
    for activation in ("relu", "relu6", "linear", "gelu"):
        image, x = gaussian_start()
        assert_variance_read(head(image, L.Activation(activation)(x)), "read")


def test_variance_behind_a_capped_relu_and_a_leaky_one():
    for layer in (L.ReLU(0.8), L.ReLU(negative_slope=0.3), L.LeakyReLU(0.2), L.PReLU(shared_axes=[1, 2])):
        image, x = gaussian_start()
        assert_variance_read(head(image, layer(x)), "read")


def test_variance_of_what_is_moved_joined_added_and_multiplied():
    image, x = gaussian_start()
    one, other = L.ReLU()(x[..., :3]), x[..., 3:]
    added, product = L.Add()([one, other]), L.Multiply()([one, other])
    joined = L.Flatten(name="flat")(L.Concatenate()([added, product * 2, L.ZeroPadding2D(0)(one)]))
    assert_variance_read(head(image, joined), "read", tolerance=0.08)


def test_variance_of_sums_without_normalisation():
    """Dense and depthwise layers of independent inputs; a gate computed from others."""
    image, x = gaussian_start(size=1)
    hidden = L.Dense(7, name="hidden")(L.ReLU()(x))
    assert_variance_read(head(image, hidden), "read")
    image, x = gaussian_start(size=3)
    assert_variance_read(head(image, L.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(L.ReLU()(x))), "read")


def test_what_is_not_normalised_at_all_is_unknown():
    model = networks.scramble(networks.residual())
    readers = Readers(model)
    variances = variances_read(model, readers, gains_behind(readers.network))
    assert (
        np.isnan(variances["stem"]).all()
        and np.isfinite(variances["a1"]).all()
        and np.isfinite(variances["logits"]).all()
    )


@pytest.mark.parametrize("build", networks.TINY)
def test_closed_forms_exist_wherever_there_is_a_normalisation_before(build):
    model = networks.scramble(build())
    readers = Readers(model)
    variances = variances_read(model, readers, gains_behind(readers.network))
    assert set(variances) == set(readers)
    assert all(len(values) == len(readers[path].units) for path, values in variances.items())


def test_open_sizes_are_no_hindrance():
    image = keras.Input((None, None, 3), name="image")
    x = networks.conv_bn_relu(networks.conv_bn_relu(image, 4, "one"), 5, "two")
    model = networks.scramble(keras.Model(image, L.Dense(2, name="logits")(L.GlobalAveragePooling2D()(x))))
    scores = firekeras.score_filters(model, "contribution")
    assert (scores["one"] < 0).all() and (scores["two"] < 0).all()


# Contributions


def test_contributions_by_hand():
    variance, strengths = [1.0, 3.0, 0.0], [[1.0, 0.0], [1.0, 2.0], [5.0, 5.0]]
    np.testing.assert_allclose(contributions(variance, strengths, [np.nan, np.nan]), [0.25, 1.75, 0])
    np.testing.assert_allclose(contributions(variance, strengths, [0.5, 2.0]), [0.5, 1.5 + 12, 0])
    np.testing.assert_allclose(contributions(variance, strengths, [0.5, np.nan]), [0.5, 1.5 + 1, 0])
    np.testing.assert_allclose(contributions([0.0, 0.0], [[1.0], [1.0]], [np.nan]), [0, 0])


def reader_with_norm():
    image, x = gaussian_start(channels=5, size=1)
    x = L.Conv2D(4, 1, name="conv")(L.ReLU(name="relu")(x))
    x = L.BatchNormalization(name="conv_bn")(x)
    model = keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(x)))
    return settle(model)


def test_contribution_is_the_variance_that_a_normalised_layer_loses():
    """Each channel cut in turn: what the variances behind the next normalisation lose, in simulation."""
    model = reader_with_norm()
    x, kernel = normal_inputs(model), value(model.get_layer("conv").kernel)
    before = given(model, model.get_layer("conv_bn").output, x).var(axis=(0, 1, 2)).sum()
    lost = []
    for channel in range(5):
        cut = kernel.copy()
        cut[:, :, channel] = 0
        model.get_layer("conv").kernel.assign(cut)
        lost.append(before - given(model, model.get_layer("conv_bn").output, x).var(axis=(0, 1, 2)).sum())
    model.get_layer("conv").kernel.assign(kernel)
    scores = firekeras.score_filters(model, "contribution")
    np.testing.assert_allclose(scores["made"], -np.array(lost), rtol=0.1, atol=0.02 * max(lost))
    measured = firekeras.score_filters(model, "contribution_measured", data=x)
    np.testing.assert_allclose(measured["made"], scores["made"], rtol=0.05)


def test_without_a_normalisation_it_is_the_share_of_each_output():
    model = reader_with_norm()
    scores = firekeras.score_filters(model, "contribution")
    variance = np.square(value(model.get_layer("conv_bn").gamma))
    statistics = value(model.get_layer("conv_bn").moving_variance)
    variance *= statistics / (statistics + model.get_layer("conv_bn").epsilon)
    lost = variance[:, None] * np.square(value(model.get_layer("logits").kernel))
    np.testing.assert_allclose(scores["conv"], -(lost / lost.sum(axis=0)).sum(axis=1), rtol=1e-6)
    assert scores["conv"].sum() == pytest.approx(-2)  # one for each output


def test_measured_contribution_needs_no_normalisation():
    model = networks.scramble(networks.sequential_cnn())
    x = networks.samples(model, 10)
    inner = given_sequential(model, "conv1", x)
    lost = inner.reshape(-1, 8).var(axis=0)[:, None] * np.square(value(model.get_layer("conv2").kernel)).sum(
        axis=(0, 1)
    )
    scores = firekeras.score_filters(model, "contribution_measured", data=x)
    np.testing.assert_allclose(scores["conv1"], -(lost / lost.sum(axis=0)).sum(axis=1), rtol=1e-4)


def given_sequential(model, name, x):
    for layer in model.layers:
        x = layer(x)
        if layer.name == name:
            return value(x)
    raise AssertionError(name)


def test_without_any_normalisation_the_closed_form_is_refused():
    with pytest.raises(
        ValueError, match=r"No filter of 'sequential' has a contribution score.*'contribution_measured'"
    ):
        firekeras.score_filters(networks.sequential_cnn(), "contribution")


def test_filters_that_go_together_share_what_they_contribute():
    """A residual stage: what all its readers lose, divided by the number of its filters."""
    model = networks.scramble(networks.residual())
    readers = Readers(model)
    gains = gains_behind(readers.network)
    variances = variances_read(model, readers, gains)
    total = 0
    for name in ("a1", "b1", "b_shortcut"):
        gain = gains.get(name, np.full(readers[name].strengths().shape[1], np.nan))
        total = total + contributions(variances[name], readers[name].strengths(), gain)
    scores = firekeras.score_filters(model, "contribution")
    np.testing.assert_allclose(scores["stem"], -total / 2, rtol=1e-6)
    np.testing.assert_array_equal(scores["stem"], scores["a2"])


def test_a_depthwise_convolution_passes_on_what_it_is_given():
    """It goes together with the filter before it: only what is read behind both counts."""
    model = networks.scramble(networks.mobile())
    scores = firekeras.score_filters(model, "contribution")
    np.testing.assert_array_equal(np.repeat(scores["stem"], 2), scores["depthwise"])
    assert (scores["stem"] < 0).all()


@pytest.mark.parametrize("build", networks.TINY)
def test_every_prunable_filter_has_a_measured_contribution(build):
    model = networks.scramble(build())
    graph = firekeras.channel_graph(model)
    scores = firekeras.score_filters(model, "contribution_measured", data=networks.samples(model))
    for layer, values in scores.items():
        free = [k for k in range(len(values)) if graph.lock(layer, k) is None]
        assert np.isfinite(values[free]).all() and (values[free] <= 0).all()


def test_a_plan_by_contribution_says_so():
    model = networks.scramble(networks.plain_cnn())
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "contribution"), pruning_ratio=0.2)
    name, filters = next(iter(plan.removed.items()))
    assert "its contribution score of -" in plan.explain(name, int(filters[0]))


def test_without_normalisation_nothing_is_known_behind_pooling_either():
    image = keras.Input((12, 12, 1))
    x = L.MaxPooling2D()(L.Conv2D(4, 3, activation="relu", name="conv1")(image))
    x = L.Conv2D(6, 3, activation="relu", name="conv2")(x)
    model = keras.Model(image, L.Dense(3, name="logits")(L.Flatten()(x)))
    with pytest.raises(ValueError, match="measure it, with 'contribution_measured'"):
        firekeras.score_filters(model, "contribution")
