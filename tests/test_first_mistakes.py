"""Mistakes that people make on their first day: each is refused before any work, and says what to do instead."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf

import firekeras

pytestmark = pytest.mark.trains
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
