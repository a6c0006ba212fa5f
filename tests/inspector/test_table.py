import pytest
from PySide6 import QtCore, QtWidgets

from firekeras.report.tables import short_number
from inspector.layer_model import CHANGING, CONSTANT, SORT, Column
from inspector.layer_table import WIDTHS
from inspector.window import Window

Qt = QtCore.Qt


def free_row(window):
    return next(number for number, row in enumerate(window.session.rows) if not row.locked)


def test_the_model_keeps_qts_rules(window, qtmodeltester):
    qtmodeltester.check(window.table.model)
    window.editor.set_ratio(0.6)
    window.session.stretch(True)
    qtmodeltester.check(window.table.proxy)


def test_qts_own_tester_watches_every_change(window, files):
    from PySide6 import QtTest

    mode = QtTest.QAbstractItemModelTester.FailureReportingMode.Warning  # a warning fails the test
    testers = [QtTest.QAbstractItemModelTester(model, mode) for model in (window.table.model, window.table.proxy)]
    window.editor.set_ratio(0.5)
    window.editor.set_caps([window.session.rows[free_row(window)].name], 0.25)
    window.editor.stack.undo()
    window.table.finder.setText("a1")
    window.table.view.sortByColumn(Column.MACS, Qt.SortOrder.DescendingOrder)
    window.open_path(files[1])
    assert testers


def test_a_cap_is_edited_in_its_cell(window, qtbot):
    model, row = window.table.model, free_row(window)
    index = model.index(row, Column.CAP)
    assert index.flags() & Qt.ItemFlag.ItemIsEditable
    view = window.table.view
    at = window.table.proxy.mapFromSource(index)
    view.setCurrentIndex(at)
    view.edit(at)
    box = view.findChild(QtWidgets.QSpinBox)
    box.setValue(25)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    name = window.session.rows[row].name
    qtbot.waitUntil(lambda: window.session.choices.caps == {name: 0.25})
    assert index.data() == "25%"
    after = model.index(row, Column.AFTER).data()
    assert after == str(window.session.preview.widths[name])


def test_costs_of_what_stays_follow_every_choice(window):
    model, session, heard = window.table.model, window.session, []
    model.dataChanged.connect(lambda first, last: heard.append((first.column(), last.column())))
    window.editor.set_ratio(0.6)
    assert heard == list(CHANGING)
    assert {column for first, last in CHANGING for column in range(first, last + 1)} >= set(Column) - CONSTANT
    for number, row in enumerate(session.rows):
        after = session.preview.costs.by_layer[row.name]
        shown = [model.index(number, column).data() for column in (Column.MACS_AFTER, Column.PARAMS_AFTER)]
        assert shown == [short_number(after.macs), short_number(after.params)]


def test_changes_are_exact_and_spoken_in_words(window):
    window.editor.set_ratio(0.6)
    model, session = window.table.model, window.session
    for number, row in enumerate(session.rows):
        after = session.preview.costs.by_layer[row.name]
        index = model.index(number, Column.MACS_CHANGE)
        share = (after.macs - row.macs) / row.macs
        assert index.data() == (f"{share:+.1%}" if share else "0%") and index.data(SORT) == share
        assert index.data(Qt.ItemDataRole.AccessibleTextRole) == f"Change of MACs of {row.name}: {index.data()}"
        share = (after.params - row.params) / row.params
        assert model.index(number, Column.PARAMS_CHANGE).data(SORT) == share
    lost = [model.index(number, Column.MACS_CHANGE).data(SORT) for number in range(len(session.rows))]
    assert min(lost) < -0.3
    window.editor.set_ratio(0.0)
    assert {model.index(number, Column.MACS_CHANGE).data() for number in range(len(session.rows))} == {"0%"}


def test_locks_are_ticked(window):
    model, row = window.table.model, free_row(window)
    index = model.index(row, Column.LOCK)
    assert model.setData(index, Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    name = window.session.rows[row].name
    assert name in window.session.choices.locked
    assert window.session.preview.widths[name] == window.session.planner.widths[name]
    assert Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked


def test_layers_that_must_stay_cannot_be_edited_and_say_why(window):
    row = next(number for number, one in enumerate(window.session.rows) if one.locked)
    for column in (Column.CAP, Column.LOCK):
        index = window.table.model.index(row, column)
        assert not index.flags() & (Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
        assert not window.table.model.setData(index, 50)
        assert window.session.rows[row].locked in index.data(Qt.ItemDataRole.ToolTipRole)


@pytest.mark.parametrize("column", [Column.MACS, Column.FIRE, Column.AFTER, Column.LAYER])
def test_numbers_are_sorted_as_numbers(window, column):
    window.table.view.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    proxy, model = window.table.proxy, window.table.model
    rows = [proxy.mapToSource(proxy.index(number, 0)).row() for number in range(proxy.rowCount())]
    values = [model._value(window.session.rows[row], column) for row in rows]
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
    assert set(names) <= window.session.choices.locked and window.session.preview.num_gone == 0
    qtbot.mouseClick(window.table.edits.lock, Qt.MouseButton.LeftButton)
    assert not window.session.choices.locked


def total(window, row, column):
    return window.table.totals.model().index(row, column).data()


def test_totals_are_the_costs(window, qtmodeltester):
    qtmodeltester.check(window.table.totals.model())
    session = window.session
    assert [total(window, row, Column.LAYER) for row in range(4)] == ["All", "All, after", "Conv", "Conv, after"]
    assert total(window, 0, Column.FILTERS) == str(sum(session.planner.widths.values()))
    window.editor.set_ratio(0.6)
    before, after = session.planner.costs, session.preview.costs
    macs = [before.macs, after.macs, before.conv_macs, after.conv_macs]
    assert [total(window, row, Column.MACS) for row in range(4)] == [short_number(one) for one in macs]
    assert total(window, 1, Column.PARAMS) == short_number(after.params)
    assert [total(window, row, Column.MACS_AFTER) for row in range(2)] == ["", short_number(after.macs)]
    assert total(window, 1, Column.AFTER) == str(sum(session.preview.widths.values()))
    changes = [f"{(after.macs - before.macs) / before.macs:+.1%}", f"{after.conv_macs / before.conv_macs - 1:+.1%}"]
    assert [total(window, row, Column.MACS_CHANGE) for row in range(4)] == ["", changes[0], "", changes[1]]
    assert total(window, 1, Column.PARAMS_CHANGE) == f"{(after.params - before.params) / before.params:+.1%}"


def test_columns_that_came_with_the_measurement_are_shown(window):
    for view in (window.table.view, window.table.totals):
        shown = {column for column in Column if not view.isColumnHidden(column)}
        assert shown == set(Column) - {Column.MACS_AFTER, Column.PARAMS_AFTER}
        assert all(view.columnWidth(column) == WIDTHS[column] for column in shown)


def test_what_matters_most_is_seen_without_scrolling(window, qtbot):
    view = window.table.view
    qtbot.waitUntil(lambda: view.viewport().width() > 300)
    for column in (Column.LAYER, Column.FIRE, Column.CAP, Column.LOCK, Column.AFTER, Column.MACS, Column.MACS_CHANGE):
        assert view.columnViewportPosition(column) + view.columnWidth(column) <= view.viewport().width()


def test_columns_are_chosen_in_menus_and_remembered(window, preferences, files, qtbot):
    header, columns = window.table.view.horizontalHeader(), window.table.columns
    view_menu = next(action.menu() for action in window.menuBar().actions() if action.text() == "&View")
    menu = next(action.menu() for action in view_menu.actions() if action.text() == "Columns of the &table")
    assert menu.actions() == header.actions() == list(columns.actions.values())
    assert header.contextMenuPolicy() == Qt.ContextMenuPolicy.ActionsContextMenu
    columns.actions[Column.MACS_AFTER].trigger()
    columns.actions[Column.SHAPE].trigger()
    for view in (window.table.view, window.table.totals):
        assert not view.isColumnHidden(Column.MACS_AFTER) and view.isColumnHidden(Column.SHAPE)
        assert view.columnWidth(Column.MACS_AFTER) == WIDTHS[Column.MACS_AFTER]
    assert all(action.statusTip() for action in columns.actions.values())
    window.close()
    again = Window(preferences)
    qtbot.addWidget(again)
    again.open_path(files[0])
    assert again.table.columns.hidden == "PARAMS_AFTER,SHAPE"
    for column in Column:
        assert again.table.totals.isColumnHidden(column) == (column in (Column.PARAMS_AFTER, Column.SHAPE))


def test_all_columns_can_be_wanted(window, preferences, qtbot):
    window.table.columns.hide("NO_SUCH_COLUMN")
    window.close()
    assert preferences.text("hidden columns", "none kept") == ""


def test_totals_lie_below_their_columns(window, qtbot):
    below_their_columns(window.table, qtbot)


def test_totals_follow_however_early_the_table_is_scrolled(empty_window, files, qtbot):
    empty_window.open_path(files[0])
    below_their_columns(empty_window.table, qtbot)


def below_their_columns(table, qtbot):
    view, totals = table.view, table.totals
    view.setColumnWidth(Column.LAYER, 300)
    view.horizontalHeader().moveSection(Column.PARAMS, 1)
    view.horizontalScrollBar().setValue(view.horizontalScrollBar().maximum())
    assert view.horizontalScrollBar().value() > 0
    qtbot.waitUntil(lambda: view.viewport().width() == totals.viewport().width())
    places = lambda one: [one.columnViewportPosition(column) for column in Column]  # noqa: E731
    qtbot.waitUntil(lambda: places(view) == places(totals))
