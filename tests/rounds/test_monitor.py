"""Tolerances in units of a metric: which of them keep everything."""

import math

import numpy as np
import pytest

from firekeras.rounds.evaluation import too_few_to_judge
from firekeras.rounds.monitor import keeps_all, tolerance_in_words, uncertainty


@pytest.mark.parametrize(
    ("tolerance", "monitor", "kept"),
    [
        (1, "accuracy", "every round"),
        (0.5, "binary_accuracy", "almost every round"),
        (0.2, "accuracy", None),
        (math.inf, "accuracy", None),  # asked for
        (1, "loss", None),  # a share of it
        (1, "psnr", None),
    ],
)
def test_a_tolerance_that_keeps_everything_is_pointed_out(tolerance, monitor, kept):
    words = f"tolerance={tolerance:g} keeps {kept}: it is in units of the metric, 0.01 is one point of {monitor}."
    assert keeps_all(tolerance, monitor) == (words if kept else None)


def test_the_uncertainty_of_an_accuracy_is_that_of_the_binomial_distribution():
    drawn = np.random.default_rng(0).binomial(300, 0.65, size=100_000) / 300
    assert uncertainty(0.65, 300) == pytest.approx(2 * drawn.std(), rel=0.02)
    assert 0 < uncertainty(1, 10) < 0.3


@pytest.mark.parametrize(
    ("labels", "tolerance", "monitor", "said"),
    [
        (np.zeros(300), 0.01, "accuracy", True),
        (np.zeros((300, 1)), 0.01, "accuracy", True),
        (np.eye(3)[np.zeros(300, int)], 0.01, "categorical_accuracy", True),
        (np.zeros(300), 0.06, "accuracy", False),
        (np.zeros(300), 0.01, "loss", False),
        (np.zeros((300, 8, 8)), 0.01, "accuracy", False),  # pixels of an image are not independent
        (np.zeros((300, 5)), 0.01, "binary_accuracy", False),
        (None, 0.01, "accuracy", False),
    ],
)
def test_a_tolerance_finer_than_the_noise_of_the_held_out_samples_is_pointed_out(labels, tolerance, monitor, said):
    found = too_few_to_judge(0.65, (None, labels), tolerance, monitor)
    assert (found is not None) == said
    assert not said or "300 held-out samples cannot judge a tolerance of 0.01: accuracy" in found.replace(
        monitor, "accuracy"
    )


def test_a_tolerance_that_keeps_everything_is_shown_in_points():
    assert tolerance_in_words(1, "accuracy") == "1 (100 points)"
    assert [tolerance_in_words(*case) for case in [(0.01, "accuracy"), (1, "loss")]] == ["0.01", "1"]
