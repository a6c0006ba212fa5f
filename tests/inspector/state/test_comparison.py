import numpy as np
import pytest

from inspector.state.comparison import Comparison


def test_the_same_network_is_compared_filter_by_filter(session):
    comparison = Comparison.of(session.measured.profile, session.measured.profile, "itself")
    assert not comparison.by_rank and comparison.filter_after(session.rows[0].name, 1) == 1
    np.testing.assert_array_equal(comparison.fire, session.measured.planner.fire)


class Smaller(dict):
    """A profile of a network that lost filters."""

    def __init__(self, fire, widths):
        super().__init__(fire)
        self.graph = type("Graph", (), {"widths": widths})
        self.maps = {}


def test_known_filters_keep_their_places_and_gone_ones_have_no_number(session):
    row = next(row for row in session.rows if not row.locked)
    kept = np.delete(session.measured.profile[row.name], 1)
    widths = {**session.measured.planner.widths, row.name: row.filters - 1}
    later = Smaller({**session.measured.profile, row.name: kept}, widths)
    comparison = Comparison.of(session.measured.profile, later, "later", {row.name: np.array([1])})
    assert comparison.filter_after(row.name, 0) == 0 and comparison.filter_after(row.name, 2) == 1
    assert comparison.filter_after(row.name, 1) is None
    start = session.measured.planner.starts[session.opened.row_of(row.name)]
    np.testing.assert_array_equal(
        comparison.fire[start : start + row.filters][[0, 2]], session.measured.profile[row.name][[0, 2]]
    )


def test_unknown_filters_are_compared_by_rank_and_that_is_said(session):
    row = next(row for row in session.rows if not row.locked)
    widths = {**session.measured.planner.widths, row.name: row.filters - 2}
    comparison = Comparison.of_widths(session.measured.profile, widths, "round 3")
    assert comparison.by_rank == (row.name,) and "does not record which" in comparison.note
    start = session.measured.planner.starts[session.opened.row_of(row.name)]
    fire = comparison.fire[start : start + row.filters]
    kept = np.sort(session.measured.profile[row.name])[: row.filters - 2]
    np.testing.assert_array_equal(np.sort(fire[np.isfinite(fire)]), kept)
    assert comparison.gone.sum() == 2 and np.isnan(comparison.fire[comparison.gone]).all()
    assert "in 1 layer the filters of highest FIRE are assumed" in comparison.note
    assert "without FIRE" not in comparison.note


def test_layers_without_fire_lose_filters_too(session):
    """Nobody knows which; their number shows."""
    profile = session.measured.profile
    layer = next(name for name, fire in profile.items() if np.isnan(fire).all())
    widths = {**session.measured.planner.widths, layer: 1}
    comparison = Comparison.of_widths(profile, widths, "round 3")
    row = session.opened.row(layer)
    start = session.measured.planner.starts[session.opened.row_of(layer)]
    assert comparison.gone[start : start + row.filters].tolist() == [False] + [True] * (row.filters - 1)
    assert "went: in 1 layer without FIRE the last filters are assumed to be gone." in comparison.note


def test_another_network_is_not_compared(session):
    with pytest.raises(ValueError, match="they differ in layer 'other'"):
        Comparison.of_widths(session.measured.profile, {**session.measured.planner.widths, "other": 3}, "later")
