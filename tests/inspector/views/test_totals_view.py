from firekeras.report.tables import short_number
from inspector.models.columns import Column


def total(window, row, column):
    return window.table.totals.model().index(row, column).data()


def test_totals_are_the_costs(window, qtmodeltester):
    qtmodeltester.check(window.table.totals.model())
    session = window.session
    assert [total(window, row, Column.LAYER) for row in range(4)] == ["All", "All, after", "Conv", "Conv, after"]
    assert total(window, 0, Column.FILTERS) == str(sum(session.measured.planner.widths.values()))
    window.editor.set_ratio(0.6)
    before, after = session.opened.costs, session.measured.preview.costs
    macs = [before.macs, after.macs, before.conv_macs, after.conv_macs]
    assert [total(window, row, Column.MACS) for row in range(4)] == [short_number(one) for one in macs]
    assert total(window, 1, Column.PARAMS) == short_number(after.params)
    assert [total(window, row, Column.MACS_AFTER) for row in range(2)] == ["", short_number(after.macs)]
    assert total(window, 1, Column.AFTER) == str(sum(session.measured.preview.widths.values()))
    changes = [f"{(after.macs - before.macs) / before.macs:+.1%}", f"{after.conv_macs / before.conv_macs - 1:+.1%}"]
    assert [total(window, row, Column.MACS_CHANGE) for row in range(4)] == ["", changes[0], "", changes[1]]
    assert total(window, 1, Column.PARAMS_CHANGE) == f"{(after.params - before.params) / before.params:+.1%}"


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
