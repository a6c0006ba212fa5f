"""The line that says how long a run will still take."""

from firekeras.report.progress import time_left

ROUNDS, STARTED = [{"epochs": 2, "seconds": 20.0}], {"epochs": 5}


def test_the_time_left_counts_down_between_rounds():
    assert time_left(ROUNDS, STARTED) == "; at most about 30 s more"
    assert time_left(ROUNDS, STARTED, since=12.0) == "; at most about 18 s more"


def test_a_round_that_takes_longer_than_expected_has_no_time_left():
    assert time_left(ROUNDS, STARTED, since=31.0) == time_left([], STARTED) == ""
