"""FIREPruning as a method: what it measures and learns, and what its plans say of the detector."""

import keras
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras import methods
from firekeras.detector import FireDetector
from firekeras.methods import FirePruning
from firekeras.methods.fire import WEAK

NO_CAPS = {"layer_caps": {}, "original_widths": {}}


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


def test_the_first_round_measures_and_later_ones_predict():
    model, method = normalised_network(), FirePruning(regressor="linear", pruning_ratio=0.2)
    first = method.plan(model, samples(), **NO_CAPS)
    smaller = firekeras.prune(model, first)
    second = method.plan(smaller, None, **NO_CAPS)
    assert (first.criterion, second.criterion) == ("fire", "fire_predicted")
    assert second.num_removed == round(0.2 * (48 - first.num_removed))


def test_a_plan_says_nothing_of_a_good_detector():
    method = FirePruning(regressor="linear", fraction=1.0)
    plan = method.plan(normalised_network(), samples(), **NO_CAPS)
    assert method.detector.quality["spearman"] > WEAK and plan.notes == []


def weak(monkeypatch, spearman):
    monkeypatch.setattr(FireDetector, "quality", {"spearman": spearman})


@pytest.mark.parametrize("spearman", [0.31, -0.2, float("nan")])
def test_a_plan_says_that_the_detector_is_weak(monkeypatch, spearman):
    weak(monkeypatch, spearman)
    model, method = normalised_network(), FirePruning(regressor="linear")
    first = method.plan(model, samples(), **NO_CAPS)
    second = method.plan(firekeras.prune(model, first), None, **NO_CAPS)
    for plan in (first, second):
        assert len(plan.notes) == 1
        assert f"Spearman {spearman:.2f} when cross-validated, below 0.5" in plan.notes[0]
        assert "mode='measured'" in plan.notes[0]


def test_measuring_in_every_round_needs_no_detector(monkeypatch):
    weak(monkeypatch, 0.0)
    method = FirePruning(mode="measured")
    assert method.plan(normalised_network(), samples(), **NO_CAPS).notes == []
    assert method.detector is None


def test_records_of_rounds_carry_the_note(monkeypatch):
    weak(monkeypatch, 0.1)
    data = samples(), np.zeros((64, 2), "float32")
    result = firekeras.compress(
        normalised_network(), data, data, tolerance=99, max_rounds=2, epochs_per_round=0, monitor="loss"
    )
    assert [sum("weakly" in note for note in record.notes) for record in result.rounds] == [1, 1]


def test_the_closed_form_as_regressor():
    model, method = normalised_network(), FirePruning(regressor="gaussian")
    plan = method.plan(model, samples(), **NO_CAPS)
    assert plan.num_removed and method.detector.predict(model).criterion == "fire_predicted"


def test_the_closed_form_on_a_network_without_batch_normalization_is_refused_at_once():
    with pytest.raises(ValueError, match=r"'gaussian' predicts none of the 8 filters.*Use one that learns"):
        FirePruning(regressor="gaussian").plan(bare_network(), samples(), **NO_CAPS)
