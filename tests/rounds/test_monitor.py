"""Tolerances in units of a metric: which of them keep everything."""

import math

import pytest

from firekeras.rounds.monitor import keeps_all


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
