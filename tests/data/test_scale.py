"""Ranges of inputs: another one is suspected only if the network does far better in it."""

import numpy as np
import pytest

from firekeras.data.scale import AS_THEY_ARE, applied, most_frequent, suspected_range

Y = np.arange(40) % 2


def bright(low, high):
    """A classifier of dark and bright inputs between `low` and `high`, and nothing but class 0 outside of it."""

    def accuracy(x, y):
        inside = low <= x.min() < low + (high - low) / 4 and (low + high) / 2 < x.max() <= high
        return float((((x.mean(axis=1) > (low + high) / 2) if inside else np.zeros(len(x))) == y).mean())

    return accuracy


@pytest.mark.parametrize(
    ("low", "high", "given", "words"),
    [
        (0, 1, (0, 255), "divided by 255 .* --scale 1/255"),
        (-1, 1, (0, 255), "divided by 127.5, minus 1"),
        (0, 255, (0, 1), "multiplied by 255"),
        (-1, 1, (0, 1), "multiplied by 2, minus 1"),
        (0, 255, (-1, 1), "plus 1, multiplied by 127.5"),
        (0, 1, (-1, 1), "plus 1, divided by 2"),
    ],
)
def test_the_range_that_it_was_trained_on_is_named(low, high, given, words):
    x = np.array(given, "float32")[Y][:, np.newaxis] * np.ones((1, 3), "float32")
    found = suspected_range(bright(low, high), x, Y, given=AS_THEY_ARE)
    assert "accuracy is 0.50, and 1.00" in found and all(part in found for part in words.split(" .* "))
    in_python = suspected_range(bright(low, high), x, Y)
    assert "--" not in in_python and in_python.endswith("bring the data into it.")
    assert suspected_range(bright(*given), x, Y) is None


@pytest.mark.parametrize(
    ("low", "high", "options", "words"),
    [
        (
            0,
            255,
            (1 / 255, None, None),
            "inputs as they are. .* that range, take them as they are, without",
        ),
        (-1, 1, (1 / 255, None, None), "divided by 127.5, minus 1. If .* (--scale 1/127.5 --mean 1)"),
        (0, 1, (1 / 127.5, [1.0], None), "divided by 255. If .* (--scale 1/255)"),
        (0, 255, (1 / 127.5, 1, None), "inputs as they are. If"),
        (0, 255, (1, None, 255.0), "inputs as they are. If"),
        (0, 255, (1 / 255, [0.0, 0.0, 0.0], None), "multiplied by 255. If"),
    ],
)
def test_the_range_is_that_of_the_data_not_of_what_options_made_of_them(low, high, options, words):
    """Other options replace those that are given."""
    scale, mean, std = options
    given = applied({"scale": scale, "mean": mean, "std": std})
    raw = np.array((0, 255), "float32")[Y][:, np.newaxis] * np.ones((1, 3), "float32")
    x = (raw * scale - (mean or 0)) / (std or 1)
    found = suspected_range(bright(low, high), x, Y, given=given)
    assert all(part in found for part in words.split(" .* ")), found


def test_a_network_that_is_bad_in_every_range_is_not_suspected():
    x = np.random.default_rng(0).integers(0, 256, (40, 3)).astype("uint8")
    assert suspected_range(lambda x, y: 0.3, x, Y) is None
    assert suspected_range(lambda x, y: 0.3, x[:0], Y[:0]) is None


def test_a_network_that_has_learned_something_is_suspected_less_easily():
    x, y = np.linspace(0, 1, 40, dtype="float32")[:, np.newaxis], np.arange(40) % 10

    def lags(x, y):  # on statistics of BatchNormalization that lag behind, a wrong range may well do better
        return 0.51 if x.max() <= 1 else 0.72

    assert suspected_range(lags, x, y) is None
    assert suspected_range(lambda x, y: lags(x, y) - 0.35, x, y) is not None


def test_statistics_that_lag_behind_are_no_wrong_range():
    x, y = np.linspace(0, 1, 40, dtype="float32")[:, np.newaxis], np.arange(40) % 10

    def lags(x, y):
        return 0.11 if x.max() <= 1 else 0.67

    assert suspected_range(lags, x, y, settled=lambda x, y: 0.83) is None
    assert suspected_range(lags, x, y, settled=lambda x, y: 0.71) is not None  # new statistics undo a wrong range too


def test_labels_may_be_one_hot():
    assert most_frequent(np.eye(4)[[0, 1, 1, 2]]) == most_frequent(np.array([[0], [1], [1], [2]])) == 0.5
