import numpy as np

import firekeras
from firekeras.scores.criteria import CRITERIA
from inspector.state import criteria


def test_all_criteria_are_offered():
    assert set(criteria.names()) == {*CRITERIA, criteria.FILLED}
    assert criteria.names()[:3] == [criteria.FIRE, criteria.FILLED, "l1"]
    assert {name for name in criteria.names() if criteria.needs_data(name)} == {
        name for name in CRITERIA if CRITERIA[name].needs == "data"
    }
    assert all(criteria.tip(name) for name in criteria.names()) and criteria.tip("of a stranger") == ""
    assert criteria.title("fire") == "FIRE" and criteria.title(criteria.FILLED) == "FIRE or l1"


def test_l1_of_the_profile_ranks_as_the_criterion(session):
    profile = session.measured.profile
    known = criteria.known_at_once("l1", profile)
    session.rank_by(known)
    assert all(
        (np.sort(known[name]) == known[name][session.measured.profile.l1[name].argsort()[::-1]]).all() for name in known
    )
    assert criteria.known_at_once("l2", profile) is None and criteria.known_at_once("fire", profile) is profile


def test_what_has_no_fire_is_ranked_by_l1_with_all_that_goes_with_it(session):
    profile = session.measured.profile
    filled = criteria.known_at_once(criteria.FILLED, profile)
    without = {name for name, ranked in profile.rankable().items() if not ranked.all()}
    assert without
    for group in profile.graph.groups:
        largest = max(profile.l1[name].max() for name in group)
        for name in group:
            expected = 1 - profile.l1[name] / largest if without & set(group) else profile[name]
            assert filled[name].tolist() == expected.tolist()
    before = sum(not row.locked for row in session.rows)
    session.rank_by(filled)
    assert sum(not row.locked for row in session.rows) > before
    plan = firekeras.plan_pruning(profile.graph, filled, pruning_ratio=0.3)
    assert {n: w - len(plan.removed.get(n, ())) for n, w in profile.graph.widths.items()} == session.cut.widths
