"""What was compiled for a measurement serves the next one of the same model, and only that."""

import copy
import gc
import weakref

import keras
import networks
import numpy as np
import pytest

import firekeras
from firekeras.scores.fire.counting_pass import KEPT

pytestmark = pytest.mark.every_backend


def measured(model, x, **settings):
    return firekeras.measure_fire(model, x, batch_size=8, **settings)


def assert_same_counts(one, other):
    assert one.zeros.keys() == other.zeros.keys()
    for name, zeros in one.zeros.items():
        np.testing.assert_array_equal(zeros, other.zeros[name])
        np.testing.assert_array_equal(one.seen[name], other.seen[name])


@pytest.fixture
def model():
    return networks.scramble(networks.two_convs())


def fresh(model):
    """An equal model that was never measured."""
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    return again


@pytest.mark.compiled
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch compiles nothing: each batch calls the layers")
def test_a_second_measurement_traces_nothing(model):
    x, calls, conv = networks.samples(model, 16), [], model.get_layer("conv1")
    call = conv.call
    object.__setattr__(conv, "call", lambda *args, **kwargs: calls.append(1) or call(*args, **kwargs))
    measured(model, x)
    assert calls
    calls.clear()
    measured(model, x)
    assert not calls
    measured(model, x, neuron_maps=True)
    assert calls


def test_a_second_measurement_counts_from_zero_with_the_weights_of_the_moment(model):
    x, y = networks.samples(model, 20), networks.samples(model, 9)
    measured(model, x)
    networks.scramble(model, seed=5)
    assert_same_counts(measured(model, y), measured(fresh(model), y))


def test_a_layer_that_is_set_otherwise_is_measured_as_it_is(model):
    x = networks.samples(model, 8)
    before = measured(model, x)
    model.get_layer("conv1").padding = "valid" if model.get_layer("conv1").padding == "same" else "same"
    after = measured(model, x)
    assert after.seen["conv1"][0] != before.seen["conv1"][0]


def test_a_measurement_that_fails_leaves_nothing(model):
    x = networks.samples(model, 8)
    measured(model, x)
    with pytest.raises(ValueError, match="NaN"):
        measured(model, np.full_like(x, np.nan))
    assert model not in KEPT
    assert_same_counts(measured(model, x), measured(fresh(model), x))


def test_a_measured_model_is_saved_and_copied_as_before(model, tmp_path):
    x = networks.samples(model, 8)
    expected = model.predict(x, verbose=0)
    layers, weights = len(model.layers), len(model.weights)
    measured(model, x)
    assert (len(model.layers), len(model.weights)) == (layers, weights)
    model.save(tmp_path / "model.keras")
    for again in (keras.saving.load_model(tmp_path / "model.keras"), copy.deepcopy(model)):
        assert again not in KEPT
        np.testing.assert_array_equal(again.predict(x, verbose=0), expected)


def test_a_measured_model_can_be_pruned_and_is_not_kept_alive():
    model = networks.scramble(networks.two_convs())
    profile = measured(model, networks.samples(model, 8))
    smaller = firekeras.prune(model, firekeras.plan_pruning(model, profile, pruning_ratio=0.3))
    assert smaller not in KEPT
    gone = weakref.ref(model)
    del model, profile, smaller
    keras.utils.clear_session()
    gc.collect()
    assert gone() is None
