import dataclasses

import pytest

from inspector.state import words
from inspector.state.changes import milliseconds
from inspector.state.comparison import Comparison, Mode


def test_every_filter_and_every_layer_says_why(session):
    session.choose(session.with_caps([next(r.name for r in session.rows if not r.locked)], 0.0))
    for row in session.rows:
        assert words.why_layer(session, row.name).startswith(f"{row.name} keeps ")
        for filter in range(row.filters):
            goes = "goes" if session.gone(row.name, filter) else "stays"
            assert words.why_filter(session, row.name, filter).startswith(f"Filter {filter} of {row.name} {goes}: ")
    locked = [row for row in session.rows if row.locked]
    assert locked and all(row.locked in words.why_layer(session, row.name) for row in locked)


def test_a_cap_that_rounding_makes_nothing_of_says_so(session):
    row = next(row for row in session.rows if not row.locked and row.filters >= 8)
    session.choose(dataclasses.replace(session.with_caps([row.name], 0.2), round_to=row.filters, ratio=0.5))
    said = words.why_layer(session, row.name)
    assert f"keeps {row.filters} of {row.filters} filters; its cap lets at most 20% be removed, and numbers of" in said
    assert f"rounded to multiples of {row.filters}" in said


def test_a_readout_names_the_filter_and_its_number(session):
    row = next(row for row in session.rows if not row.locked)
    line = words.readout(session, row.name, 0)
    assert line.startswith(f"{row.name}, filter 0: FIRE {session.measured.profile[row.name][0]:.3f}, rank ")


def test_what_nobody_recorded_is_called_an_assumption(session):
    profile, row = session.measured.profile, next(row for row in session.rows if not row.locked)
    widths = {**session.measured.planner.widths, row.name: row.filters - 1}
    session.compare(Comparison.of_widths(profile, widths, "round 3"), Mode.CUTS)
    highest = int(profile[row.name].argmax())
    assert words.readout(session, row.name, highest).endswith(", assumed to be removed")
    assert words.reasons(session, row.name, highest)[0].startswith("round 3: assumed to be removed; ")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5.04e-5, "0.0504"), (3e-5, "0.0300"), (2.36e-4, "0.236"), (0.0125, "12.5"), (0.12, "120"), (1.25, "1,250")],
)
def test_times_have_three_digits(seconds, said):
    assert milliseconds(seconds) == said


def test_layers_without_fire_are_counted_and_called_so(session):
    without = [row for row in session.rows if row.locked]
    graph = session.opened.graph
    ends = [name for name in graph.filter_layers if session.opened.is_locked(name)]  # outputs, for instance
    number = len(without) - len(ends)
    said = words.without_score(session)
    assert number > 1 and ends and said.startswith(f" {number} of {len(session.rows)} layers have no FIRE: they, or ")
