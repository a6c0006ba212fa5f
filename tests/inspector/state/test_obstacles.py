"""What cannot be done with a network is said before anything starts: it is no classifier, or takes several inputs."""

import keras
import numpy as np
import pytest
from PySide6 import QtWidgets

import firekeras
from firekeras.keras_models.losses import tells_two_apart
from inspector.state import words
from inspector.state.weights import ModelWeights

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


def vectors(x):
    return keras.layers.Dense(4, name="code")(keras.layers.GlobalAveragePooling2D()(x))


def test_a_network_that_was_trained_on_values_is_no_classifier(opened, tmp_path):
    window = opened(vectors)
    assert window.actions_["check"].isEnabled()
    model = keras.models.load_model(tmp_path / "net.keras")
    model.compile("sgd", "mean_squared_error")
    model.save(tmp_path / "net.keras")
    window.open_path(tmp_path / "net.keras")
    assert "the model was compiled with mean_squared_error; only classifiers" in window.actions_["check"].toolTip()
    model.layers[-1].activation = keras.activations.softmax
    model.save(tmp_path / "net.keras")
    window.open_path(tmp_path / "net.keras")
    assert window.actions_["check"].isEnabled()


def test_criteria_that_need_labels_are_refused_for_several_outputs(opened):
    window = opened(two_outputs)
    window.dialog = None
    window.rank_by("taylor")
    assert "Filters cannot be ranked by taylor here: the model has 2 outputs" in window.banner.words.text()
    assert window.dialog is None


def two_classes(x):
    return keras.layers.Dense(1, activation="sigmoid", name="kind")(keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("head", [classes, two_classes])
def test_a_classifier_can_be_checked(opened, head):
    window = opened(head)
    assert all(window.actions_[key].isEnabled() for key in KEYS)
    assert window.ratio.accuracy.text() == "Accuracy: not checked yet (F9)"


def logit(loss):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("loss", "two_classes"),
    [
        ("binary_crossentropy", True),
        (keras.losses.BinaryCrossentropy(from_logits=True), True),
        (keras.losses.binary_crossentropy, True),
        ("mse", False),
    ],
)
def test_the_loss_tells_a_score_of_two_classes_from_a_number(tmp_path, loss, two_classes):
    """As the command line tells them apart, which loads the model."""
    logit(loss).save(tmp_path / "net.keras")
    weights = ModelWeights(tmp_path / "net.keras")
    weights.close()
    assert weights.tells_two_apart == tells_two_apart(keras.models.load_model(tmp_path / "net.keras")) == two_classes


@pytest.fixture
def two_inputs(empty_window, tmp_path):
    """A window with a network of two inputs, which was measured in Python if a test asks for that."""

    def open_network(*, measured):
        inputs = [keras.Input((4,), name="image"), keras.Input((3,), name="numbers")]
        x = keras.layers.Dense(6, activation="relu", name="joint")(keras.layers.Concatenate()(inputs))
        model = keras.Model(inputs, keras.layers.Dense(3, name="kind")(x))
        model.save(tmp_path / "net.keras")
        if measured:
            data = [np.ones((4, size), "float32") for size in (4, 3)]
            firekeras.measure_fire(model, data).save(tmp_path / "net.fire.h5")
        empty_window.open_path(tmp_path / "net.keras")
        return empty_window

    return open_network


def test_what_needs_files_of_data_is_grey_for_two_inputs(two_inputs):
    window = two_inputs(measured=True)
    for key in ("measure", *KEYS):
        action = window.actions_[key]
        assert not action.isEnabled() and "takes 2 inputs, image and numbers;" in action.toolTip()
    assert all(window.actions_[key].isEnabled() for key in ("time", "table", "save", "save_plan"))
    window.rank_by("taylor")
    assert "Filters cannot be ranked by taylor here: the model takes 2 inputs" in window.banner.words.text()
    assert window.dialog is None and window.session.ranks_by_fire


def test_how_to_measure_two_inputs_is_said_on_the_page(two_inputs):
    window = two_inputs(measured=False)
    assert 'profile.save("net.fire.h5")' in window.empty.words.text()
    assert window.ratio.costs.text() == "Measure FIRE in Python to preview a cut"
    assert window.empty.button.text() == "Open" and window.empty.button.isEnabled()


def test_a_network_of_series_is_not_asked_for_images(empty_window, tmp_path):
    inputs = keras.Input((16, 3))
    x = keras.layers.Conv1D(4, 3, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    model.save(tmp_path / "net.keras")
    empty_window.open_path(tmp_path / "net.keras")
    assert "needs samples like those that the network" in empty_window.empty.words.text()
    firekeras.measure_fire(model, np.ones((4, 16, 3), "float32")).save(tmp_path / "net.fire.h5")
    empty_window.open_path(tmp_path / "net.keras")
    texts = [words.about(empty_window.session)]
    for key in ("measure", "check", "run"):
        empty_window.actions_[key].trigger()
        dialog = empty_window.dialog
        texts += [label.text().replace("&", "") for label in dialog.findChildren(QtWidgets.QLabel)]
        dialog.reject()
    assert "measured on 4 samples" in texts[0] and texts.count("Maximum samples") == 2
    assert not [text for text in texts if "images" in text]
