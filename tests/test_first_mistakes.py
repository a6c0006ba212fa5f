"""Mistakes that people make on their first day: each is refused before any work, and says what to do instead."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

import firekeras
from firekeras.rounds.ownership import Ownership
from firekeras.rounds.run_directory import RunDirectory

pytestmark = pytest.mark.any_backend
X, Y = np.zeros((8, 8, 8, 3), "float32"), np.arange(8) % 3
OTHER = np.ones((8, 8, 8, 3), "float32"), Y


class Augmented(keras.Model):
    """Builds its network itself, and trains in a way of its own."""

    def __init__(self, inputs, outputs, alpha):
        super().__init__(inputs, outputs)
        self.alpha = alpha

    def train_step(self, *arguments):
        raise AssertionError


def compiled(model):
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def small():
    return compiled(networks.two_convs())


def augmented():
    plain = networks.two_convs()
    return compiled(Augmented(plain.inputs, plain.outputs, alpha=1))


def dense():
    x = keras.Input((8, 8, 3))
    hidden = keras.layers.Dense(4, activation="relu")(keras.layers.Flatten()(x))
    return compiled(keras.Model(x, keras.layers.Dense(3, activation="softmax")(hidden)))


def vectors():
    model = networks.two_convs()
    model.compile("sgd", "categorical_crossentropy")
    return model


def reads_text():
    x = keras.Input((4,), dtype="string")
    y = keras.layers.Embedding(4, 8)(keras.layers.StringLookup(vocabulary=["a", "b"])(x))
    y = keras.layers.Flatten()(keras.layers.Conv1D(8, 3, activation="relu")(y))
    return compiled(keras.Model(x, keras.layers.Dense(3, activation="softmax")(y)))


def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


def two_outputs():
    x = keras.Input((8, 8, 3))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(x))
    heads = [keras.layers.Dense(3, activation="softmax", name=name)(y) for name in ("kind", "colour")]
    return compiled(keras.Model(x, heads))


@pytest.mark.parametrize(
    ("model", "data", "settings", "words"),
    [
        (augmented, (X, Y), {}, r"overrides how it trains \(train_step\).* fine_tune=\.\.\.,.*evaluate="),
        (small, (X[..., 0], Y), {}, r"Reshape or resize"),
        (small, (X[0], Y), {}, r"A single sample is a batch of one, x\[None\]"),
        (small, (np.array([X[0], X[1, 1:]], object), Y[:2]), {}, "samples of different sizes"),
        (small, (X, Y.astype(str)), {}, r"must be numbers\. Received: text .*such as \['0'\].*return_inverse"),
        (small, (X.astype(str), Y), {}, r"Expected arrays of numbers\. Received text"),
        (small, batches(X, np.eye(3)[Y]), {}, r"class numbers from 0 to 2, .* of shape \(None, 3\): .*argmax"),
        (vectors, (X, Y), {}, r"a vector of 3 numbers for each label, .*\(8,\): pass keras\.utils\.to_categorical"),
        (vectors, batches(X, Y), {}, r"or compile with the loss 'sparse_categorical_crossentropy'"),
        (small, (X, Y), {"sample_weight": Y}, r"It belongs to the data: pass \(x, y, weights\) as train_data"),
        (small, (X, Y), {"target": {"macs": "0.5"}}, r"Write the number without quotes: 0\.5"),
        (small, (X, Y), {"callbacks": [firekeras.FirePruningCallback()]}, "prunes inside model.fit"),
        (small, (X, Y), {"fine_tune": lambda: None}, r"called with one argument, a model: fine_tune\(model\)"),
        (small, (X, Y), {"max_cut": 0}, "max_cut must be a share, above 0"),
        (dense, (X, Y), {"target": {"conv_macs": 0.5}}, r"There are no conv MACs to save .*\{'macs': 0\.5\}"),
        (two_outputs, (X, {"knid": Y, "colour": Y}), {}, "Unknown output 'knid'.*Did you mean 'kind'"),
        (two_outputs, (X, Y), {}, "The model has 2 outputs, kind, colour.* in a list or a dict by these names"),
    ],
)
def test_refused(model, data, settings, words):
    with pytest.raises(ValueError, match=words):
        firekeras.compress(model(), data, OTHER, **{"epochs": 1, "verbose": 0, **settings})


# Only there Keras has layers that read text, and asks callbacks before it looks at labels itself


@pytest.mark.tensorflow
def test_labels_are_looked_at_in_fit_too():
    with pytest.raises(ValueError, match=r"the labels of `fit` are of shape \(8, 3\): pass y\.argmax"):
        small().fit(X, np.eye(3)[Y], epochs=2, verbose=0, callbacks=[firekeras.FirePruningCallback()])


@pytest.mark.tensorflow
def test_a_network_that_reads_text():
    data = tf.constant([["a", "b", "a", "b"]] * 8), Y
    with pytest.raises(ValueError, match=r"takes text; data are read as numbers\. Prune the part behind its text"):
        firekeras.compress(reads_text(), data, data, epochs=1, verbose=0)


def test_a_plan_for_another_model():
    plan = firekeras.plan_pruning(small(), firekeras.score_filters(small(), "l1"), pruning_ratio=0.3)
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="mine")])
    with pytest.raises(ValueError, match="The plan is for another model: it knows a layer with filters named 'conv1'"):
        firekeras.prune(other, plan)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no such folder"),
        (lambda path: path.mkdir(), r"it holds no run\.json"),
        (lambda path: (path.mkdir(), (path / "lock").write_text("")), "killed before its baseline .*Begin it again"),
    ],
)
def test_a_folder_without_a_run(tmp_path, make, words):
    make(tmp_path / "run")
    with pytest.raises(ValueError, match=f"is not the folder of a run: .*{words}"):
        RunDirectory.open(tmp_path / "run")


def test_a_run_that_has_just_begun(tmp_path):
    owner = Ownership(tmp_path)
    with pytest.raises(ValueError, match="the run has just begun, and is still measuring its baseline"):
        RunDirectory.open(tmp_path)
    owner.release()


def test_what_a_class_loses_is_said_if_the_user_trains():
    model = augmented()
    trained = {"fine_tune": lambda network: None, "evaluate": lambda network: 0.5}
    result = firekeras.compress(model, (X, Y), OTHER, target={"conv_macs": 0.5}, epochs=1, verbose=0, **trained)
    assert any("comes out as a plain keras.Model, without its train_step" in note for note in result.notes)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # which Keras says of any such
def test_a_data_set_of_unknown_length_is_measured_as_a_whole():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: y >= 0).batch(2)
    method = firekeras.methods.FirePruning(mode="measured")
    assert method.scores(small(), data).samples == len(X)


@pytest.mark.parametrize("data", [{"conv_macs": 0.5}, 0.5])
def test_a_target_in_the_place_of_data(data):
    with pytest.raises(ValueError, match=r"The first argument is data to measure on.*target=\{'conv_macs': 0\.5\}"):
        firekeras.FirePruningCallback(data)


@pytest.mark.parametrize(("epochs", "start_epoch"), [(1, 0), (3, 2), (3, 7)])
def test_a_fit_without_an_epoch_to_prune_in(epochs, start_epoch):
    callback = firekeras.FirePruningCallback(start_epoch=start_epoch)
    with pytest.raises(ValueError, match=f"here epoch {start_epoch + 1}, .* fit ends with epoch {epochs}"):
        small().fit(X, Y, epochs=epochs, verbose=0, callbacks=[callback])
