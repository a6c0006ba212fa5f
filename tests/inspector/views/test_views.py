"""Every view shows the network's own numbers, legibly: in the smallest window and a large one, light and dark."""

import itertools

import keras
import numpy as np
import pytest
from PySide6 import QtCore, QtGui, QtWidgets

import firekeras
from firekeras.export.latency import Latency
from firekeras.report.tables import short_number
from inspector.dialogs.figure_dialog import PREVIEW
from inspector.models import Column, Preferences
from inspector.state import Checked, Sensitivity, Timed, criteria, palette
from inspector.state.cells import PADDING
from inspector.state.comparison import Comparison, Mode
from inspector.state.documents import read_profile
from inspector.widgets import theme
from inspector.window.main_window import Window

LOOKS = list(itertools.product(((1024, 700), (1440, 900)), ("light", "dark")))
RATIO = 0.4
READABLE = 4.5  # the contrast that WCAG 2.1 asks of text


@pytest.fixture(scope="module", params=LOOKS, ids=lambda look: f"{look[0][0]}-{look[1]}")
def look(request, qapp):
    """A size of the window and a palette, which all widgets have meanwhile."""
    size, name = request.param
    before = qapp.palette()
    if name == "dark":
        dark = QtGui.QPalette(QtGui.QColor("#202020"))
        dark.setColor(QtGui.QPalette.ColorRole.Base, QtGui.QColor("#181818"))
        qapp.setPalette(dark)
    yield QtCore.QSize(*size)
    qapp.setPalette(before)


@pytest.fixture(scope="module")
def truth(residual_files, cut_files):
    """What there is to show, computed without the inspector: the plan of a cut, and both profiles."""
    model = keras.models.load_model(residual_files[0])
    before, after = (read_profile(path) for path in (residual_files[1], cut_files[1]))
    plan = firekeras.plan_pruning(model, before, pruning_ratio=RATIO)
    return plan, firekeras.count_costs(model), firekeras.count_costs(firekeras.prune(model, plan)), before, after


@pytest.fixture(scope="module")
def opened(look, residual_files, tmp_path_factory):
    settings = QtCore.QSettings(
        str(tmp_path_factory.mktemp("settings") / "settings.ini"), QtCore.QSettings.Format.IniFormat
    )
    window = Window(Preferences(settings))
    window.resize(look)
    window.show()
    window.open_path(residual_files[0])
    yield window
    window.editor.stack.setClean()
    window.close()
    window.deleteLater()
    QtCore.QCoreApplication.sendPostedEvents(window, QtCore.QEvent.Type.DeferredDelete.value)


@pytest.fixture
def shown(opened, look, qtbot):
    """The window with the cut as a preview, in its size."""
    opened.session.compare(None, Mode.BEFORE)
    opened.editor.set_ratio(RATIO)
    qtbot.waitUntil(lambda: opened.size() == look)
    QtWidgets.QApplication.processEvents()
    return opened


def luminance(colour):
    parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
    return float(np.dot(parts, (0.2126, 0.7152, 0.0722)))


def contrast(first, second):
    """That of two colours, as numbers `0xRRGGBB`."""
    light, dark = sorted((luminance(QtGui.QColor(int(colour))) for colour in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours(widget):
    """All colours of a widget as it looks, `(height, width, 3)`."""
    window = widget.window()
    place = QtCore.QRect(widget.mapTo(window, QtCore.QPoint(0, 0)), widget.size())
    image = window.grab(place).toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.array(image.constBits(), "uint8").reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def is_legible(widget):
    """Whether text stands out from what is behind it, on the screen."""
    values, counts = np.unique(colours(widget).astype("uint32") @ [1 << 16, 1 << 8, 1], return_counts=True)
    behind, *others = (values[number] for number in counts.argsort()[::-1])
    return any(contrast(behind, other) >= READABLE for other in others)


def cells(window):
    """The colour in the middle of each cell of the heatmap, with its number."""
    heatmap, picture = window.heatmap, colours(window.heatmap)
    for (row, column), number in np.ndenumerate(window.session.measured.cells.grid):
        scene = heatmap.box.mapViewToScene(QtCore.QPointF(column + 0.5, row + 0.5))
        at = heatmap.mapFromScene(scene)
        yield number, tuple(picture[at.y(), at.x()].tolist())


def painted(fires):
    return {number: tuple(palette.FIRE[min(255, int(fire * 256))].tolist()) for number, fire in enumerate(fires)}


def test_the_heatmap_has_the_colour_of_each_filter(shown, truth):
    *_, before, _ = truth
    fires, gone = np.concatenate(list(before.values())), shown.session.measured.preview.gone
    expected, current = painted(np.nan_to_num(fires)), theme.current()
    seen = list(cells(shown))
    assert len({number for number, _ in seen if number != PADDING}) == fires.size
    for number, colour in seen:
        if number == PADDING:
            assert colour == current.background
        elif np.isnan(fires[number]):
            assert colour == current.unscored
        elif not gone[number]:
            assert max(abs(a - b) for a, b in zip(colour, expected[number], strict=True)) <= 1


def test_the_filters_that_are_hatched_are_those_of_the_plan(shown, truth):
    plan, *_ = truth
    session = shown.session
    starts = session.measured.planner.starts
    removed = {starts[session.opened.row_of(name)] + k for name, filters in plan.removed.items() for k in filters}
    assert set(np.flatnonzero(session.hatched)) == removed != set()


def test_the_table_has_the_numbers_of_the_cut_in_sight(shown, truth):
    plan, before, after, profile, _ = truth
    table = shown.table
    for row, name in enumerate(profile.graph.filter_layers):
        text = lambda column, row=row: table.model.index(row, column).data()  # noqa: E731
        fire = profile[name][np.isfinite(profile[name])]
        assert text(Column.FIRE) == (f"{fire.mean():.2f}" if fire.size else "-")
        assert text(Column.AFTER) == str(profile.graph.widths[name] - len(plan.removed.get(name, ())))
        old, new = before.by_layer[name].macs, after.by_layer[name].macs
        assert text(Column.MACS) == short_number(old)
        assert text(Column.MACS_CHANGE) == (f"{new / old - 1:+.1%}" if new != old else "0%")
    header = table.view.horizontalHeader()
    end = header.sectionViewportPosition(Column.MACS_CHANGE) + header.sectionSize(Column.MACS_CHANGE)
    assert end <= table.view.viewport().width() and is_legible(table.view.viewport())


def test_the_totals_are_those_of_the_pruned_network(shown, truth):
    _, before, after, *_ = truth
    model, below = shown.table.totals.model(), shown.table.totals
    macs = [model.index(row, Column.MACS).data() for row in range(4)]
    costs = before.macs, after.macs, before.conv_macs, after.conv_macs
    assert macs == [short_number(cost) for cost in costs]
    assert below.isVisible() and is_legible(below.viewport())


def test_costs_latency_accuracy_and_every_button_have_room(shown, truth, look):
    _, before, after, *_ = truth
    choices = shown.session.choices
    shown.session.add_timed(Timed(choices, *(Latency(ms, 0.0001, 1, ms, "Keras (test)") for ms in (0.00791, 0.00612))))
    shown.session.add_checked(Checked(choices, "accuracy", 0.9123, 0.8456, 1000, "images.npz"))
    ratio = shown.ratio
    assert short_number(before.macs) in ratio.costs.text() and short_number(after.params) in ratio.costs.text()
    assert "7.9 → 6.1 ms" in ratio.latency.text() and "0.9123 → 0.8456 (-6.7 points)" in ratio.accuracy.text()
    shown.editor.set_ratio(RATIO + 0.1)  # outdated, which takes longer to say
    QtWidgets.QApplication.processEvents()
    bar = shown.findChild(QtWidgets.QToolBar, "ratio")
    buttons = [bar.widgetForAction(action) for action in bar.actions()]
    assert [button.text() for button in buttons[1:]] == ["Measure", "Latency", "Run", "Save"]
    assert shown.size() == look and all(button.isVisible() for button in buttons)
    for label in (ratio.costs, ratio.latency):
        assert label.isVisible() and label.width() >= label.sizeHint().width()
    assert is_legible(ratio.costs)


def test_the_bars_of_ram_and_flash_are_as_full_as_the_network_makes_them(shown, truth):
    _, before, after, *_ = truth
    for bar, measure in ((shown.goal.ram, "ram"), (shown.goal.flash, "flash")):
        share = getattr(after, measure) / getattr(before, measure)
        assert short_number(getattr(after, measure), "B") in bar.text and bar.share == pytest.approx(share)
        picture = colours(bar)[2].astype(int)
        changes = np.flatnonzero(np.abs(np.diff(picture, axis=0)).sum(axis=1) > 20)
        assert min(abs(changes - min(1, share) * bar.width())) <= 3 and is_legible(bar)


def test_a_comparison_shows_both_networks(shown, truth, cut_files):
    *_, before, after = truth
    session, removed = shown.session, cut_files[2]
    comparison = Comparison.of(before, after, "cut", {name: np.array(gone) for name, gone in removed.items()})
    (layer, gone), starts = next(iter(removed.items())), session.measured.planner.starts
    first = starts[session.opened.row_of(layer)]
    later = np.insert(after[layer].astype(float), gone[0], np.nan)
    session.compare(comparison, Mode.AFTER)
    QtWidgets.QApplication.processEvents()
    seen = dict(cells(shown))
    for number, fire in enumerate(later):
        colour = theme.current().background if np.isnan(fire) else painted([fire])[0]
        assert seen[first + number] == colour
    session.compare(comparison, Mode.DIFFERENCE)
    QtWidgets.QApplication.processEvents()
    most = np.nanmax(np.abs(comparison.fire - np.concatenate(list(before.values()))))
    assert f"orange for {most:+.2g}" in shown.heatmap_panel.legend.toolTip()
    row = session.opened.row_of(layer)
    assert shown.table.model.index(row, Column.AFTER).data() == str(len(before[layer]) - 1)


def test_the_legend_and_the_choices_beside_it_have_room(shown):
    panel = shown.heatmap_panel
    for mode in (Mode.BEFORE, Mode.CUTS):
        shown.session.compare(None, mode)
        assert panel.legend.width() >= panel.legend.minimumWidth() and is_legible(panel.legend)
    assert panel.criterion.currentText() == "FIRE" and is_legible(panel.criterion)


def test_the_filter_panel_shows_the_numbers_of_a_filter(shown, truth, qtbot):
    *_, before, _ = truth
    panel, layer = shown.panel, next(name for name, fire in before.items() if np.isfinite(fire).all())
    shown.session.point_at(layer, 1)
    panel.tabs.setCurrentWidget(panel.numbers)
    shown_numbers = {
        panel.numbers.topLevelItem(k).text(0): panel.numbers.topLevelItem(k).text(1)
        for k in range(panel.numbers.topLevelItemCount())
    }
    assert shown_numbers["FIRE, measured"] == f"{before[layer][1]:.5g}"
    assert shown_numbers["zeros seen"] == str(before.zeros[layer][1])
    assert is_legible(panel.numbers.viewport())
    panel.tabs.setCurrentWidget(panel.map)
    values = np.asarray(before.maps[layer][1])
    assert f"mean {values.mean():.3f}" in panel.map.caption.text() and is_legible(panel.map.caption)
    assert (colours(panel.map.plot) == painted([values.flat[0]])[0]).all(axis=2).any()
    assert panel.title.height() >= panel.title.sizeHint().height()


@pytest.mark.parametrize("figure", [0, 1])
def test_a_figure_is_on_white_paper_whatever_the_palette(shown, truth, figure):
    _, before, after, *_ = truth
    shown.actions_["figure"].trigger()
    dialog = shown.dialog
    dialog.kind.setCurrentIndex(figure)
    dialog.draw()
    picture = dialog.preview.pixmap().toImage()
    assert picture.pixelColor(0, 0) == QtGui.QColor("white") and dialog.preview.size() == PREVIEW
    assert f"MACs {after.macs / before.macs - 1:+.1%}" in dialog.caption.toPlainText()
    assert shown.geometry().width() >= dialog.sizeHint().width()
    dialog.reject()


def test_rounds_and_charts_show_what_the_run_recorded(history, look, qtbot, qapp):
    window, layer, went, _ = history
    window.resize(look)
    window.show_runs()
    QtWidgets.QApplication.processEvents()
    bar, chart, report = window.rounds, window.run_panel.chart, window.running.view.report
    bar.slider.setValue(1)
    QtWidgets.QApplication.processEvents()
    assert bar.figures.text().startswith("Round 1: accuracy 0.9100") and is_legible(bar.figures)
    assert bar.figures.height() >= bar.figures.heightForWidth(bar.figures.width())
    drawn = {tuple(point) for item in chart.metric.listDataItems() for point in zip(*item.getData(), strict=True)}
    assert drawn == {(0, report.baseline), *((round_.number, round_.accuracy) for round_ in report.rounds)}
    left = [tuple(point) for point in zip(*chart.macs.listDataItems()[0].getData(), strict=True)]
    assert left == [(0, 1.0), (1, 0.9), (3, 0.8)]
    assert chart.isVisible() and is_legible(chart) and is_legible(window.run_panel.status)
    row = window.session.opened.row_of(layer)
    width = window.session.opened.row(layer).filters
    assert window.table.model.index(row, Column.AFTER).data() == str(width - len(went))


def test_the_window_stays_in_its_size_with_every_column(shown, truth, look):
    """Sensitivity and the scores of other criteria take room, which names and the filter's panel give."""
    graph = truth[3].graph
    spare = dict.fromkeys(graph.filter_layers, np.array([0.9, 0.1]))
    alone = {name: [name] for name in spare}
    session = shown.session
    try:
        session.show_sensitivity(Sensitivity("accuracy", 0.9, (0.1, 0.5), spare, alone))
        session.rank_by(criteria.known_at_once("l1", truth[3]))
        QtWidgets.QApplication.processEvents()
        header = shown.table.view.horizontalHeader()
        end = header.sectionViewportPosition(Column.MACS_CHANGE) + header.sectionSize(Column.MACS_CHANGE)
        assert shown.size() == look and end <= shown.table.view.viewport().width() + 2
        score = shown.table.model.index(0, Column.FIRE).data()
        assert header.sectionSize(Column.FIRE) > shown.table.fontMetrics().horizontalAdvance(score)
    finally:
        session.rank_by(None)
        session.show_sensitivity(None)
