"""FIREPruning as a method: what it measures and learns, and what its plans say of the detector."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras import methods
from firekeras.methods import FirePruning
from firekeras.methods.fire import WEAK
from firekeras.plan.together import together
from firekeras.scores.criteria import activations, registry
from firekeras.scores.detector import features
from firekeras.scores.detector.features import filter_features
from firekeras.scores.detector.fire_detector import FireDetector
from firekeras.scores.profile import FilterScores

pytestmark = pytest.mark.usefixtures("uncompiled")

BESIDE = " and l1 and contribution"  # what ranks with FIRE by default


class Run:
    """What of a run a method looks at here."""

    def __init__(self, train_data, pruning_ratio=0.05):
        self.train_data, self.pruning_ratio = train_data, pruning_ratio

    def plan(self, model, scores):
        return firekeras.plan_pruning(model, scores, pruning_ratio=self.pruning_ratio)


def normalised_network():
    """A small network whose FIRE follows from its BatchNormalization."""
    layers = [keras.Input((8, 8, 3))]
    for k in range(2):
        norm = L.BatchNormalization(beta_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=k))
        layers += [L.Conv2D(24, 3, padding="same"), norm, L.ReLU()]
    model = keras.Sequential([*layers, L.GlobalAveragePooling2D(), L.Dense(2)])
    model.compile("sgd", keras.losses.MeanSquaredError())
    model.layers[1].set_weights([w / 2 for w in model.layers[1].get_weights()])
    return model


def cut(model):
    """A little smaller: what has been measured already needs no prediction."""
    scores = firekeras.score_filters(model, "random", seed=0)
    return firekeras.prune(model, firekeras.plan_pruning(model, scores, pruning_ratio=0.1))


def bare_network():
    return keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(8, 3, activation="relu"), L.Flatten(), L.Dense(2)])


def samples():
    return np.random.default_rng(0).normal(size=(64, 8, 8, 3)).astype("float32")


def test_the_detectors_settings_are_passed_through():
    learned = methods.get("fire", regressor="linear", features="paper", seed=3)._untrained
    assert (learned.regressor, learned.features, learned.seed) == ("linear", "paper", 3)
    assert FirePruning()._untrained.features == "bn"
    with pytest.raises(ValueError, match="Unknown features 'wavelets'"):
        FirePruning(features="wavelets")


def test_a_seed_goes_to_the_methods_that_draw():
    assert [methods.seeded(name, 3).seed for name in ("fire", "random", "fppmo", "l1_global")] == [3, 3, 3, 3]
    assert methods.seeded("fire", 3, mode="measured").mode == "measured"
    assert type(methods.seeded("l1", 3)) is methods.L1Pruning


def test_the_first_round_measures_and_later_ones_predict():
    model, method = normalised_network(), FirePruning(regressor="linear")
    first = method.plan(model, Run(samples(), 0.2))
    smaller = firekeras.prune(model, first)
    second = method.plan(smaller, Run(None, 0.2))
    assert (first.criterion, second.criterion) == (f"fire{BESIDE}", f"fire_predicted{BESIDE}")
    assert second.num_removed == round(0.2 * (48 - first.num_removed))


def test_after_an_undone_first_round_the_measured_fire_ranks_again():
    model, method = normalised_network(), FirePruning(regressor="linear", drift_threshold=-1)
    measured = method.scores(model, samples())
    assert method.scores(keras.models.clone_model(model), samples()) is not measured
    assert method.scores(model, samples()) is measured


def test_filters_are_ranked_by_several_criteria_while_scores_and_profile_stay_fire():
    model, method = normalised_network(), FirePruning(regressor="linear", drift_threshold=-1)
    graph, fire = firekeras.channel_graph(model), firekeras.measure_fire(model, samples(), fraction=0.2, seed=0)
    ranking = method.ranking(model, samples())
    expected = together(fire, graph, [firekeras.score_filters(model, name) for name in ("l1", "contribution")])
    for name in graph.filter_layers:
        np.testing.assert_array_equal(method.profile[name], fire[name])
        np.testing.assert_array_equal(ranking[name], expected[name])
    model = cut(model)
    graph = firekeras.channel_graph(model)
    later, raw = method.ranking(model, None), method.scores(model, None)
    assert (later.criterion, raw.criterion) == (f"fire_predicted{BESIDE}", "fire_predicted")
    others = [firekeras.score_filters(model, name) for name in ("l1", "contribution")]
    for name, values in together(raw, graph, others).items():
        np.testing.assert_array_equal(later[name], values)


def test_with_nothing_beside_it_fire_alone_ranks():
    model, method = normalised_network(), FirePruning(mode="measured", beside=())
    assert method.ranking(model, samples()) is method.profile
    assert method.plan(model, Run(samples())).criterion == "fire"


def test_a_criterion_beside_it_has_to_exist():
    with pytest.raises(ValueError, match="contribution"):
        FirePruning(beside="contributions")


def test_a_criterion_that_knows_nothing_of_a_network_is_left_out():
    model, data = networks.two_convs(8, 12), np.random.default_rng(0).random((8, 8, 8, 3)).astype("float32")
    method = FirePruning(beside=("contribution", "l1"), drift_threshold=-1)
    assert method.plan(model, Run(data)).criterion == "fire and contribution_measured and l1"
    assert method.plan(model, Run(None)).criterion == "fire and l1"  # without normalisation it needs data


def test_filters_that_meet_an_addition_before_any_relu_are_ranked_by_the_others():
    model, method = networks.residual(), FirePruning(mode="measured", beside="l1")
    ranking = method.ranking(model, samples())
    assert np.isnan(method.profile["stem"]).sum() == 0 and np.isnan(method.profile["a2"]).all()
    norms = firekeras.score_filters(model, "l1")
    order = np.argsort(norms["stem"] + norms["a2"])  # they go together
    assert np.argsort(ranking["a2"]).tolist() == order.tolist() == np.argsort(ranking["stem"]).tolist()
    assert sorted(ranked_alone(model)) == ["a2", "b2", "b_shortcut", "stem"]
    assert method.remarks(model) == ["stem, a2, b2 and 1 more layer without FIRE: l1 alone rank these filters."]
    assert FirePruning(beside=()).remarks(model) == FirePruning().remarks(normalised_network()) == []


def ranked_alone(model):
    """The layers that hold filters that may go and are not scored by FIRE, themselves or with what they go with."""
    graph, fire = firekeras.channel_graph(model), firekeras.measure_fire(model, samples())
    groups = [group for group in graph.groups if any(np.isnan(fire.get(name, np.nan)).any() for name in group)]
    names = [name for group in groups for name in group]
    return [name for name in names if any(graph.lock(name, f) is None for f in range(graph.widths[name]))]


def smooth_network(activation="silu"):
    layers = [L.Conv2D(8, 3, activation=activation), L.Conv2D(8, 3, activation="gelu"), L.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, L.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_without_any_relu_the_others_rank_and_that_is_said():
    model, method = smooth_network(), FirePruning()
    method.check(model, samples())
    assert method.plan(model, Run(samples())).criterion == "l1 and contribution_measured"
    assert (
        method.profile is None and "there is no FIRE: l1 and contribution rank the filters" in method.remarks(model)[0]
    )
    data = samples(), np.arange(64) % 4
    held_out = samples() + 1, data[1]
    result = firekeras.compress(model, data, held_out, target={"conv_macs": 0.5}, epochs=1, verbose=0)
    assert result.costs_after.conv_macs <= 0.5 * result.costs_before.conv_macs
    assert "there is no FIRE" in result.notes[0]


def test_fire_alone_refuses_a_network_without_any_relu():
    with pytest.raises(ValueError, match=r"no FIRE to measure.*method='l1'"):
        firekeras.methods.get("fire_paper").check(smooth_network(), samples())


def test_a_plan_says_nothing_of_a_good_detector():
    method = FirePruning(regressor="linear", fraction=1.0)
    plan = method.plan(normalised_network(), Run(samples()))
    assert method.detector.quality["spearman"] > WEAK and plan.notes == []


def weak(monkeypatch, spearman):
    monkeypatch.setattr(FireDetector, "quality", {"spearman": spearman})


@pytest.mark.parametrize("spearman", [0.31, -0.2, float("nan")])
def test_a_plan_by_predictions_says_that_the_detector_is_weak(monkeypatch, spearman):
    weak(monkeypatch, spearman)
    model, method = normalised_network(), FirePruning(regressor="linear")
    first = method.plan(model, Run(samples()))
    second = method.plan(firekeras.prune(model, first), Run(None))
    assert first.notes == []  # FIRE was measured
    assert len(second.notes) == 1
    assert f"Spearman {spearman:.2f} when cross-validated, below 0.5" in second.notes[0]
    assert "mode='measured'" in second.notes[0]


def test_measuring_in_every_round_needs_no_detector(monkeypatch):
    weak(monkeypatch, 0.0)
    method = FirePruning(mode="measured")
    assert method.plan(normalised_network(), Run(samples())).notes == []
    assert method.detector is None


def test_records_of_rounds_carry_the_note(monkeypatch):
    weak(monkeypatch, 0.1)
    data, held_out = ((samples(), np.zeros((64, 2), "float32")) for _ in range(2))
    method = FirePruning(drift_threshold=-1)  # which predicts in the second round
    settings = {"tolerance": 99, "max_rounds": 2, "epochs": None, "monitor": "loss", "recovery": (), "method": method}
    result = firekeras.compress(normalised_network(), data, held_out, epochs_per_round=0, verbose=0, **settings)
    assert [sum("weakly" in note for note in record.notes) for record in result.rounds] == [0, 1]


def test_the_closed_form_as_regressor():
    model, method = normalised_network(), FirePruning(regressor="gaussian")
    plan = method.plan(model, Run(samples()))
    assert plan.num_removed and method.detector.predict(model).criterion == "fire_predicted"


def test_the_closed_form_on_a_network_without_batch_normalization_is_refused_at_once():
    with pytest.raises(ValueError, match=r"'gaussian' predicts none of the 8 filters.*Use one that learns"):
        FirePruning(regressor="gaussian").plan(bare_network(), Run(samples()))


@pytest.mark.parametrize("regressor", ["mlp", "svr", "random_forest", "gradient_boosting"])
def test_all_regressors_of_table_2_predict_later_rounds(regressor):
    model, method = normalised_network(), FirePruning(regressor=regressor, features="paper")
    method.plan(model, Run(samples()))
    second = method.plan(cut(model), Run(None))
    assert second.criterion == f"fire_predicted{BESIDE}" and second.num_removed
    assert method.detector.regressor == regressor


def test_fire_of_synthetic_images_needs_no_training_data():
    images = firekeras.datasets.synthetic_images((8, 8, 3), 64) / 255
    method = FirePruning(regressor="linear", measure_on=images, fraction=1.0, drift_samples=16)
    model = normalised_network()
    method.plan(model, Run(None))
    profile = firekeras.measure_fire(model, images)
    for name, values in profile.items():
        np.testing.assert_array_equal(method.profile[name], values)
    assert method.plan(model, Run(None)).criterion == f"fire{BESIDE}" and method.details == {}  # it is measured already
    method.plan(cut(model), Run(samples()))
    assert method.details["samples"] == 16  # drift is looked for on the same images


class TurnByTurn(methods.Method):
    """A user's own method: one layer in each round, in turn, and of it the filters of the largest l2 norm."""

    def __init__(self, share=0.25):
        self.share, self.turn, self.details = share, 0, {}

    def plan(self, model, run):
        scores = firekeras.score_filters(model, "l2")
        names = [name for name in scores if name not in run.settings.layer_caps]
        self.details = {"layer": names[self.turn % len(names)]}
        self.turn += 1
        chosen = {self.details["layer"]: -scores[self.details["layer"]]}
        return firekeras.plan_pruning(model, FilterScores(chosen, criterion="largest"), pruning_ratio=self.share)


def compressed(method, **settings):
    model = bare_network() if settings.pop("bare", True) else normalised_network()
    model.compile("sgd", "mse")
    plain = {"epochs": None, "epochs_per_round": 0, "recovery": (), "verbose": 0}
    given = {"tolerance": 99.0, "monitor": "loss", **plain, **settings}
    data = samples(), np.zeros((64, 2), "float32")
    return firekeras.compress(model, data, (samples(), data[1]), method=method, **given)


def test_a_custom_method(monkeypatch):
    """By its object, and by its name where it is registered."""
    settings = {"bare": False, "max_rounds": 2, "layer_caps": {"dense*": 0}}
    by_object = compressed(TurnByTurn(), **settings)
    assert [record.filters_removed for record in by_object.rounds] == [6, 6]
    assert len({record.details["layer"] for record in by_object.rounds}) == 2
    monkeypatch.setitem(methods.METHODS, "turn_by_turn", TurnByTurn)
    by_name = compressed("turn_by_turn", **settings)
    assert by_name.costs_after.macs == by_object.costs_after.macs < by_name.costs_before.macs


def test_a_custom_criterion_in_five_lines():
    try:

        @registry.criterion("largest_weight")
        def largest_weight(kernel, rng):
            return -np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))

        assert compressed("largest_weight", max_rounds=1, pruning_ratio=0.5).rounds[0].filters_removed == 4
    finally:
        del registry.CRITERIA["largest_weight"]


def test_a_criterion_is_measured_on_a_few_samples_of_all(monkeypatch):
    seen = []
    measure = activations.measure_fire
    monkeypatch.setattr(activations, "measure_fire", lambda model, data: seen.append(data) or measure(model, data))
    run = Run((samples(), np.zeros((64, 2), "float32")))
    run.records = []
    plans = [methods.ByScore("apoz", samples=16, seed=seed).plan(normalised_network(), run) for seed in (1, 1, 2)]
    assert [data[0].shape[0] for data in seen] == [16, 16, 16] and plans[0].num_removed
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    assert (seen[0][0] != seen[2][0]).any()


def test_a_method_of_a_criterion_that_does_not_exist_is_refused_at_once():
    with pytest.raises(ValueError, match=r"Unknown criterion 'l3'.*'l1'"):
        methods.ByScore("l3")
    with pytest.raises(ValueError, match=r"samples must be a whole number, at least 1\. Received: 0"):
        methods.ByScore("l1", samples=0)


@pytest.mark.parametrize("fraction", [0, 1.5, "some", float("nan")])
def test_fractions_out_of_range_are_refused_at_once(fraction):
    with pytest.raises(ValueError, match="fraction must be 'auto', or the share of the data"):
        FirePruning(fraction=fraction)


# Drift


def test_predictions_are_checked_on_a_sample_each_round():
    model, method = normalised_network(), FirePruning(regressor="linear", fraction=1.0, drift_samples=16)
    first = method.plan(model, Run(samples()))
    assert method.details == {}
    method.plan(firekeras.prune(model, first), Run(samples()))
    details = method.details
    assert details["samples"] == 16 and not details["refitted"]
    assert 0.8 <= details["spearman"] <= 1 and 0 <= details["precision"] <= 1


def test_a_detector_that_has_drifted_is_trained_again_on_features_that_are_computed_once(monkeypatch):
    model, method = normalised_network(), FirePruning(regressor="linear", fraction=1.0)
    method.plan(model, Run(samples()))
    computed = []
    monkeypatch.setattr(features, "filter_features", lambda *args: computed.append(args) or filter_features(*args))
    model, before, rng = cut(model), method.profile, np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta, mean + rng.normal(size=mean.shape), variance])  # what no feature shows
    plan = method.plan(model, Run(samples()))
    assert method.details["spearman"] < 0.8 and method.details["refitted"]
    assert plan.criterion == f"fire{BESIDE}" and method.profile is not before
    assert len(computed) == len(method.profile)
    fresh = firekeras.measure_fire(model, samples())
    assert method.detector.evaluate(model, fresh)["spearman"] > method.details["spearman"]


def test_without_a_guard_nothing_is_measured_after_the_first_round():
    model, method = normalised_network(), FirePruning(regressor="linear", drift_threshold=-1)
    method.plan(model, Run(samples()))
    assert method.plan(cut(model), Run(samples())).criterion == f"fire_predicted{BESIDE}" and method.details == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"drift_threshold": 1.1}, "drift_threshold.*Received: 1.1"),
        ({"drift_samples": 0}, "drift_samples.*Received: 0"),
    ],
)
def test_a_guard_out_of_range_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        FirePruning(**settings)
