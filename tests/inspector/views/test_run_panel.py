import dataclasses
import json
import math

import pytest
from PySide6 import QtCore, QtGui

from inspector.views import RunPanel
from inspector.views.run_panel import NO_RUN, _with_room


def test_frames_of_a_spinner_are_one_line_of_fixed_width(qtbot):
    panel = RunPanel([])
    qtbot.addWidget(panel)
    for line in ("begun", "\u2819 Measuring", "\u2839 Measuring", "\u2838 Measuring", "over"):
        panel.say(line)
    assert panel.log.toPlainText().splitlines() == ["begun", "\u2838 Measuring", "over"]
    assert QtGui.QFontInfo(panel.log.font()).fixedPitch()


def test_the_log_follows_what_is_said_unless_a_person_scrolls(qtbot):
    panel = RunPanel([])
    qtbot.addWidget(panel)
    panel.resize(900, 160)
    bar = panel.log.verticalScrollBar()
    for number in range(60):
        panel.say(f"{number}: " + "a long line that has to be wrapped " * 4)
    panel.show()

    def last():
        place = panel.log.viewport().rect().bottomLeft() - QtCore.QPoint(0, 8)
        return panel.log.cursorForPosition(place).block().text()

    qtbot.waitUntil(lambda: last().startswith("59: "))
    panel.say("one more")
    qtbot.waitUntil(lambda: last() == "one more")
    qtbot.wait(20)
    bar.triggerAction(bar.SliderAction.SliderToMinimum)
    qtbot.wait(20)
    panel.say("while a person reads what came first")
    qtbot.wait(20)
    assert bar.value() == bar.minimum()
    bar.triggerAction(bar.SliderAction.SliderToMaximum)
    qtbot.wait(20)
    panel.say("and goes on")
    qtbot.waitUntil(lambda: last() == "and goes on")


def test_axes_of_a_run_do_not_go_below_nothing(history):
    window, *_ = history
    chart = window.run_panel.chart
    for plot, values in ((chart.metric, (0.6, 0.91)), (chart.macs, (0.7, 1.0))):
        low, high = plot.viewRange()[1]
        assert low < values[0] and high > values[1]
    low_one = dataclasses.replace(window.running.view.report, baseline=0.05, tolerance=0.01)
    chart.show_report(low_one)  # whose line of the tolerance has room for its name, below which nothing is marked
    low, high = chart.metric.viewRange()[1]
    assert (
        low < 0 and min(at for _, ticks in chart.metric.getAxis("left").tickValues(low, high, 200) for at in ticks) >= 0
    )


def test_the_name_of_an_axis_fits_beside_it(history):
    window, *_ = history
    chart = window.run_panel.chart
    chart.show_report(dataclasses.replace(window.running.view.report, monitor="sparse_categorical_accuracy"))
    label = chart.metric.getAxis("left").label
    assert label.toPlainText().startswith("…") and label.toPlainText().strip().endswith("accuracy")
    assert QtCore.QRectF(chart.rect()).contains(label.sceneBoundingRect())
    assert chart.macs.getAxis("left").label.toPlainText().strip() == "MACs remaining"
    chart.setFixedHeight(400)
    assert label.toPlainText().strip() == "sparse_categorical_accuracy"


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1, 0.9], (-0.18, 1.18)), ([0.5], (0.325, 0.675)), ([-1.0, 1.0], (-1.7, 1.7)), ([math.nan], (-0.35, 1.35))],
)
def test_room_around_values(values, expected):
    assert _with_room(values) == pytest.approx(expected)


def test_figures_of_a_run_come_before_its_remarks(history):
    window, *_, folder = history
    notes = [{"event": "note", "text": f"n{k} (GroupNormalization) normalises.", "time": ""} for k in range(3)]
    with open(folder / "events.jsonl", "a") as file:
        file.writelines(json.dumps(note) + "\n" for note in notes)
    window.open_path(folder)
    lines = window.run_panel.status.text().splitlines()
    (said,) = [number for number, line in enumerate(lines) if "normalises" in line]
    assert lines[said] == "n0 (GroupNormalization) normalises. So it is in 2 more."
    assert 0 < max(number for number, line in enumerate(lines) if " → " in line) < said


def test_ticks_stand_at_rounds_that_there_are(history):
    window, *_ = history
    axis = window.run_panel.chart.metric.getAxis("bottom")
    ticks = [at for _, values in axis.tickValues(-1.2, 4.4, 300) for at in values]
    assert sorted(ticks) == [0, 1, 2, 3]
    window.run_panel.chart.show_report(dataclasses.replace(window.running.view.report, rounds=()))
    low, high = window.run_panel.chart.metric.viewRange()[0]
    assert -0.5 < low < 0 and 1 < high < 3


def test_what_was_done_with_another_model_is_not_said_of_this_one(history, files, cut_files):
    window, *_ = history
    window.running.doing.emit("Measured latency of something.")
    assert "something" in window.run_panel.status.text()
    window.open_path(cut_files[0])
    assert window.run_panel.status.text() == NO_RUN
    window.measuring.doing.emit("Measured: 0.5.")
    window.show_document(window.session.document, keep_choices=True)  # it was measured: the words stay
    assert window.run_panel.status.text() == "Measured: 0.5."


def test_names_of_lines_stand_beside_the_curve(history):
    """They would hide the last points, and the mark of the round."""
    window, *_ = history
    window.resize(1440, 900)
    chart = window.run_panel.chart
    chart.show_report(window.running.view.report)
    last = chart.metric.vb.mapViewToScene(QtCore.QPointF(3, 0.9)).x()
    lines = [item for item in chart.metric.items if hasattr(item, "label")]
    names = [item.label.mapRectToScene(item.label.boundingRect()) for item in lines if item.angle == 0]
    assert len(names) == 2 and all(name.left() >= last for name in names)


def test_ticks_follow_the_number_of_rounds(history):
    """The axis is drawn again though its range stays."""
    window, *_ = history
    chart, report = window.run_panel.chart, window.running.view.report
    for rounds, expected in ((report.rounds[:1], ["0", "1"]), ((), ["0"]), (report.rounds[:1], ["0", "1"])):
        chart.show_report(dataclasses.replace(report, rounds=rounds))
        axis = chart.metric.getAxis("bottom")
        assert axis.picture is None  # it is drawn again
        low, high = chart.metric.viewRange()[0]
        assert sorted(f"{at:g}" for _, ticks in axis.tickValues(low, high, 200) for at in ticks) == expected
        window.grab()
