import keras
import numpy as np
import pytest
from PySide6 import QtCore, QtWidgets

import firekeras
from inspector.models.columns import Column
from inspector.state import Sensitivity
from inspector.views.layer_table import WIDEST
from inspector.window.main_window import LAYERS_WIDTH

Qt = QtCore.Qt


@pytest.mark.parametrize("column", [Column.MACS, Column.FIRE, Column.AFTER, Column.LAYER])
def test_numbers_are_sorted_as_numbers(window, column):
    window.table.view.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    proxy = window.table.proxy
    rows = [proxy.mapToSource(proxy.index(number, 0)).row() for number in range(proxy.rowCount())]
    values = [column.about.sorted_by(window.session, window.session.rows[row]) for row in rows]
    assert values == sorted(values) and len(values) == len(window.session.rows)


def test_the_box_finds_layers(window):
    window.table.finder.setText("A1")
    names = [window.table.proxy.index(row, 0).data() for row in range(window.table.proxy.rowCount())]
    assert names == ["a1"]


def test_table_and_heatmap_point_at_the_same(window):
    window.session.point_at(window.session.rows[2].name, 1)
    current = window.table.proxy.mapToSource(window.table.view.currentIndex())
    assert current.row() == 2
    window.table.view.selectRow(1)
    assert window.session.layer == window.session.rows[1].name and window.session.filter is None


def test_all_selected_layers_are_capped_at_once(window, qtbot):
    view, names = window.table.view, [row.name for row in window.session.rows if not row.locked]
    view.selectAll()
    window.table.edits.share.setValue(20)
    qtbot.mouseClick(window.table.edits.cap, Qt.MouseButton.LeftButton)
    assert {window.session.choices.caps[name] for name in names} == {0.2}
    assert window.editor.stack.count() == 1
    qtbot.mouseClick(window.table.edits.free, Qt.MouseButton.LeftButton)
    assert not window.session.choices.caps
    qtbot.mouseClick(window.table.edits.lock, Qt.MouseButton.LeftButton)
    assert set(names) <= window.session.choices.locked and window.session.measured.preview.num_gone == 0
    qtbot.mouseClick(window.table.edits.lock, Qt.MouseButton.LeftButton)
    assert not window.session.choices.locked


def test_what_matters_most_is_seen_without_scrolling(window, qtbot):
    view = window.table.view
    qtbot.waitUntil(lambda: view.viewport().width() > 300)
    for column in (Column.LAYER, Column.FIRE, Column.CAP, Column.LOCK, Column.AFTER, Column.MACS, Column.MACS_CHANGE):
        assert view.columnViewportPosition(column) + view.columnWidth(column) <= view.viewport().width()


def test_a_cap_is_edited_in_a_box_that_shows_it_whole(window, qtbot):
    row = next(number for number, row in enumerate(window.session.rows) if not row.locked)
    view, cell = window.table.view, window.table.proxy.index(row, Column.CAP)
    view.edit(cell)
    box = view.findChild(QtWidgets.QSpinBox)
    assert box.width() >= box.sizeHint().width() and box.cleanText() == ""
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert not window.session.choices.caps


def measured_file(folder, names):
    """A small network whose layers have these names, with its profile beside it."""
    x = inputs = keras.Input((8, 8, 2))
    for name in names:
        x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name=name)(x)
    model = keras.Model(inputs, x)
    model.save(folder / "net.keras")
    firekeras.measure_fire(model, np.ones((2, 8, 8, 2), "float32")).save(folder / "net.fire.h5")
    return folder / "net.keras"


def test_a_window_that_is_made_larger_has_room_for_names(empty_window, qtbot, tmp_path):
    names = [f"block_{number}_depthwise" for number in range(3)]
    empty_window.open_path(measured_file(tmp_path, names))
    table, dock = empty_window.table, empty_window.layers_dock
    assert table.names.shown[names[1]] != names[1]
    empty_window.resize(1440, 900)
    qtbot.waitUntil(lambda: table.names.shown[names[1]] == names[1])
    change = table.view.columnViewportPosition(Column.PARAMS_CHANGE) + table.view.columnWidth(Column.PARAMS_CHANGE)
    assert change <= table.view.viewport().width()
    qtbot.waitUntil(lambda: dock.width() > LAYERS_WIDTH)
    wide = dock.width()
    empty_window.open_path(measured_file(tmp_path, "abc"))
    qtbot.waitUntil(lambda: LAYERS_WIDTH < dock.width() < wide)  # short names need less


def test_a_wide_window_is_made_small_in_one_step_and_wide_again(empty_window, qtbot, tmp_path):
    names = [f"block_{number}_depthwise" for number in range(3)]
    empty_window.open_path(measured_file(tmp_path, names))
    table, dock = empty_window.table, empty_window.layers_dock
    for _ in range(2):
        empty_window.resize(1440, 900)
        qtbot.waitUntil(lambda: table.names.shown[names[1]] == names[1])
        empty_window.resize(1024, 700)
        assert empty_window.width() == 1024
        qtbot.waitUntil(lambda: table.view.width() <= WIDEST + 10 and dock.width() >= LAYERS_WIDTH)


def test_a_table_that_a_person_makes_narrower_stays_so(empty_window, qtbot, tmp_path):
    empty_window.open_path(measured_file(tmp_path, [f"block_{number}_depthwise" for number in range(3)]))
    dock = empty_window.layers_dock
    empty_window.resize(1440, 900)
    qtbot.waitUntil(lambda: dock.width() > LAYERS_WIDTH + 50)
    wide = dock.width()
    empty_window.resizeDocks([dock], [wide - 40], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: dock.width() == wide - 40)
    empty_window.editor.set_ratio(0.5)
    qtbot.wait(50)
    assert dock.width() == wide - 40


def test_names_of_usual_length_are_whole_beside_the_column_of_what_layers_can_spare(empty_window, qtbot, tmp_path):
    names = ["conv2d", "conv2d_1", "conv2d_2"]
    empty_window.open_path(measured_file(tmp_path, names))
    values, alone = {name: [0.9] for name in names}, {name: [name] for name in names}
    empty_window.session.show_sensitivity(Sensitivity("accuracy", 0.9, [0.1], values, alone))
    table = empty_window.table
    assert not table.view.isColumnHidden(Column.SENSITIVITY)
    qtbot.waitUntil(lambda: [table.names.shown[name] for name in names] == names)
    change = table.view.columnViewportPosition(Column.MACS_CHANGE) + table.view.columnWidth(Column.MACS_CHANGE)
    assert change <= table.view.viewport().width()


def test_layers_that_can_lose_filters_have_their_names_first(window):
    axis, last = window.heatmap.names, 19
    axis.show_layers([f"layer{number}" for number in range(last + 1)], {last}, [])
    shown = axis._with_room(8)  # pixels for each row
    assert last - 1 in shown and last not in shown and 0 in shown


def test_a_recurrent_layer_is_free_and_says_that_it_needs_a_cap(empty_window, recurrent_files, qtbot):
    empty_window.open_path(recurrent_files[0])
    session, view = empty_window.session, empty_window.table.view
    assert session.measured is not None and session.opened.row("gru").locked  # it has no ReLU, so no FIRE
    empty_window.rank_by("l1")
    assert not session.opened.row("gru").locked and session.cut.widths["gru"] == 4
    session.point_at("gru")
    assert "go only if their layer has a cap" in empty_window.statusBar().currentMessage()
    view.setFocus()
    view.setCurrentIndex(view.currentIndex().siblingAtColumn(Column.CAP))
    qtbot.keyClick(view, Qt.Key.Key_F2)
    box = view.findChild(QtWidgets.QSpinBox)
    box.setValue(50)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.choices.caps == {"gru": 0.5})
    empty_window.editor.set_ratio(0.6)
    plan = firekeras.plan_pruning(
        session.opened.graph, session.measured.scores, pruning_ratio=0.6, layer_caps={"gru": 0.5}
    )
    assert session.cut.widths["gru"] == 2 and session.cut.costs == plan.costs_after
