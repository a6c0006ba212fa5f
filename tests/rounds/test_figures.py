import math

import pytest

from firekeras.rounds.figures import RoundFigures, ranked_by

COSTS = {"conv_macs": 10, "macs": 20, "params": 4}


@pytest.mark.parametrize(
    ("accepted", "removed", "outcome"),
    [(True, 3, "kept"), (True, 0, "training"), (False, 3, "undone"), (False, 0, "undone")],
)
def test_a_round_has_one_outcome(accepted, removed, outcome):
    record = RoundFigures(number=1, accepted=accepted, filters_removed=removed, accuracy=0.9, **COSTS)
    assert record.outcome == outcome


def test_a_round_that_cut_nothing_has_no_metric_after_the_cut():
    record = RoundFigures(number=1, accepted=True, filters_removed=0, accuracy=0.9, accuracy_after_cut=0.8, **COSTS)
    assert math.isnan(record.after_cut)


@pytest.mark.parametrize(
    ("criterion", "named"),
    [
        ("balanced fire and l1 and contribution", "FIRE measured"),
        ("fire_predicted", "FIRE predicted"),
        ("balanced l1 and MACs", "l1 and MACs"),
        ("none", "-"),
        ("", "-"),
    ],
)
def test_reports_say_whether_fire_was_measured_or_predicted(criterion, named):
    assert ranked_by(criterion) == named
