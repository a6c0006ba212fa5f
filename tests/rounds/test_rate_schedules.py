"""Schedules: a user's own function is tried before any training."""

import math

import numpy as np
import pytest

from firekeras.rounds.rate_schedules import get_schedule

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("factor", ["0.5", None, -0.1, math.nan, math.inf, np.ones(2), 1j])
def test_a_function_that_gives_no_factor_is_refused(factor):
    with pytest.raises(ValueError, match=r"schedule must return the factor .*For 0\.0 it returned"):
        get_schedule(lambda progress: factor)


@pytest.mark.parametrize("factor", [0, 1, 0.5, np.float32(2), np.array(0.1)])
def test_a_function_that_gives_factors_is_itself(factor):
    def schedule(progress):
        return factor

    assert get_schedule(schedule) is schedule
