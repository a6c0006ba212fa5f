import dataclasses

import numpy as np
import pytest
from PySide6 import QtCore, QtGui

from inspector.state import palette, words
from inspector.state.cells import PADDING
from inspector.state.comparison import Comparison, Mode
from inspector.state.heatmap_image import heatmap_image, largest_difference
from inspector.views.heatmap_items import GoneCells, PointedAt
from inspector.views.name_axis import NameAxis
from inspector.widgets import theme

Qt = QtCore.Qt


def pixel(window, row, column):
    """The colour in the middle of a cell, on the screen."""
    heatmap = window.heatmap
    scene = heatmap.box.mapViewToScene(QtCore.QPointF(column + 0.5, row + 0.5))
    at = heatmap.mapFromScene(scene)
    return heatmap.grab().toImage().pixelColor(at).getRgb()[:3]


def scored(window):
    """Cells (row, column, FIRE) of filters that stay, away from the cut line."""
    session = window.session
    for (row, column), number in np.ndenumerate(session.measured.cells.grid):
        if (
            number != PADDING
            and np.isfinite(session.measured.planner.fire[number])
            and not session.measured.preview.gone[number]
        ):
            yield row, column, session.measured.planner.fire[number]


def colour_of(fire):
    return tuple(palette.FIRE[min(255, int(fire * 256))].tolist())


def test_cells_have_the_colour_of_their_fire(window):
    window.editor.set_ratio(0)
    cells = list(scored(window))
    assert len(cells) > 20
    for row, column, fire in cells[::5]:
        assert pixel(window, row, column) == colour_of(fire)


def test_filters_without_fire_are_grey_and_no_filter_is_background(window):
    session = window.session
    current = theme.current()
    row, column = next(
        at
        for at, n in np.ndenumerate(session.measured.cells.grid)
        if n != PADDING and np.isnan(session.measured.planner.fire[n])
    )
    assert pixel(window, row, column) == current.unscored
    row, column = np.argwhere(session.measured.cells.grid == PADDING)[-1]
    assert pixel(window, row, column) == current.background


def test_what_goes_is_hatched_at_once(window, qtbot):
    window.editor.set_ratio(0)
    before = window.heatmap.grab().toImage()
    window.editor.set_ratio(0.5)
    after = window.heatmap.grab().toImage()
    session, heatmap = window.session, window.heatmap
    changed = unchanged = 0
    for (row, column), number in np.ndenumerate(session.measured.cells.grid):
        if number == PADDING:
            continue
        cell = QtCore.QRectF(column + 0.3, row + 0.3, 0.4, 0.4)
        shown = heatmap.mapFromScene(heatmap.box.mapViewToScene(cell)).boundingRect()
        same = before.copy(shown) == after.copy(shown)
        if session.measured.preview.gone[number]:
            changed += not same
        else:
            unchanged += same
    gone = session.measured.preview.num_gone
    assert changed == gone > 0
    assert unchanged == session.measured.planner.fire.size - gone


def test_the_cut_line_is_at_the_edge_of_what_goes(window):
    window.editor.set_ratio(0.5)
    session, gone = window.session, window.heatmap.gone
    for line in gone.edges(100):
        row = int(line.y1())
        assert (
            line.x1() == session.measured.preview.widths[session.rows[row].name]
        )  # rows go from what stays to what goes


def test_a_click_points_at_a_filter(window, qtbot):
    heatmap = window.heatmap
    scene = heatmap.box.mapViewToScene(QtCore.QPointF(2.5, 1.5))
    qtbot.mouseClick(heatmap.viewport(), Qt.MouseButton.LeftButton, pos=heatmap.mapFromScene(scene))
    assert window.session.layer == window.session.rows[1].name
    assert window.session.filter == window.session.measured.cells.filter_at(1, 2.5)


def test_the_edge_of_a_row_is_dragged_to_a_cap(window):
    window.editor.set_ratio(0.5)
    session = window.session
    row = next(
        n
        for n, one in enumerate(session.rows)
        if not one.locked and session.measured.preview.widths[one.name] < one.filters
    )
    name, width = session.rows[row].name, session.rows[row].filters
    box = window.heatmap.box
    edge = session.measured.preview.widths[name]
    assert box._row_held(QtCore.QPointF(edge, row + 0.5)) == row
    assert box._row_held(QtCore.QPointF(0.1, row + 0.5)) is None
    for column, last in ((width - 2, False), (width - 1, True)):
        box.dragged.emit(row, float(column), last)
    assert session.choices.caps[name] == pytest.approx(1 / width)
    assert session.measured.preview.widths[name] >= width - 1
    window.editor.stack.undo()
    assert name not in session.choices.caps  # one drag is one step


def test_a_real_drag_with_the_mouse_caps(window, qtbot):
    window.editor.set_ratio(0.5)
    session, heatmap = window.session, window.heatmap
    row = next(
        n
        for n, one in enumerate(session.rows)
        if not one.locked and session.measured.preview.widths[one.name] < one.filters
    )
    name = session.rows[row].name

    def place(column):
        return heatmap.mapFromScene(heatmap.box.mapViewToScene(QtCore.QPointF(column, row + 0.5)))

    start, end = place(session.measured.preview.widths[name]), place(session.rows[row].filters)
    view = heatmap.viewport()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        at = start + (end - start) * step / 5
        qtbot.wait(25)  # pyqtgraph passes over movements that come too fast
        event = QtGui.QMouseEvent(
            QtCore.QEvent.Type.MouseMove,
            QtCore.QPointF(at),
            QtCore.QPointF(view.mapToGlobal(at)),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QtCore.QCoreApplication.sendEvent(view, event)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert session.choices.caps[name] == 0
    assert session.measured.preview.widths[name] == session.rows[row].filters


def test_arrows_walk_over_filters_and_say_each(window, qtbot):
    heatmap, session = window.heatmap, window.session
    heatmap.setFocus()
    said = []
    heatmap.said.connect(said.append)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left):
        qtbot.keyClick(heatmap, key)
    assert session.opened.row_of(session.layer) == 1
    assert session.filter == session.measured.cells.filter_in(1, 1)
    assert said[-1] == words.readout(session, session.layer, session.filter) == heatmap.accessibleDescription()
    qtbot.keyClick(heatmap, Qt.Key.Key_End)
    assert session.filter == session.measured.cells.filter_in(1, 10**6)


def test_plus_minus_and_l_change_the_layer(window, qtbot):
    session, heatmap = window.session, window.heatmap
    row = next(row for row in session.rows if not row.locked)
    session.point_at(row.name, 0)
    qtbot.keyClick(heatmap, Qt.Key.Key_Minus)
    qtbot.keyClick(heatmap, Qt.Key.Key_Minus)
    assert session.choices.caps[row.name] == 0.9
    qtbot.keyClick(heatmap, Qt.Key.Key_Plus)
    qtbot.keyClick(heatmap, Qt.Key.Key_Plus)
    assert row.name not in session.choices.caps
    qtbot.keyClick(heatmap, Qt.Key.Key_L)
    assert row.name in session.choices.locked


def test_rows_can_fill_the_width(window):
    window.actions_["stretch"].trigger()
    assert window.session.measured.cells.stretched
    assert not (window.session.measured.cells.grid == PADDING).any()
    window.editor.set_ratio(0)
    row, column, fire = list(scored(window))[3]
    assert pixel(window, row, column) == colour_of(fire)


def test_after_shows_no_more_what_goes(window):
    window.editor.set_ratio(0.5)
    window.actions_["AFTER"].trigger()
    session = window.session
    (row, column) = next(
        at for at, n in np.ndenumerate(session.measured.cells.grid) if n >= 0 and session.measured.preview.gone[n]
    )
    assert pixel(window, row, column) == theme.current().background
    window.editor.set_ratio(0)
    assert pixel(window, row, column) == colour_of(
        session.measured.planner.fire[session.measured.cells.grid[row, column]]
    )


def test_the_difference_has_its_own_colours(window):
    session = window.session
    session.compare(Comparison.of(session.measured.profile, session.measured.profile, "itself"), Mode.DIFFERENCE)
    row, column, _ = next(scored(window))
    nothing = palette.difference_colours(theme.current().background)[128]
    assert pixel(window, row, column) == tuple(nothing.tolist())


def test_split_shows_both_beside_a_line(window):
    window.editor.set_ratio(0.5)
    window.actions_["SPLIT"].trigger()
    session, divider = window.session, window.heatmap.divider
    assert divider.isVisible()
    (row, column) = next(
        at for at, n in np.ndenumerate(session.measured.cells.grid) if n >= 0 and session.measured.preview.gone[n]
    )
    divider.setValue(0)
    assert pixel(window, row, column) == theme.current().background
    divider.setValue(column + 1)
    assert pixel(window, row, column) == colour_of(
        session.measured.planner.fire[session.measured.cells.grid[row, column]]
    )


def test_colours_follow_the_palette(window, qtbot, qapp):
    light = qapp.palette()
    dark = QtGui.QPalette(QtGui.QColor(30, 30, 30))
    dark.setColor(QtGui.QPalette.ColorRole.Base, QtGui.QColor(20, 20, 20))
    dark.setColor(QtGui.QPalette.ColorRole.Text, QtGui.QColor(230, 230, 230))
    row, column = np.argwhere(window.session.measured.cells.grid == PADDING)[-1]
    try:
        qapp.setPalette(dark)
        qtbot.waitUntil(lambda: pixel(window, row, column) == (20, 20, 20))
        assert theme.current().dark
    finally:
        qapp.setPalette(light)
    qtbot.waitUntil(lambda: pixel(window, row, column) == theme.current().background)


def test_the_colours_of_the_difference_reach_as_far_as_the_largest(window):
    session = window.session
    row = next(row for row in session.rows if not row.locked)
    same, first = (
        Comparison.of(session.measured.profile, session.measured.profile, "b"),
        session.measured.planner.starts[session.opened.row_of(row.name)],
    )
    fire = same.fire.copy()
    fire[first], fire[first + 1] = fire[first] - 0.02, fire[first + 1] + 0.05
    session.compare(dataclasses.replace(same, fire=fire), Mode.DIFFERENCE)
    assert largest_difference(session) == pytest.approx(0.05)
    assert "blue for -0.05 to orange for +0.05" in window.heatmap_panel.legend.toolTip()
    picture = heatmap_image(session, Mode.DIFFERENCE, 0, (255, 255, 255), (128, 128, 128))
    at = session.measured.cells.position(session.opened.row_of(row.name), 1)
    assert picture[session.opened.row_of(row.name), at].tolist() == [*palette.MORE, 255]


def test_a_cap_that_removes_nothing_says_what_would(window):
    window.editor.set_ratio(0)
    free = next(n for n, row in enumerate(window.session.rows) if not row.locked)
    said = []
    window.heatmap.said.connect(said.append)
    window.heatmap.box.dragged.emit(free, 1.0, True)
    assert said[-1].endswith("to remove more, raise “Filters to remove”.")
    window.heatmap.box.dragged.emit(free, float(window.session.rows[free].filters), True)
    assert said[-1] == words.why_layer(window.session, window.session.rows[free].name)


def test_a_stretched_scale_uses_all_colours(window):
    window.editor.set_ratio(0)
    window.actions_["contrast"].trigger()
    planner = window.session.measured.planner
    low, high = np.quantile(planner.fire[planner.prunable[planner.units]], [0.01, 0.99])
    row, column, least = min(scored(window), key=lambda cell: cell[2])
    assert pixel(window, row, column) == tuple(palette.FIRE[0].tolist()) and least <= low
    assert window.heatmap_panel.legend.toolTip().startswith(
        f"FIRE, from dark blue for {low:.2g} to yellow for {high:.2g}"
    )
    window.actions_["contrast"].trigger()
    assert "from dark blue for 0 to yellow for 1" in window.heatmap_panel.legend.toolTip()


def test_locked_layers_do_not_stretch_the_scale(window):
    window.rank_by("l1")
    planner, session = window.session.measured.planner, window.session
    locked = ~planner.prunable[planner.units]
    planner.fire[locked] *= 1000
    low, high = np.quantile(np.tile(planner.fire[~locked], 2), [0.01, 0.99])  # before the cut and after it
    session.stretch(False)
    assert locked.any() and f"for {low:.2g} to yellow for {high:.2g}" in window.heatmap_panel.legend.toolTip()


def test_hidden_rows_leave_their_place_to_the_others(window, qtbot):
    kinds, session, heatmap = window.table.kinds, window.session, window.heatmap
    window.editor.set_ratio(0)
    kinds.setCurrentIndex(kinds.findText("With a score"))
    kinds.activated.emit(kinds.currentIndex())
    shown = [number for number, row in enumerate(session.rows) if np.isfinite(row.fire)]
    assert heatmap.names._names == [session.rows[row].name for row in shown] and len(shown) < len(session.rows)
    line = next(line for line, row in enumerate(shown) if line != row)
    row = shown[line]
    number = session.measured.cells.grid[row, 0]
    assert pixel(window, line, 0) == colour_of(session.measured.planner.fire[number])
    scene = heatmap.box.mapViewToScene(QtCore.QPointF(0.5, line + 0.5))
    qtbot.mouseClick(heatmap.viewport(), Qt.MouseButton.LeftButton, pos=heatmap.mapFromScene(scene))
    assert session.layer == session.rows[row].name and session.filter == session.measured.cells.filter_at(row, 0.5)
    qtbot.keyClick(heatmap, Qt.Key.Key_Up)
    assert session.layer == session.rows[shown[line - 1]].name
    heatmap.box.dragged.emit(line, 1.0, True)
    assert session.rows[row].locked or session.rows[row].name in session.choices.caps
    hidden = next(number for number in range(len(session.rows)) if number not in shown)
    session.point_at(session.rows[hidden].name)
    assert heatmap.pointed._row is None
    kinds.setCurrentIndex(0)
    kinds.activated.emit(0)
    assert len(heatmap.names._names) == len(session.rows) and heatmap.pointed._row.y() == hidden


def test_a_name_is_shown_whole_where_it_is_pointed_at(window, qtbot):
    heatmap = window.heatmap
    at = QtCore.QPointF(20, heatmap.box.mapViewToScene(QtCore.QPointF(0, 2.5)).y())
    heatmap._hover(at)
    assert heatmap.toolTip() == window.session.rows[2].name
    heatmap._hover(heatmap.box.mapViewToScene(QtCore.QPointF(1, 2.5)))
    assert heatmap.toolTip() == ""


def test_names_take_the_room_that_they_need_and_more_of_a_wide_heatmap(qapp):
    axis = NameAxis(theme.current())
    widths = []
    for names, room in (
        (["conv"], 900),
        (["block6b_expand_conv_of_depth"], 400),
        (["block6b_expand_conv_of_depth"], 900),
    ):
        axis.fit(room)
        axis.show_layers(names, (), ())
        widths.append(axis.minimumWidth())
    assert widths[0] < 100 and widths[1] == 150 < widths[2] < 270


def test_the_first_and_the_last_name_are_drawn_whole(qapp):
    axis, drawn = NameAxis(theme.current()), []
    axis.show_layers([f"conv{number}" for number in range(121)], (), ())
    axis.setRange(121, 0)
    axis.resize(150, 360)  # three pixels a row
    painter = type("Painter", (), {name: lambda *_: None for name in ("setClipRect", "setFont", "setPen")})()
    painter.drawText = lambda place, flags, text: drawn.append((place.top(), place.bottom(), text))
    axis.drawPicture(painter, None, [], [])
    assert {"conv0", "conv120"} <= {text for *_, text in drawn}
    assert min(top for top, *_ in drawn) == 0 and max(bottom for _, bottom, _ in drawn) == axis.height()


def test_the_bold_name_fits_too(qapp):
    axis, font = NameAxis(theme.current()), QtGui.QFont()
    font.setBold(True)
    metrics = QtGui.QFontMetricsF(font)
    axis.show_layers(["expanded_conv_project"], (), ())
    axis.show_current(0)
    room = metrics.horizontalAdvance("expanded_conv_proj")
    text = axis._text(0, {}, metrics, room)
    assert "…" in text and metrics.horizontalAdvance(text) <= room


def test_cut_lines_leave_room_for_the_hatching_that_they_would_hide():
    gone, rows, begins, ends = GoneCells(), np.array([0, 0, 0, 1]), np.array([2, 8, 10, 9]), np.array([4, 9, 20, 10])
    gone.show_runs(rows, begins, ends)
    drawn = lambda pixels: [(line.x1(), line.y1()) for line in gone.edges(pixels)]  # noqa: E731
    assert drawn(20) == [(2, 0), (8, 0), (10, 0), (9, 1)]
    assert drawn(7) == [(9, 1)]  # the line of one stretch among several would look like the cut of its row


def test_a_frame_lies_outside_of_what_it_is_around():
    pointed = PointedAt()
    pointed.cover(64, 20)
    assert pointed.around(QtCore.QRectF(10, 5, 2, 1), 4, 2, 8) == QtCore.QRectF(9, 4.75, 4, 1.5)
    assert pointed.around(QtCore.QRectF(0, 0, 64, 1), 4, 2, 8) == QtCore.QRectF(0, 0, 64, 1.25)
