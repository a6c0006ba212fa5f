from PySide6 import QtCore

from inspector.models.columns import Column
from inspector.window.main_window import Window

Qt = QtCore.Qt


def test_columns_that_came_with_the_measurement_are_shown(window):
    for view in (window.table.view, window.table.totals):
        shown = {column for column in Column if not view.isColumnHidden(column)}
        assert shown == set(Column) - {Column.MACS_AFTER, Column.PARAMS_AFTER, Column.SENSITIVITY}
        assert all(view.columnWidth(column) == column.about.width for column in shown)


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
        assert view.columnWidth(Column.MACS_AFTER) == Column.MACS_AFTER.about.width
    assert all(action.statusTip() for action in columns.actions.values())
    window.close()
    again = Window(preferences)
    qtbot.addWidget(again)
    again.open_path(files[0])
    assert again.table.columns.hidden == "PARAMS_AFTER,SHAPE"
    for column in Column:
        hidden = (Column.PARAMS_AFTER, Column.SHAPE, Column.SENSITIVITY)
        assert again.table.totals.isColumnHidden(column) == (column in hidden)


def test_all_columns_can_be_wanted(window, preferences, qtbot):
    window.table.columns.hide("NO_SUCH_COLUMN")
    window.close()
    assert preferences.text("hidden columns", "none kept") == ""
