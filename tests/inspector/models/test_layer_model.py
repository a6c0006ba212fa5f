from PySide6 import QtCore, QtGui, QtWidgets

from firekeras.report.tables import short_number
from inspector.models.columns import CHANGING, Column
from inspector.models.layer_model import REDRAWN, SORT

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
    assert after == str(window.session.measured.preview.widths[name])


def test_costs_of_what_stays_follow_every_choice(window):
    model, session, heard = window.table.model, window.session, []
    model.dataChanged.connect(lambda first, last: heard.append((first.column(), last.column())))
    window.editor.set_ratio(0.6)
    assert heard == REDRAWN == [(1, 6), (8, 8), (10, 12)]
    assert {column for first, last in REDRAWN for column in range(first, last + 1)} == set(CHANGING)
    for number, row in enumerate(session.rows):
        after = session.measured.preview.costs.by_layer[row.name]
        shown = [model.index(number, column).data() for column in (Column.MACS_AFTER, Column.PARAMS_AFTER)]
        assert shown == [short_number(after.macs), short_number(after.params)]


def test_changes_are_exact_and_spoken_as_text(window):
    window.editor.set_ratio(0.6)
    model, session = window.table.model, window.session
    for number, row in enumerate(session.rows):
        after = session.measured.preview.costs.by_layer[row.name]
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
    assert window.session.measured.preview.widths[name] == window.session.measured.planner.widths[name]
    assert Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked


def test_layers_that_must_stay_cannot_be_edited_and_say_why(window):
    row = next(number for number, one in enumerate(window.session.rows) if one.locked)
    for column in (Column.CAP, Column.LOCK):
        index = window.table.model.index(row, column)
        assert not index.flags() & (Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
        assert not window.table.model.setData(index, 50)
        assert window.session.rows[row].locked in index.data(Qt.ItemDataRole.ToolTipRole)


def test_the_mark_of_a_group_keeps_its_colour_in_selected_rows(window):
    session, model = window.session, window.table.model
    row = next(number for number, row in enumerate(session.rows) if row.group >= 0)
    icon = model.index(row, Column.LAYER).data(Qt.ItemDataRole.DecorationRole)
    modes = QtGui.QIcon.Mode.Normal, QtGui.QIcon.Mode.Selected
    one, other = (icon.pixmap(8, 14, mode).toImage().pixelColor(4, 7) for mode in modes)
    assert one == other
