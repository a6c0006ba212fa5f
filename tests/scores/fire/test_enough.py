"""Stopping when it is settled which filters go: the bound holds, and easy rankings settle early."""

import math

import keras
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras.channels import traced
from firekeras.scores.fire.counting_pass import CountingPass
from firekeras.scores.fire.enough import SLACK, radius, settled


def test_the_bound_is_that_of_the_paper_and_nothing_once_all_was_seen():
    log = math.log(5 / 0.01)
    expected = 0.2 * math.sqrt(2 * (1 - 99 / 1000) * log / 100) + (7 / 3 + 3 / math.sqrt(2)) * log / 100
    assert radius(0.2, 100, 1000, 0.01) == pytest.approx(expected)
    assert radius(np.array([0.2]), 1000, 1000, 0.01) == 0
    assert radius(0.2, 100, math.inf, 0.01) > radius(0.2, 100, 1000, 0.01) > radius(0.2, 900, 1000, 0.01)


def test_far_apart_is_settled_and_close_together_is_not_until_all_was_seen():
    mean, still = np.linspace(0, 1, 20), np.zeros(20)
    assert settled(mean, still, 20_000, math.inf, 0.1, 1)
    assert not settled(mean, still, 20, math.inf, 0.1, 1)
    close, moving = np.linspace(0.5, 0.51, 20), np.full(20, 0.3)
    assert not settled(close, moving, 5_000, 50_000, 0.1, 1)
    assert settled(close, moving, 50_000, 50_000, 0.1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_called_settled_is_right_within_the_slack_as_often_as_is_said(seed):
    rng = np.random.default_rng(seed)
    wrong = stopped = 0
    for _ in range(60):
        rates = rng.beta(*rng.uniform(0.2, 3, (2, 40)), size=(6_000, 40)) * rng.uniform(0.02, 0.2, 40) + rng.uniform(
            0, 0.8, 40
        )
        truth = rates.mean(0)
        for look, n in enumerate((400, 800, 1600, 3200, 5000), start=1):
            mean = rates[:n].mean(0)
            if settled(mean, rates[:n].std(0), n, 6_000, 0.2, look):
                goes = np.argsort(-mean, kind="stable")[:8]
                stopped += n < 5000
                wrong += np.delete(truth, goes).max() - truth[goes].min() > SLACK
                break
    assert stopped > 10
    assert wrong <= 0.05 * 60


def network():
    """A network whose filters are spread over the whole range of FIRE by their biases."""
    i = keras.Input((8, 8, 1))
    conv = L.Conv2D(16, 1, activation="relu", name="conv")
    model = keras.Model(i, L.Dense(2)(L.GlobalAveragePooling2D()(conv(i))))
    conv.set_weights([np.ones((1, 1, 1, 16)), np.linspace(-1, 0, 16)])
    return model


def images(count):
    return np.random.default_rng(0).uniform(0, 1, (count, 8, 8, 1)).astype("float32")


def test_auto_stops_early_and_the_same_way_for_the_same_seed():
    model, x = network(), images(6_000)
    one = firekeras.measure_fire(model, x, fraction="auto", cut=0.25, seed=1)
    other = firekeras.measure_fire(model, x, fraction="auto", cut=0.25, seed=1)
    assert one.samples == other.samples < 6_000
    np.testing.assert_array_equal(one.zeros["conv"], other.zeros["conv"])
    full = firekeras.measure_fire(model, x)
    assert set(np.argsort(-one["conv"])[:4]) == set(np.argsort(-full["conv"])[:4])


def test_auto_looks_at_everything_where_nothing_settles():
    model, x = network(), images(300)
    model.layers[1].set_weights([np.ones((1, 1, 1, 16)), np.full(16, -0.5)])
    model.layers[1].kernel.assign(model.layers[1].kernel + 1e-3 * np.arange(16))
    profile = firekeras.measure_fire(model, x, fraction="auto", batch_size=16)
    np.testing.assert_array_equal(profile.zeros["conv"], firekeras.measure_fire(model, x).zeros["conv"])


def test_auto_takes_data_in_batches_too():
    class Batches(keras.utils.PyDataset):
        num_batches = 400

        def __getitem__(self, index):
            return (images(32),)

    profile = firekeras.measure_fire(network(), Batches(), fraction="auto", cut=0.25)
    assert profile.samples < 400 * 32


@pytest.mark.parametrize("per_position", [False, True])
def test_the_deviation_is_that_of_the_rates_of_samples(per_position):
    model, x = network(), images(50)
    counting = CountingPass(model, {relu.key: relu.axis for relu in traced(model).relus}, per_position, spread=True)
    counting.run((x,))
    y = keras.ops.convert_to_numpy(model.layers[1](x))
    expected = (y == 0).mean(axis=(1, 2)).std(axis=0)
    np.testing.assert_allclose(next(iter(counting.counts().values())).deviation(), expected, atol=1e-5)


@pytest.mark.parametrize("cut", [0, 1, -0.1])
def test_a_cut_out_of_range_is_refused(cut):
    with pytest.raises(ValueError, match="share of filters that will be removed"):
        firekeras.measure_fire(network(), images(4), fraction="auto", cut=cut)


def test_a_fraction_that_is_another_word_is_refused():
    with pytest.raises(ValueError, match=r"fraction must be 'auto', or the share .*Received: 'half'"):
        firekeras.measure_fire(network(), images(4), fraction="half")
