"""The 14 features against the statistics module and numbers worked out by hand."""

import statistics
import subprocess
import sys

import numpy as np
import pytest

from firekeras import features
from firekeras.features import FEATURE_NAMES, extract_features, filter_features, number_layers
from firekeras.profile import L1_FEATURE


def by_statistics_module(weights, layer_index, channels):
    w = [float(v) for v in weights]
    q1, median, q3 = statistics.quantiles(w, n=4, method="inclusive")
    low, high = min(w), max(w)
    head = [channels, layer_index, sum(w), sum(map(abs, w)), high, low, statistics.fmean(w)]
    tail = [median, (high + low) / 2, high - low, statistics.pstdev(w), q1, q3, q3 - q1]
    return head + tail


def fake_kernels(monkeypatch, **kernels):
    monkeypatch.setattr("firekeras.channels.filter_kernels", lambda model: kernels, raising=False)


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
    with pytest.raises(ValueError, match=r"one row of weights per filter.*received shape.*reshape"):
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
        np.testing.assert_allclose(found["conv"][j], expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found["dense"][1], by_statistics_module(dense[:, 1], 1, 10))


def test_layer_indices_are_kept(monkeypatch):
    fake_kernels(monkeypatch, a=np.ones((2, 1)), b=np.ones((2, 1)), c=np.ones((2, 1)))
    found = extract_features(None, layer_indices={"c": 4, "a": 1})
    assert {name: x[0, 1] for name, x in found.items()} == {"a": 1, "b": 5, "c": 4}


def test_layers_count_from_zero():
    assert number_layers(["x", "y", "z"]) == {"x": 0, "y": 1, "z": 2}
    assert number_layers(iter("xyz"), {"y": 0}) == {"x": 1, "y": 0, "z": 2}


def test_layer_indices_are_not_changed_in_place(monkeypatch):
    fake_kernels(monkeypatch, a=np.ones((2, 1)), b=np.ones((2, 1)))
    known = {"a": 7}
    extract_features(None, known)
    assert known == {"a": 7}


def test_a_model_without_filters(monkeypatch):
    fake_kernels(monkeypatch)
    assert extract_features(None) == {}


def test_features_need_no_keras():
    code = "import sys, firekeras.features; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
