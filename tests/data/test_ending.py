"""Data sets of which nobody knows how many batches there are: bounded, or watched."""

import itertools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import firekeras
from firekeras.data import ending
from firekeras.data.ending import Pass, bounded, ends, num_batches, watched

pytestmark = pytest.mark.any_backend
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 6, 6, 1)).astype("float32"), np.arange(8) % 2
ARRAYS = (X, Y)


def endless():
    """A data set that never ends, and does not say so."""
    signature = (tf.TensorSpec((8, 6, 6, 1)), tf.TensorSpec((8,), tf.int32))
    return tf.data.Dataset.from_generator(lambda: itertools.repeat(ARRAYS), output_signature=signature)


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return X, Y


def network():
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten()])
    model.add(layers.Dense(2, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def compressed(train, validation, **settings):
    settings = {"target": {"conv_macs": 0.7}, "epochs": 1, "verbose": 0, **settings}
    return firekeras.compress(network(), train, validation, **settings)


class Impatient:
    """A clock on which every pass has gone on for long."""

    def monotonic(self):
        self.now = getattr(self, "now", 0) + 100
        return self.now


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(ending, "time", Impatient())


@pytest.mark.parametrize("make", [endless, lambda: tf.data.Dataset.from_tensors(ARRAYS).repeat(), Endless])
def test_steps_bound_measuring_and_judging(make):
    result = compressed(make(), make(), steps_per_epoch=2, validation_steps=3)
    assert result.costs_after.conv_macs <= 0.7 * result.costs_before.conv_macs
    assert 0 <= result.accuracy <= 1


def test_fire_is_measured_on_as_many_batches_as_an_epoch_has():
    rounds = firekeras.compression_rounds(
        network(), endless(), ARRAYS, steps_per_epoch=3, method=firekeras.methods.FirePruning("measured"), epochs=1
    )
    next(rounds)
    assert rounds.profile.samples == 3 * len(X)


@pytest.mark.parametrize("steps", [{"steps_per_epoch": 0}, {"validation_steps": 1.5}])
def test_steps_are_whole_numbers(steps):
    with pytest.raises(ValueError, match=next(iter(steps))):
        compressed(endless(), ARRAYS, **steps)


def test_a_torch_loader_is_bounded():
    torch = pytest.importorskip("torch")

    class Forever(torch.utils.data.IterableDataset):
        def __iter__(self):
            return itertools.cycle(zip(X, Y, strict=True))

    loader = torch.utils.data.DataLoader(Forever(), batch_size=4)
    first = bounded(loader, 3)
    assert not ends(loader)
    assert ends(first)
    assert [len(x) for x, _ in first] == [4, 4, 4]
    assert firekeras.measure_fire(network(), first).samples == 12


def test_arrays_are_cut_to_whole_batches_or_left_whole():
    assert len(bounded(ARRAYS, 2, batch_size=3)[0]) == 6
    assert bounded(ARRAYS, 2) is ARRAYS


def test_a_data_set_of_known_length_stays_known():
    assert num_batches(bounded(tf.data.Dataset.from_tensors(ARRAYS).repeat(5), 2)) == 2


@pytest.mark.parametrize("method", ["fire", "l1", "taylor"])
def test_training_data_that_do_not_seem_to_end_are_named(impatient, method):
    named_in_time(endless(), ARRAYS, method)


def test_validation_data_that_do_not_seem_to_end_are_named(impatient):
    named_in_time(ARRAYS, endless(), "fire")


def named_in_time(train, validation, method):
    with warnings.catch_warnings(), pytest.raises(UserWarning, match=r"no end of the data is known.*steps_per_epoch"):
        warnings.filterwarnings("error", message=".*no end of the data")
        compressed(train, validation, method=method)


def test_data_that_have_ended_once_are_not_suspected(impatient):
    data = endless().take(3)
    for _ in range(2):
        with Pass(data, "Checking") as read:
            read.end()
    with watched(data, "Judging") as callbacks:
        assert callbacks == []


def test_the_live_line_counts(impatient, monkeypatch):
    said = []
    monkeypatch.setattr(ending.Activity, "update", lambda self, text: said.append(text))
    with pytest.warns(UserWarning, match="Judging: 1 batches"), watched(endless(), "Judging") as callbacks:
        network().evaluate(endless(), steps=2, verbose=0, callbacks=callbacks)
    assert said == ["Judging: 1 batches so far", "Judging: 2 batches so far"]


def test_the_callback_measures_on_as_many_batches_as_an_epoch_has():
    callback = firekeras.FirePruningCallback(endless(), target={"conv_macs": 0.7}, verbose=0)
    fit = {"steps_per_epoch": 2, "validation_data": ARRAYS, "epochs": 2, "verbose": 0, "shuffle": False}
    network().fit(endless(), callbacks=[callback], **fit)
    assert callback.profile.samples == 2 * len(X)
