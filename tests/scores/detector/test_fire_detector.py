"""The FIRE detector: training, predicting, its metrics by hand, and its file."""

import copy
import os
import shutil
from statistics import NormalDist
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from sealed_files import edited
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from firekeras.network import Network
from firekeras.scores.detector import regressors as module
from firekeras.scores.detector.features import bn_features, extract_features, filter_features
from firekeras.scores.detector.fire_detector import FireDetector
from firekeras.scores.detector.metrics import detector_metrics, ndcg, precision_at
from firekeras.scores.detector.regressors import REGRESSORS, get_regressor, light_regressor, register_regressor
from firekeras.scores.profile import FilterScores, FireProfile

WIDTHS = {"stem": 6, "conv1": 16, "conv2": 12, "last": 4}
NAMES = ("random_forest", "gradient_boosting", "svr", "mlp", "linear")


def make_kernels(widths=WIDTHS, seed=0):
    rng = np.random.default_rng(seed)
    shift = np.linspace(-0.3, 0.3, max(widths.values()))
    return {n: rng.normal(size=(3, 3, 2, w)) * 0.1 + shift[:w] for n, w in widths.items()}


def make_features(kernels, moments):
    nothing = np.full((1, 2), np.nan)
    parts = {
        name: (filter_features(k.reshape(-1, k.shape[-1]).T, i, k.shape[-2]), moments.get(name, nothing))
        for i, (name, k) in enumerate(kernels.items())
    }
    return {n: np.hstack([x, bn_features(np.broadcast_to(m, (len(x), 2)))]) for n, (x, m) in parts.items()}


def make_profile(kernels=None, unscored=("last",), reasons=None, holes=(), moments=None):
    """FIRE that falls with the mean weight: what a detector can learn."""
    kernels = kernels or make_kernels()
    features = make_features(kernels, moments or {})
    zeros = {name: np.round(500 - 1200 * x[:, 6]).clip(0, 1000) for name, x in features.items()}
    seen = {name: np.full(len(z), 0 if name in unscored else 1000) for name, z in zeros.items()}
    for name, filters in holes:
        seen[name][filters] = 0
    if reasons is None:
        reasons = {"last": "meets an Add before any ReLU"}
    return FireProfile(zeros, seen, samples=10, features=features, graph=None, reasons=reasons)


@pytest.fixture
def show(monkeypatch):
    """Makes a dict of kernels stand for a model; it has no BatchNormalization."""
    monkeypatch.setattr("firekeras.channels.channel_graph", lambda kernels: network_of(kernels).graph)
    monkeypatch.setattr(Network, "of", network_of)


def network_of(kernels, moments=None):
    widths = {name: kernel.shape[-1] for name, kernel in kernels.items()}
    nothing = {name: np.full((width, 2), np.nan) for name, width in widths.items()}
    return SimpleNamespace(
        graph=SimpleNamespace(filter_layers=list(widths), widths=widths),
        kernel=kernels.__getitem__,
        moments=lambda: nothing | (moments or {}),
    )


@pytest.fixture
def ridge(monkeypatch):
    monkeypatch.setattr(module, "REGRESSORS", copy.copy(REGRESSORS))
    return register_regressor("ridge")(lambda seed: Ridge(random_state=seed))


def values(scores):
    return np.concatenate([scores[name] for name in scores])


# Regressors


def test_the_default_is_a_random_forest():
    forest = get_regressor("random_forest", seed=3)
    found = {k: getattr(forest, k) for k in ("n_estimators", "min_samples_leaf", "max_features")}
    assert found == {"n_estimators": 200, "min_samples_leaf": 2, "max_features": 1.0}
    assert forest.random_state == 3 and FireDetector().regressor == "random_forest"


def test_hyperparameters():
    boosting = get_regressor("gradient_boosting", seed=3)
    assert (boosting.n_estimators, boosting.max_depth, boosting.learning_rate) == (300, 3, 0.05)
    svr = get_regressor("svr")[-1]
    assert (svr.kernel, svr.C, svr.epsilon) == ("rbf", 1.0, 0.02)
    mlp = get_regressor("mlp", seed=3)[-1]
    assert mlp.hidden_layer_sizes == (64, 32) and mlp.random_state == 3


@pytest.mark.parametrize("name", ["svr", "mlp", "linear"])
def test_scale_sensitive_regressors_are_standardised(name):
    pipeline = get_regressor(name)
    assert isinstance(pipeline, Pipeline) and pipeline.steps[0][0] == "standardscaler"


@pytest.mark.parametrize("name", NAMES)
def test_every_regressor_learns(show, name):
    profile = make_profile(make_kernels({"a": 60, "b": 60}), unscored=())
    metrics = FireDetector(name).fit(None, profile).evaluate(None, profile)
    assert metrics["mae"] < 0.05 and metrics["spearman"] > 0.9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("filters", [2, 3, 19, 20, 25])
def test_every_regressor_trains_on_few_filters(show, name, filters):
    kernels = make_kernels({"a": filters})
    scores = FireDetector(name).fit(None, make_profile(kernels, unscored=())).predict(kernels)
    assert np.isfinite(scores["a"]).all()


def test_mlp_without_enough_epochs_warns_nobody():
    mlp = get_regressor("mlp").set_params(earlystoppedmlp__max_iter=2)
    x = np.random.default_rng(0).normal(size=(30, 14))
    assert np.isfinite(mlp.fit(x, x[:, 0]).predict(x)).all()


def test_mlp_holds_filters_out_where_there_are_enough():
    x = np.random.default_rng(0).normal(size=(30, 14))
    assert get_regressor("mlp").fit(x, x[:, 0])[-1].early_stopping
    assert not get_regressor("mlp").fit(x[:10], x[:10, 0])[-1].early_stopping


def test_an_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(ValueError, match=r"'random_forrest'.*'svr', 'mlp'.*mean 'random_forest'"):
        FireDetector("random_forrest")
    with pytest.raises(ValueError, match=r"'quantum'\. Expected one of"):
        FireDetector("quantum")


@pytest.mark.parametrize("wrong", [Ridge, None, 3, object()])
def test_what_cannot_fit_and_predict(wrong):
    with pytest.raises(ValueError, match=r"fit\(X, y\) and predict\(X\).*instance"):
        FireDetector(wrong)


def test_a_passed_regressor_is_cloned(show):
    mine = Ridge(alpha=0.5)
    detector = FireDetector(mine).fit(None, make_profile())
    assert not hasattr(mine, "coef_") and get_regressor(mine).alpha == 0.5
    assert np.isfinite(detector.predict(make_kernels())["conv1"]).all()


def test_a_regressor_that_is_not_from_scikit_learn(show):
    class Constant:
        def fit(self, x, y):
            self.value = y.mean()

        def predict(self, x):
            return np.full((len(x), 1), self.value)

    mine, profile = Constant(), make_profile()
    scores = FireDetector(mine).fit(None, profile).predict(make_kernels())
    assert scores["conv1"].shape == (16,) and not hasattr(mine, "value")
    assert np.isfinite(FireDetector(mine).cross_validate(profile, "layer")["mae"])


def test_register_by_name(show, ridge):
    assert isinstance(get_regressor("ridge"), Ridge)
    FireDetector("ridge").fit(None, make_profile())


@pytest.mark.parametrize("seed", [-1, 2**32, None, 1.5])
def test_seeds_out_of_range(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        FireDetector(seed=seed)


# Fitting


def test_trains_on_all_filters_with_a_fire_and_no_other(show):
    kernels, profile = make_kernels(), make_profile(holes=[("conv1", [0, 5])])
    seen = {}

    class Recorder(Ridge):
        def fit(self, x, y):
            seen.update(x=x, y=y)
            return super().fit(x, y)

    detector = FireDetector(Recorder()).fit(kernels, profile)
    kept = np.delete(np.arange(16), [0, 5])
    x = [profile.features["stem"], profile.features["conv1"][kept], profile.features["conv2"]]
    np.testing.assert_array_equal(seen["x"], np.concatenate(x))
    y = [profile["stem"], profile["conv1"][kept], profile["conv2"]]
    np.testing.assert_array_equal(seen["y"], np.concatenate(y))
    assert detector.layer_indices == {"stem": 0, "conv1": 1, "conv2": 2, "last": 3}


def test_fit_returns_the_detector_and_can_be_repeated(show):
    detector, kernels = FireDetector("linear"), make_kernels(seed=1)
    first = make_profile(unscored=(), reasons={})
    assert detector.fit(None, first) is detector
    second = detector.fit(None, make_profile(kernels)).predict(kernels)
    fresh = FireDetector("linear").fit(None, make_profile(kernels)).predict(kernels)
    np.testing.assert_array_equal(values(second), values(fresh))


@pytest.mark.parametrize("widths", [WIDTHS | {"conv2": 11}, {"stem": 6, "conv1": 16, "last": 4}])
def test_a_model_that_does_not_fit_the_profile(show, widths):
    found = "11 filters" if "conv2" in widths else "no such layer"
    said = rf"'conv2' the profile holds 12 filters, the model has {found}.*measure_fire"
    with pytest.raises(ValueError, match=said):
        FireDetector().fit(make_kernels(widths), make_profile())
    with pytest.raises(ValueError, match=said):
        FireDetector("linear").fit(None, make_profile()).evaluate(make_kernels(widths), make_profile())


def test_too_few_filters_with_a_fire():
    nothing = make_profile(unscored=WIDTHS)
    with pytest.raises(ValueError, match=r"at least 2 filters.*with 0\. Measure"):
        FireDetector().fit(None, nothing)
    one = make_profile(make_kernels({"a": 2}), unscored=(), holes=[("a", 0)])
    with pytest.raises(ValueError, match=r"at least 2 filters.*with 1\. Measure"):
        FireDetector().fit(None, one)


def test_a_profile_without_features():
    profile = make_profile()
    profile.features["conv1"] = profile.features["conv1"][:, :3]
    with pytest.raises(ValueError, match=r"'conv1' needs.*\(16, 18\) for features='bn'. Received: \(16, 3\)"):
        FireDetector().fit(None, profile)
    del profile.features["conv1"]
    with pytest.raises(ValueError, match=r"'conv1' needs.*Received: none.*extract_features"):
        FireDetector().fit(None, profile)


# Predicting


def test_predictions_are_scores(show):
    kernels, profile = make_kernels(), make_profile()
    scores = FireDetector("linear").fit(kernels, profile).predict(kernels)
    assert isinstance(scores, FilterScores) and scores.criterion == "fire_predicted"
    assert {name: len(v) for name, v in scores.items()} == WIDTHS
    for name in WIDTHS:
        np.testing.assert_array_equal(scores.l1[name], np.abs(kernels[name]).sum((0, 1, 2)))
    assert np.abs(scores["conv1"] - profile["conv1"]).max() < 0.02


def test_predictions_lie_in_0_to_1(show):
    kernels = make_kernels()
    far = {name: k + 5 * (-1) ** np.arange(k.shape[-1]) for name, k in kernels.items()}
    found = FireDetector("linear").fit(None, make_profile(kernels)).predict(far)["conv1"]
    assert set(found) == {0.0, 1.0}


def test_unscored_layers_stay_unscored_for_the_same_reason(show):
    kernels = make_kernels()
    scores = FireDetector("linear").fit(None, make_profile()).predict(kernels)
    assert np.isnan(scores["last"]).all()
    assert scores.reasons == {"last": "meets an Add before any ReLU"}
    scores = FireDetector("linear").fit(None, make_profile(reasons={})).predict(kernels)
    assert scores.reasons == {"last": "FIRE was not measured for this layer"}
    del kernels["last"]
    assert FireDetector("linear").fit(None, make_profile()).predict(kernels).reasons == {}


def test_single_unscored_filters_are_predicted(show):
    profile = make_profile(holes=[("conv1", [0])], reasons={"conv1": "counter overflow"})
    scores = FireDetector("linear").fit(None, profile).predict(make_kernels())
    assert np.isfinite(scores["conv1"]).all() and "conv1" not in scores.reasons


def test_a_pruned_model_keeps_its_layer_indices(show):
    profile, kernels = make_profile(), make_kernels()
    detector = FireDetector().fit(None, profile)
    pruned = {name: kernels[name][..., ::2] for name in ("conv1", "conv2")}
    whole, part = detector.predict(kernels), detector.predict(pruned)
    for name in pruned:
        np.testing.assert_array_equal(part[name], whole[name][::2])


def test_layers_that_training_did_not_see(show):
    detector = FireDetector("linear").fit(None, make_profile())
    kernels = make_kernels() | make_kernels({"new": 5}, seed=9)
    assert np.isfinite(detector.predict(kernels)["new"]).all()
    assert detector._numbered(extract_features(kernels))["new"][0, 1] == 4


def test_another_model_altogether_is_numbered_by_itself(show):
    kernels = make_kernels()
    detector = FireDetector().fit(None, make_profile(kernels, unscored=()))
    renamed = {f"other_{name}": kernel for name, kernel in kernels.items()}
    expected, found = detector.predict(kernels), detector.predict(renamed)
    np.testing.assert_array_equal(values(found), values(expected))


def test_a_model_without_filters(show):
    assert len(FireDetector("linear").fit(None, make_profile()).predict({})) == 0


def test_weights_that_are_not_finite(show):
    kernels = make_kernels()
    kernels["conv2"][0, 0, 0, 3] = np.nan
    with pytest.raises(ValueError, match=r"'conv2' has weights that are not finite.*diverge"):
        FireDetector().fit(None, make_profile()).predict(kernels)


@pytest.mark.parametrize("call", ["predict", "evaluate", "save"])
def test_not_fitted(call, tmp_path):
    arguments = {"predict": [None], "evaluate": [None, None], "save": [tmp_path / "d.h5"]}[call]
    with pytest.raises(ValueError, match=r"not fitted.*fit\(model, profile\)"):
        getattr(FireDetector(), call)(*arguments)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_predicts_the_same(show, name):
    kernels = make_kernels()
    both = [FireDetector(name, seed=5).fit(None, make_profile()).predict(kernels) for _ in "ab"]
    np.testing.assert_array_equal(values(both[0]), values(both[1]))


def test_repr():
    assert repr(FireDetector()) == "<FireDetector 'random_forest': not fitted>"
    fitted = FireDetector("linear").fit(None, make_profile())
    assert repr(fitted) == "<FireDetector 'linear': trained on 34 filters>"


# Metrics


def test_precision_by_hand():
    true = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    predicted = np.array([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.0, 0.0, 0.0, 0.6])
    assert precision_at(true, predicted, 0.1, 0.1) == 0.0  # {1} and {0}
    assert precision_at(true, predicted, 0.1, 0.4) == 1.0  # {1} and {0, 1, 2, 3}
    assert precision_at(true, predicted, 0.4, 0.4) == 0.5  # {1, 3, 5, 9} and {0, 1, 2, 3}
    assert precision_at(true, predicted, 1, 0.5) == 0.5
    assert precision_at(true, predicted, 0.01, 0.01) == 0.0  # at least one filter


def test_ties_are_worth_what_random_order_gives():
    same = np.zeros(10)
    for true in (np.arange(10), np.arange(10)[::-1]):
        assert precision_at(true, same, 0.1, 0.1) == pytest.approx(0.1)
        assert precision_at(true, same, 0.2, 0.4) == pytest.approx(0.4)
    assert precision_at([3, 2, 2, 1], [4, 3, 1, 2], 0.5, 0.5) == 0.75  # one of the two that tie is in the true top
    assert ndcg([1.0, 1.0, 0.0], [0.0, 0.0, 0.0], k=0.67) == pytest.approx(2 / 3)
    assert ndcg([0.0, 1.0], [0.5, 0.5], k=1.0) == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_ndcg_by_hand():
    true, predicted = [0.5, 1.0, 0.25, 0.0], [0.9, 0.8, 0.1, 0.2]  # order 0 1 3 2, best 1 0 2 3
    discount = [1 / np.log2(i) for i in (2, 3, 4, 5)]
    top = (0.5 + 1.0 * discount[1]) / (1.0 + 0.5 * discount[1])
    assert ndcg(true, predicted, k=0.5) == pytest.approx(top, rel=1e-15)
    dcg = 0.5 + 1.0 * discount[1] + 0.25 * discount[3]
    best = 1.0 + 0.5 * discount[1] + 0.25 * discount[2]
    assert ndcg(true, predicted, k=1.0) == pytest.approx(dcg / best, rel=1e-15)


def test_ndcg_with_binary_gain_by_hand():
    true, predicted = [0.9, 0.8, 0.1, 0.0], [0.4, 0.1, 0.6, 0.2]  # order 2 0 3 1
    found = ndcg(true, predicted, k=0.5, gain="binary")
    assert found == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)), rel=1e-15)
    assert ndcg(true, true, k=0.5, gain="binary") == 1.0


def test_ndcg_agrees_with_scikit_learn():
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(0)
    for digits in (16, 1):  # without ties, and with many
        true, predicted = rng.random(200).round(digits), rng.random(200).round(digits)
        assert ndcg(true, predicted, k=0.1) == pytest.approx(ndcg_score([true], [predicted], k=20))
        assert ndcg(true, predicted, k=1.0) == pytest.approx(ndcg_score([true], [predicted]))


def test_ndcg_where_nothing_can_be_gained():
    assert ndcg([0.0, 0.0], [0.3, 0.1]) == 1.0


def test_spearman_agrees_with_scipy():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 9, 50) / 9, rng.random(50)
    found = detector_metrics(true, predicted)["spearman"]
    assert found == pytest.approx(spearmanr(true, predicted).statistic, rel=1e-12)


def test_metrics_of_a_perfect_and_of_a_constant_prediction():
    true = np.linspace(0, 1, 20)
    perfect = dict.fromkeys(detector_metrics(true, true), 1.0) | {"mae": 0.0}
    assert detector_metrics(true, true) == pytest.approx(perfect)
    constant = detector_metrics(true, np.full(20, 0.5))
    assert np.isnan(constant["spearman"]) and constant["mae"] == pytest.approx(5 / 19)
    keys = "mae ndcg ndcg_full ndcg_binary precision_10_10 precision_10_40 precision_40_40 spearman"
    assert list(constant) == keys.split()
    assert all(type(number) is float for number in constant.values())


@pytest.mark.parametrize(("true", "predicted"), [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]]), ([np.nan], [0.0])])
def test_values_that_cannot_be_compared(true, predicted):
    for metric in (detector_metrics, ndcg, lambda t, p: precision_at(t, p, 0.1, 0.1)):
        with pytest.raises(ValueError, match=r"finite 1-D arrays of the same length. Received:"):
            metric(true, predicted)


@pytest.mark.parametrize("k", [0, -0.1, 1.5, 10, float("nan")])
def test_shares_out_of_range(k):
    with pytest.raises(ValueError, match=r"k must be a share .*above 0, up to 1\. Received"):
        ndcg([0.1, 0.2], [0.1, 0.2], k=k)
    with pytest.raises(ValueError, match=r"k must be a share .*above 0, up to 1\. Received"):
        precision_at([0.1, 0.2], [0.1, 0.2], 0.5, k)


def test_unknown_gain():
    with pytest.raises(ValueError, match=r"gain must be one of 'linear', 'binary'\. Received: 'log'"):
        ndcg([0.1], [0.1], gain="log")


def test_evaluate_counts_scored_filters_on_the_features_asked_for(show):
    kernels, profile = make_kernels(), make_profile(holes=[("conv2", [1])])
    detector = FireDetector("linear").fit(None, profile)
    scores = detector.predict(kernels)
    known = np.isfinite(values(profile))
    expected = detector_metrics(values(profile)[known], values(scores)[known])
    assert detector.evaluate(None, profile) == expected
    assert detector.evaluate(kernels, profile) == expected
    changed = {name: 2 * kernel for name, kernel in kernels.items()}
    assert detector.evaluate(changed, profile)["mae"] > expected["mae"]


def test_cross_validation_over_filters(show):
    profile = make_profile(unscored=())
    detector = FireDetector("linear", seed=1)
    found = detector.cross_validate(profile, folds=4)
    assert found == FireDetector("linear", seed=1).cross_validate(profile, folds=4)
    assert found != FireDetector("linear", seed=2).cross_validate(profile, folds=4)
    assert found["spearman"] > 0.9 and repr(detector).endswith("not fitted>")


class Memory(Ridge):
    """Knows the training filters by heart, and nothing about others."""

    def fit(self, x, y):
        self.known = {tuple(row): value for row, value in zip(x, y, strict=True)}

    def predict(self, x):
        return np.array([self.known.get(tuple(row), 0.0) for row in x])


@pytest.mark.parametrize("by", ["filter", "layer"])
def test_cross_validation_predicts_only_filters_left_out(by):
    profile = make_profile()
    found = FireDetector(Memory()).cross_validate(profile, by)
    assert found["mae"] == np.nanmean(values(profile))


def test_cross_validation_leaves_out_whole_layers():
    profile, tested = make_profile(), []

    class Recorder(Ridge):
        def predict(self, x):
            tested.append(set(x[:, 1]))
            return super().predict(x)

    FireDetector(Recorder()).cross_validate(profile, by="layer")
    assert sorted(map(list, tested)) == [[0.0], [1.0], [2.0]]


@pytest.mark.parametrize("arguments", [("channel", 5), ("filter", 1), ("filter", 35)])
def test_cross_validation_out_of_range(arguments):
    with pytest.raises(ValueError, match=r"on 34 scored filters of 3 layers.*folds in \[2, 34\]"):
        FireDetector("linear").cross_validate(make_profile(), *arguments)


def test_cross_validation_by_layer_needs_two_layers():
    with pytest.raises(ValueError, match="at least two scored layers"):
        profile = make_profile(make_kernels({"a": 8}), unscored=())
        FireDetector("linear").cross_validate(profile, by="layer")


# Files


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_detector_predicts_the_same(show, name, tmp_path):
    kernels, path = make_kernels() | make_kernels({"nested/ünseen": 3}, seed=2), tmp_path / "d.h5"
    detector = FireDetector(name, seed=4).fit(None, make_profile())
    detector.save(path)
    loaded = FireDetector.load(str(path))
    before, after = detector.predict(kernels), loaded.predict(kernels)
    np.testing.assert_array_equal(values(before), values(after))
    assert before.reasons == after.reasons and list(before) == list(after)
    assert (loaded.seed, loaded.regressor) == (4, name)
    assert loaded.layer_indices == detector.layer_indices


def test_a_file_replaces_the_one_before_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "d.h5"
    path.write_text("old")
    FireDetector("linear").fit(None, make_profile()).save(path)
    assert os.listdir(tmp_path) == ["d.h5"]
    FireDetector.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "d.h5"
    path.write_text("old")
    detector = FireDetector("linear").fit(None, make_profile())
    monkeypatch.setattr(os, "fsync", lambda descriptor: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        detector.save(path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["d.h5"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        FireDetector("linear").fit(None, make_profile()).save(tmp_path / "none" / "d.h5")


def test_a_passed_regressor_cannot_be_saved(tmp_path):
    detector = FireDetector(Ridge()).fit(None, make_profile())
    with pytest.raises(ValueError, match=r"Received: the object Ridge\(\)\. Register it by name"):
        detector.save(tmp_path / "d.h5")
    assert os.listdir(tmp_path) == []


def test_a_registered_regressor_can(tmp_path, ridge):
    path = tmp_path / "d.h5"
    FireDetector("ridge").fit(None, make_profile()).save(path)
    assert isinstance(FireDetector.load(path)._fitted, Ridge)
    del module.REGRESSORS["ridge"]
    with pytest.raises(ValueError, match=r"Unknown regressor 'ridge'.*register_regressor"):
        FireDetector.load(path)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "d.h5"
    FireDetector("linear").fit(None, make_profile()).save(path)
    return path


def test_a_truncated_file(saved):
    whole = saved.read_bytes()
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"d\.h5 is not a whole FIRE detector: "):
            FireDetector.load(saved)


def test_a_file_of_something_else(saved, tmp_path):
    with h5py.File(tmp_path / "x.fire.h5", "w") as file:
        file.attrs["format"] = "firekeras.profile"
    with pytest.raises(ValueError, match=r"not a FIRE detector.*'firekeras\.profile'.*FireProfile"):
        FireDetector.load(tmp_path / "x.fire.h5")
    shutil.copy(__file__, saved)
    with pytest.raises(ValueError, match="it does not begin as HDF5 does"):
        FireDetector.load(saved)


def test_a_newer_version(saved):
    with edited(saved) as file:
        file.attrs["version"] = 99
    with pytest.raises(ValueError, match="of version 99; this firekeras reads versions up to 3"):
        FireDetector.load(saved)


@pytest.mark.parametrize("part", ["X", "y", "layers", "indices", "reasons"])
def test_a_table_that_lacks_a_part(saved, part):
    with edited(saved) as file:
        first = file[part][:1]
        del file[part]
    with pytest.raises(ValueError, match="is missing or of the wrong type"):
        FireDetector.load(saved)
    with edited(saved) as file:
        file[part] = first
    with pytest.raises(ValueError, match="is not a whole FIRE detector"):
        FireDetector.load(saved)


def test_a_table_without_its_regressor(saved):
    with edited(saved) as file:
        del file.attrs["regressor"]
    with pytest.raises(ValueError, match="missing required field regressor"):
        FireDetector.load(saved)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"There is no file .*none\.h5"):
        FireDetector.load(tmp_path / "none.h5")


def test_a_file_holds_no_pickle(saved):
    with h5py.File(saved) as file:
        assert set(file) == {"X", "y", "layers", "indices", "reasons"}
        assert all(file[key].dtype != object or h5py.check_string_dtype(file[key].dtype) for key in file)
        assert file["X"].shape == (34, 18) and file.attrs["features"] == "bn" and file.attrs["regressor"] == "linear"


# BatchNormalization, and the closed form


MEANS = {name: np.linspace(-1, 1, width) for name, width in WIDTHS.items()}
MOMENTS = {name: np.stack([mean, np.ones(len(mean))], axis=1) for name, mean in MEANS.items()}


@pytest.fixture
def show_normalised(monkeypatch, show):
    """As `show`, with a BatchNormalization in all layers but the stem."""
    moments = {name: m for name, m in MOMENTS.items() if name != "stem"}
    monkeypatch.setattr(Network, "of", lambda model: network_of(model, moments))
    return moments


class Columns(Ridge):
    """Records how many features it is trained on."""

    def fit(self, x, y):
        self.columns = x.shape[1]
        return super().fit(x, y)


@pytest.mark.parametrize(("features", "columns"), [("bn", 18), ("paper", 14)])
def test_features_are_chosen_by_name(show, features, columns):
    detector = FireDetector(Columns(), features=features).fit(None, make_profile())
    assert detector._fitted.columns == columns
    assert np.isfinite(detector.predict(make_kernels())["conv1"]).all()
    assert FireDetector().features == "bn"


def test_unknown_features():
    with pytest.raises(ValueError, match=r"Unknown features 'wavelets'\. Expected 'bn'.*'paper'"):
        FireDetector(features="wavelets")


def test_the_papers_features_suffice_for_a_profile_that_has_no_others(show):
    profile = make_profile()
    profile.features = {name: x[:, :14] for name, x in profile.features.items()}
    FireDetector("linear", features="paper").fit(None, profile)
    with pytest.raises(ValueError, match=r"'stem' needs.*\(6, 18\) for features='bn'. Received: \(6, 14\)"):
        FireDetector("linear").fit(None, profile)


def test_the_batch_normalization_is_learned_from(show_normalised):
    """Where FIRE follows it, and weights say nothing, only the features `"bn"` predict FIRE."""
    rng = np.random.default_rng(0)
    kernels = {name: rng.normal(size=(3, 3, 2, 60)) for name in ("a", "b")}
    moments = {name: np.stack([rng.normal(size=60), rng.uniform(0.5, 2, 60)], axis=1) for name in kernels}
    profile = make_profile(kernels, unscored=(), moments=moments)
    zeros = {name: np.round(1000 * x[:, -2]) for name, x in profile.features.items()}
    profile = FireProfile(zeros, profile.seen, samples=10, features=profile.features, graph=None)
    assert FireDetector("linear").cross_validate(profile)["spearman"] > 0.99
    assert abs(FireDetector("linear", features="paper").cross_validate(profile)["spearman"]) < 0.5


def test_the_closed_form_needs_no_training(show_normalised):
    scores = FireDetector("gaussian").predict(make_kernels())
    np.testing.assert_allclose(scores["conv2"], [NormalDist(m, 1).cdf(0) for m in MEANS["conv2"]], rtol=1e-12)
    assert scores.criterion == "fire_predicted"


def test_the_closed_form_predicts_nothing_without_batch_normalization(show_normalised):
    scores = FireDetector("gaussian").predict(make_kernels())
    assert np.isnan(scores["stem"]).all() and list(scores.reasons) == ["stem"]
    assert "no BatchNormalization lies between its filters and a ReLU of their own" in scores.reasons["stem"]


def test_the_closed_form_leaves_layers_alone_that_had_no_fire(show_normalised):
    detector = FireDetector("gaussian").fit(None, make_profile(moments=show_normalised))
    scores = detector.predict(make_kernels())
    assert np.isnan(scores["last"]).all() and scores.reasons["last"] == "meets an Add before any ReLU"
    assert np.isfinite(scores["conv1"]).all()


def test_the_closed_form_is_compared_where_there_is_one(show_normalised):
    profile = make_profile(moments=show_normalised)
    detector = FireDetector("gaussian").fit(None, profile)
    known = np.concatenate([profile["conv1"], profile["conv2"]])
    predicted = detector.predict(make_kernels())
    expected = detector_metrics(known, np.concatenate([predicted["conv1"], predicted["conv2"]]))
    assert detector.evaluate(None, profile) == expected
    assert detector.cross_validate(profile) == expected
    assert detector.cross_validate(profile, by="layer") == expected


def test_the_closed_form_of_a_network_without_batch_normalization(show):
    detector, profile = FireDetector("gaussian").fit(None, make_profile()), make_profile()
    said = r"'gaussian' predicts none of the 34 filters.*no BatchNormalization.*'random_forest'"
    for compare in (detector.cross_validate, lambda p: detector.evaluate(None, p), lambda p: detector.quality):
        with pytest.raises(ValueError, match=said):
            compare(profile)


def test_the_closed_form_from_the_papers_features():
    with pytest.raises(ValueError, match=r"'gaussian' is computed from the BatchNorm.*features='paper'.*'bn'"):
        FireDetector("gaussian", features="paper")


@pytest.mark.parametrize("trained", [True, False])
def test_a_saved_closed_form_predicts_the_same(show_normalised, tmp_path, trained):
    detector = FireDetector("gaussian")
    if trained:
        detector.fit(None, make_profile(moments=show_normalised))
    detector.save(tmp_path / "d.h5")
    before, after = detector.predict(make_kernels()), FireDetector.load(tmp_path / "d.h5").predict(make_kernels())
    np.testing.assert_array_equal(values(before), values(after))
    assert before.reasons == after.reasons


def test_a_saved_detector_keeps_its_features(show, tmp_path):
    FireDetector("linear", features="paper").fit(None, make_profile()).save(tmp_path / "d.h5")
    assert FireDetector.load(tmp_path / "d.h5").features == "paper"


def test_a_file_with_unknown_features(saved):
    with edited(saved) as file:
        file.attrs["features"] = "wavelets"
    with pytest.raises(ValueError, match=r"its features are 'wavelets'\. Expected one of"):
        FireDetector.load(saved)


# Quality


@pytest.mark.parametrize("name", NAMES)
def test_the_quality_is_cross_validated(show, name):
    profile = make_profile(make_kernels({"a": 60, "b": 60}), unscored=())
    quality = FireDetector(name).fit(None, profile).quality
    assert list(quality) == list(detector_metrics([0.1, 0.2], [0.1, 0.2]))
    assert quality["spearman"] > 0.8


def test_the_quality_counts_only_filters_left_out():
    profile = make_profile()
    assert FireDetector(Memory()).fit(None, profile).quality["mae"] == pytest.approx(np.nanmean(values(profile)))


def test_the_quality_is_that_of_the_last_training(show):
    detector = FireDetector("linear").fit(None, make_profile(unscored=()))
    first = detector.quality
    assert detector.quality is first
    noise = make_profile(make_kernels(seed=7), holes=[("conv1", [1, 2])])
    assert detector.fit(None, noise).quality != first


def test_the_quality_looks_at_so_many_filters_only(show, monkeypatch):
    sizes = []

    class Recorder(Ridge):
        def predict(self, x):
            sizes.append(len(x))
            return super().predict(x)

    monkeypatch.setattr("firekeras.scores.detector.fire_detector.QUALITY_FILTERS", 12)
    assert FireDetector(Recorder()).fit(None, make_profile()).quality
    assert sizes == [4, 4, 4]


def test_the_quality_of_a_detector_with_two_filters():
    detector = FireDetector("linear").fit(None, make_profile(make_kernels({"a": 2}), unscored=()))
    assert np.isfinite(detector.quality["mae"])


def test_a_loaded_detector_knows_its_quality(saved):
    assert FireDetector.load(saved).quality == FireDetector("linear").fit(None, make_profile()).quality


@pytest.mark.parametrize("name", ["random_forest", "gaussian"])
def test_the_quality_needs_training(name):
    with pytest.raises(ValueError, match=r"not fitted.*fit\(model, profile\)"):
        FireDetector(name).quality  # noqa: B018


def test_a_light_forest_has_a_quarter_of_the_trees():
    assert light_regressor("random_forest").n_estimators == 50
    assert light_regressor("gradient_boosting").n_estimators == 300
