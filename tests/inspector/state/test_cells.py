import math

import numpy as np

from inspector.state.cells import PADDING, Cells, bands, going_order, room_beside, stretches

STARTS = np.array([0, 2, 6])


def cells(stretched):
    places = np.array([2, 0, 1, 0, 3, 4])
    fire = np.array([0.8, np.nan, 0.9, 0.3, 0.7, 0.6])
    return Cells.of(STARTS, going_order(STARTS, places, fire), stretched=stretched)


def test_rows_go_from_what_stays_to_what_goes_first():
    assert cells(False).grid.tolist() == [[1, 0, PADDING, PADDING], [3, 5, 4, 2]]


def test_stretched_rows_fill_the_width():
    assert cells(True).grid.tolist() == [[1, 1, 0, 0], [3, 5, 4, 2]]


def test_a_filter_is_found_where_it_lies():
    for one in (cells(False), cells(True)):
        assert one.filter_at(1, 3.5) == 0 and one.filter_at(1, 0) == 1
        assert one.filter_in(1, one.position(1, 2)) == 2
    assert cells(False).filter_at(0, 2.5) is None and cells(True).filter_at(0, 2.5) == 0
    assert cells(False).filter_at(0, -1) is None and cells(False).filter_at(9, 0) is None


def test_a_column_is_the_share_of_filters_to_its_right():
    assert cells(False).share_right_of(1, 3) == 0.25 and cells(False).share_right_of(0, 3) == 0
    assert cells(True).share_right_of(0, 2) == 0.5
    assert cells(True).left_edge(0, 1) == 2 and cells(False).left_edge(0, 1) == 1


def test_runs_are_unbroken_stretches():
    rows, begins, ends = stretches(np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], bool))
    assert list(zip(rows, begins, ends, strict=True)) == [(0, 0, 2), (0, 3, 4), (2, 1, 4)]


def test_bands_that_overlap_lie_beside_each_other():
    assert bands([[0, 2], [1, 3], [4, 5]]) == [(0, [0, 2]), (1, [1, 3]), (0, [4, 5])]


def test_lines_of_a_row_have_the_room_of_its_stretches_and_of_what_stays_before_them():
    found = [(0, 2, 6), (0, 8, 11), (0, 13, 20), (1, 9, 10)]
    assert room_beside(found) == [2, 2, 2, math.inf]
