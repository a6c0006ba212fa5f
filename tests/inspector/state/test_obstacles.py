"""Networks that are no classifiers with one output: what cannot be done with them is said before anything starts."""

import keras
import numpy as np
import pytest

import firekeras

KEYS = ("check", "sense", "run", "judging_data")


def two_outputs(x):
    x = keras.layers.GlobalAveragePooling2D()(x)
    return {"kind": keras.layers.Dense(4, name="kind")(x), "level": keras.layers.Dense(1, name="level")(x)}


def masks(x):
    return keras.layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x)


def number(x):
    return keras.layers.Dense(1, name="level")(keras.layers.GlobalAveragePooling2D()(x))


def classes(x):
    return keras.layers.Dense(3, name="kind")(keras.layers.GlobalAveragePooling2D()(x))


@pytest.fixture
def opened(empty_window, tmp_path):
    def open_network(head):
        keras.utils.set_random_seed(0)
        x = inputs = keras.Input((8, 8, 1))
        for filters in (6, 8):
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        model = keras.Model(inputs, head(x))
        model.save(tmp_path / "net.keras")
        firekeras.measure_fire(model, np.ones((4, 8, 8, 1), "float32")).save(tmp_path / "net.fire.h5")
        empty_window.open_path(tmp_path / "net.keras")
        return empty_window

    return open_network


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (two_outputs, "the model has 2 outputs, kind and level; only classifiers with one output"),
        (masks, "the model's output is 8 x 8 x 1; only classifiers with one output"),
        (number, "the model's output is 1; only classifiers with one output"),
    ],
)
def test_what_needs_a_classifier_is_grey_and_says_why(opened, head, why):
    window = opened(head)
    for key in KEYS:
        assert not window.actions_[key].isEnabled() and why in window.actions_[key].toolTip()
    label = window.ratio.accuracy
    assert label.text() == "Accuracy: cannot be checked here" and why[3:] in label.toolTip()
    assert window.actions_["time"].isEnabled() and window.actions_["save"].isEnabled()


def test_a_classifier_can_be_checked(opened):
    window = opened(classes)
    assert all(window.actions_[key].isEnabled() for key in KEYS)
    assert window.ratio.accuracy.text() == "Accuracy: not checked yet (F9)"
