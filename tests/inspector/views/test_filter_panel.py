import keras
import pytest
from PySide6 import QtCore

import firekeras
from inspector.state import words
from inspector.state.comparison import Mode


@pytest.fixture
def series(empty_window, tmp_path):
    """A window with a measured network for series."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((32, 2))
    for filters in (6, 4):
        x = keras.layers.Conv1D(filters, 3, padding="same", activation="relu", name=f"conv{filters}")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, name="level")(keras.layers.GlobalAveragePooling1D()(x)))
    model.save(tmp_path / "series.keras")
    data = keras.random.normal((16, 32, 2), seed=0)
    firekeras.measure_fire(model, keras.ops.convert_to_numpy(data), neuron_maps=True).save(tmp_path / "series.fire.h5")
    empty_window.open_path(tmp_path / "series.keras")
    return empty_window


def test_the_map_of_a_series_fills_the_picture(series, qtbot):
    series.session.point_at("conv6", 2)
    view = series.panel.map
    assert view.caption.text().endswith("; 32 positions.")
    qtbot.waitUntil(lambda: view.image.sceneBoundingRect().height() > view.plot.height() / 2)


def test_the_reasons_need_no_scroll_bar(window, qtbot):
    panel, row = window.panel, next(row for row in window.session.rows if not row.locked)
    for filter in (None, 2):
        window.session.point_at(row.name, filter)
        qtbot.waitUntil(lambda: panel.why.toPlainText().endswith("filters."), timeout=5000)
        assert not panel.why.verticalScrollBar().isVisible()
    panel.why.setPlainText("a line of reasons\n" * 30)
    qtbot.waitUntil(panel.why.verticalScrollBar().isVisible)


def test_the_filter_panel_says_why_and_shows_map_kernel_and_numbers(window, qtbot):
    session, panel = window.session, window.panel
    row = next(row for row in session.rows if not row.locked)
    session.point_at(row.name, 2)
    qtbot.waitUntil(lambda: panel.why.toPlainText() != "")
    assert panel.why.toPlainText().startswith(words.why_filter(session, row.name, 2))
    assert f"mean {session.measured.profile.maps[row.name][2].mean():.3f}" in panel.map.caption.text()
    assert panel.map.image.image.shape[:2] == session.measured.profile.maps[row.name][2].shape
    assert panel.kernel.caption.text().startswith("3 x 3 x 8 (taps, inputs)")
    assert panel.map.bar.accessibleDescription() == "inactive: from 0, dark blue, to 1, yellow"
    most = abs(session.document.weights.kernel(session.opened.graph.layers[row.name], 2)).max()
    assert panel.kernel.bar.scale.low == -most and panel.kernel.bar.scale.high == most
    assert panel.kernel.bar.toolTip() == f"weight: from {-most:.3g}, blue, to {most:.3g}, orange"
    panel.tabs.setCurrentWidget(panel.numbers)
    shown = {panel.numbers.topLevelItem(n).text(0): panel.numbers.topLevelItem(n).text(1) for n in range(5)}
    assert shown["FIRE, measured"] == f"{session.measured.profile[row.name][2]:.5g}"
    assert shown["rank"] == f"{session.measured.place(row.name, 2)} of {session.measured.ranked}"


def test_values_are_whole_in_a_narrow_panel(window, qtbot):
    panel, numbers = window.panel, window.panel.numbers
    panel.tabs.setCurrentWidget(numbers)
    window.session.point_at(next(row.name for row in window.session.rows if not row.locked), 2)
    assert numbers.columnWidth(0) >= numbers.sizeHintForColumn(0)  # at its usual width, names are whole too
    window.resizeDocks([window.filter_dock], [panel.minimumWidth()], QtCore.Qt.Orientation.Horizontal)
    widest = max(
        numbers.fontMetrics().horizontalAdvance(numbers.topLevelItem(n).text(1))
        for n in range(numbers.topLevelItemCount())
    )
    assert numbers.columnWidth(1) >= widest
    qtbot.waitUntil(lambda: numbers.columnWidth(0) + numbers.columnWidth(1) <= numbers.viewport().width())
    assert numbers.topLevelItem(0).toolTip(0) == numbers.topLevelItem(0).text(0)


def test_a_window_whose_file_is_closed_can_still_change_its_theme(window):
    window.session.point_at(next(row.name for row in window.session.rows if not row.locked), 0)
    window.session.close()
    window.panel.take_theme()
    assert "taps" not in window.panel.kernel.caption.text()


def test_maps_are_compared_beside_a_line(window, files):
    window.session.point_at(next(row.name for row in window.session.rows if not row.locked), 1)
    window.compare_with(files[1])
    assert window.session.mode is Mode.SPLIT and "filter by filter" in window.banner.words.text()
    assert window.panel.map.divider.isVisible() and "Before" in window.panel.map.caption.text()
    window.actions_["DIFFERENCE"].trigger()
    assert "mean +0.000" in window.panel.map.caption.text()
    assert window.panel.map.bar.toolTip() == "after - before: from -1, blue, to 1, orange"
