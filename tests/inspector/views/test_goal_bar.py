"""Goals, boards and memory, by mouse and keys: what is shown is what the library counts."""

import itertools
import threading
import time

import pytest
from PySide6 import QtCore, QtGui

from firekeras.channels.costs import costs_without
from firekeras.plan.planning import plan_pruning
from inspector.models.columns import Column
from inspector.models.editing import EndedError
from inspector.state import Message
from inspector.state.documents import read_profile
from inspector.state.goals import goal_of
from inspector.state.peak import peak_layers
from inspector.state.planner import Planner
from inspector.views.memory_bar import BEFORE
from inspector.views.ratio_bar import PLANNING
from inspector.widgets import CUT

Qt = QtCore.Qt


def type_goal(window, qtbot, text):
    qtbot.keyClick(window, Qt.Key.Key_4, Qt.KeyboardModifier.AltModifier)
    window.goal.take_focus()
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Delete)
    qtbot.keyClicks(window.goal.line, text)
    qtbot.waitUntil(lambda: not window.session.pending)


@pytest.mark.parametrize("text", ["60% of MACs", "70% of parameters and 90% of flash"])
def test_the_ratio_the_table_and_the_bars_follow_a_goal_that_is_typed(window, qtbot, text):
    type_goal(window, qtbot, text)
    profile, session = window.session.measured.profile, window.session
    plan = plan_pruning(profile.graph, profile, target=goal_of(text).target)
    assert session.cut.costs == plan.costs_after and session.measured.preview.num_gone == plan.num_removed > 0
    share = plan.num_removed / session.measured.ranked
    assert window.ratio.box.value() == pytest.approx(100 * share, abs=0.06)
    shown = [window.table.model.index(row, Column.AFTER).data() for row in range(len(session.rows))]
    assert shown == [str(row.filters - len(plan.removed.get(row.name, []))) for row in session.rows]
    costs = plan.costs_after
    assert window.goal.ram.share == costs.ram / session.opened.costs.ram
    assert window.goal.flash.share == costs.flash / session.opened.costs.flash
    assert session.choices.goal.text == text and window.editor.stack.undoText() == f"goal of {text}"


def test_a_long_goal_is_read_from_its_beginning(window, qtbot):
    text = "70% of parameters and 90% of flash and 99% of the conv MACs"
    type_goal(window, qtbot, text)
    assert window.goal.line.cursorPosition() == len(text) and window.goal.goal.toolTip().startswith(f"{text}. ")
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    window.heatmap.setFocus()
    assert window.goal.line.text() == text and window.goal.line.cursorPosition() == 0
    narrow = window.goal.goal.width()
    window.resize(1440, 900)
    qtbot.waitUntil(lambda: window.goal.goal.width() > narrow + 60)


def test_caps_move_what_a_goal_needs_and_the_slider_ends_it(window, qtbot):
    type_goal(window, qtbot, "60% of MACs")
    window.goal.line.clearFocus()
    free = [row.name for row in window.session.rows if not row.locked]
    window.editor.set_caps(free[:1], 0.25)
    assert window.session.pending and window.goal.label.text() == "&Goal…"
    qtbot.waitUntil(lambda: not window.session.pending)
    planned = window.session.measured.plan(window.session.choices)
    assert window.session.cut.costs == planned.costs_after
    reached = window.session.ratio
    qtbot.keyClick(window.ratio.slider, Qt.Key.Key_Right)
    assert window.session.choices.goal is None and window.goal.line.text() == ""
    assert abs(window.session.choices.ratio - reached) < 0.003
    window.editor.stack.undo()
    assert window.goal.line.text() == "60% of MACs"
    qtbot.waitUntil(lambda: not window.session.pending)
    assert window.session.cut.costs == planned.costs_after


def test_what_a_network_took_before_is_no_limit(window):
    bar = window.goal.ram
    bar.show_need(1200, 1000, BEFORE, "")
    assert bar.text == "RAM 1.200 kB of 1.000 kB, 200 B more" and "(before the cut)" in bar.toolTip()


def test_what_cannot_be_reached_is_said_and_not_saved(window, qtbot):
    type_goal(window, qtbot, "1% of parameters")
    measured = window.session.measured
    assert window.ratio.most.isVisible() and window.ratio.most.text().startswith("Out of reach: at least ")
    assert measured.preview.missed[0].least == measured.preview.costs.params
    assert "has the largest part of it" in window.ratio.most.toolTip()
    assert window.ratio.box.value() / 100 == pytest.approx(measured.planner.most(window.session.choices), abs=0.001)
    for key in ("save", "save_plan", "time"):
        assert "the goal is out of reach" in window.actions_[key].statusTip()
    window.session.point_at(window.session.rows[0].name, 0)
    qtbot.waitUntil(lambda: "Filter 0 of" in window.panel.why.toPlainText())


def test_what_is_no_goal_is_refused_on_enter_and_an_empty_field_leaves_the_ratio(window, qtbot):
    type_goal(window, qtbot, "60% of MACs")
    ratio = window.session.ratio
    window.goal.take_focus()
    qtbot.keyClicks(window.goal.line, "2 parsecs")
    assert window.session.choices.goal.text == "60% of MACs"
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    assert "“2 ms”, several of them, or a board. Received: “2 parsecs”" in window.banner.words.text()
    assert window.banner.words.text().endswith("The goal is still “60% of MACs”.")
    window.editor.set_goal("70% of MACs")
    assert not window.banner.isVisible()  # it no longer is
    window.editor.stack.undo()
    window.goal.take_focus()
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Delete)
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    assert window.session.choices.goal is None and window.session.choices.ratio == ratio


def test_the_wheel_changes_nothing_that_it_only_passes_over(window, qtbot):
    for control in (window.goal.goal, window.goal.board):
        middle = QtCore.QPointF(control.rect().center())
        turned = QtGui.QWheelEvent(middle, control.mapToGlobal(middle), QtCore.QPoint(), QtCore.QPoint(0, -120),
                                   Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
                                   Qt.ScrollPhase.NoScrollPhase, False)  # fmt: skip
        QtCore.QCoreApplication.sendEvent(control, turned)
    assert window.session.choices.goal is None and window.session.board is None


def test_a_board_fills_the_bars_and_can_be_the_goal(window, qtbot, tmp_path):
    costs, bar = window.session.cut.costs, window.goal.flash
    (tmp_path / "mine.toml").write_text(f"[tiny]\nram = {10 * costs.ram}\nflash = {costs.flash - 9}\ntitle = 'Tiny'\n")
    window.add_boards(tmp_path / "mine.toml")
    assert window.goal.board.currentText() == "Tiny" and bar.share > 1 and "9 B too much" in bar.text
    assert "Tiny" in bar.toolTip() and window.goal.ram.share == pytest.approx(0.1)
    assert bar.grab().toImage().pixelColor(bar.width() - 3, 3) == blended(bar, CUT)
    window.goal.goal.setCurrentIndex(window.goal.goal.findText("this board"))
    window.goal.goal.activated.emit(window.goal.goal.currentIndex())
    qtbot.waitUntil(lambda: not window.session.pending)
    assert window.session.cut.costs.flash <= costs.flash - 9 and bar.share <= 1
    assert (
        f"--ram {10 * costs.ram} --flash {costs.flash - 9}" in window.command_text()
        and "--ratio" not in window.command_text()
    )
    window.goal.board.setCurrentIndex(0)
    window.goal.board.activated.emit(0)
    assert window.session.board is None and window.session.choices.goal is None


def blended(bar, colour):
    """What a half transparent colour looks like on a bar."""
    under = bar.palette().color(bar.backgroundRole())
    mixed = [round((150 * c + 105 * u) / 255) for c, u in zip(colour, under.getRgb()[:3], strict=True)]
    found = bar.grab().toImage().pixelColor(bar.width() - 3, 3)
    assert all(abs(a - b) <= 2 for a, b in zip(mixed, found.getRgb()[:3], strict=True))
    return found


def test_layers_at_the_peak_are_marked_and_the_bar_leads_to_them(window, qtbot):
    session, graph = window.session, window.session.measured.planner.graph
    window.editor.set_ratio(0.5)
    marked = {row.name for row in session.rows if mark(window, row)}
    assert marked == session.at_peak == peak_layers(graph, session.cut.units) != set()
    qtbot.mouseClick(window.goal.ram, Qt.MouseButton.LeftButton)
    assert session.layer in marked and session.cut.costs.ram_layer in window.goal.ram.toolTip()


def mark(window, row):
    return window.table.model.index(window.session.opened.row_of(row.name), Column.PEAK).data()


def test_a_network_that_is_not_measured_has_bars_and_a_board(empty_window, files):
    graph = read_profile(files[1]).graph
    files[1].unlink()
    empty_window.open_path(files[0])
    empty_window.structure.arrived.emit(graph)
    assert not empty_window.goal.goal.isEnabled() and "nothing is measured" in empty_window.goal.goal.toolTip()
    empty_window.goal.choose("raspberry-pi-pico")
    bar, board = empty_window.goal.flash, empty_window.session.board
    assert bar.share == costs_without(graph).flash / board.flash and bar.isVisible()


@pytest.mark.parametrize("size", [(1024, 700), (1440, 900)])
@pytest.mark.parametrize("dark", [False, True])
def test_goal_board_and_bars_fit_into_the_window_and_can_be_read(window, qtbot, size, dark):
    palette = QtGui.QPalette(QtGui.QColor("#202020" if dark else "#f0f0f0"))
    window.setPalette(palette)
    window.resize(*size)
    window.goal.choose("raspberry-pi-pico")
    bar, room = window.goal, window.goal.rect()
    shown = [bar.goal, bar.board, bar.ram, bar.flash]
    qtbot.waitUntil(lambda: all(widget.isVisible() and room.contains(widget.geometry()) for widget in shown))
    edges = [(widget.geometry().left(), widget.geometry().right()) for widget in shown]
    assert edges == sorted(edges) and all(a[1] < b[0] for a, b in itertools.pairwise(edges))
    assert bar.ram.fontMetrics().horizontalAdvance(bar.ram.text) < bar.ram.width()


def test_a_run_takes_the_goal_as_its_target(window, qtbot):
    type_goal(window, qtbot, "60% of MACs")
    window.actions_["run"].trigger()
    assert window.dialog.target.currentText() == "60% of MACs" and not window.dialog.left.isVisible()
    assert window.dialog.options().target == {"macs": 0.6} and "--macs 0.6" in window.dialog.command.toPlainText()


def test_a_refusal_goes_once_the_goal_is_understood(window, qtbot):
    type_goal(window, qtbot, "half of it")
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    assert window.banner.isVisible() and "half of it" in window.banner.words.text()
    type_goal(window, qtbot, "60% of MACs")
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    assert not window.banner.isVisible()
    window.banner.say(Message("Saved."))
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    assert window.banner.isVisible()


def test_a_goal_that_takes_long_can_be_given_up(window, qtbot, monkeypatch):
    by_goal = Planner._by_goal

    def endless(planner, choices, goal, between):
        while goal.text == "50% of MACs":
            between()
            time.sleep(0.001)
        return by_goal(planner, choices, goal, between)

    monkeypatch.setattr(Planner, "_by_goal", endless)
    session, ratio = window.session, window.session.ratio
    qtbot.keyClicks(window.goal.line, "50% of MACs")
    qtbot.waitUntil(lambda: window.ratio.most.text() == PLANNING and window.editor._at_work is not None)
    thread = window.editor._at_work.result
    qtbot.keyClick(window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert session.choices.goal is None and session.ratio == ratio and not session.pending
    assert not window.actions_["abort"].isEnabled() and window.ratio.most.text() != PLANNING
    qtbot.waitUntil(thread.done)
    assert isinstance(thread.exception(), EndedError)
    window.editor.set_goal("60% of MACs")
    qtbot.waitUntil(lambda: not session.pending)
    assert session.cut.costs.macs <= 0.6 * session.opened.costs.macs


def test_a_goal_that_takes_long_is_planned_beside_all_else(window, qtbot, monkeypatch):
    begun, go_on, by_goal = threading.Event(), threading.Event(), Planner._by_goal

    def slow(planner, choices, goal, between):
        begun.set()
        assert go_on.wait(60)
        return by_goal(planner, choices, goal, between)

    monkeypatch.setattr(Planner, "_by_goal", slow)
    session, before = window.session, window.session.cut
    window.editor.set_goal("80% of RAM")
    qtbot.waitUntil(begun.is_set)
    qtbot.waitUntil(lambda: window.ratio.most.text() == PLANNING and window.ratio.most.isVisible())
    assert session.cut.costs == before.costs and "still being planned" in window.actions_["save"].statusTip()
    window.editor.set_goal("50% of MACs")  # it is what counts, whatever is found first
    go_on.set()
    qtbot.waitUntil(lambda: not session.pending)
    plan = plan_pruning(session.opened.graph, session.measured.scores, target={"macs": 0.5})
    assert session.cut.costs == plan.costs_after and window.ratio.most.text() != PLANNING
    assert window.actions_["save"].isEnabled()
    qtbot.waitUntil(lambda: session.measured.planner._plan is not None)  # before anybody asks for reasons
    monkeypatch.setattr("inspector.state.planner.plan_of", None)
    assert session.measured.plan(session.choices).costs_after == plan.costs_after


def test_a_refused_goal_makes_way_for_the_one_that_holds(window, qtbot):
    type_goal(window, qtbot, "60% of MACs")
    window.goal.take_focus()
    qtbot.keyClicks(window.goal.line, "2 parsecs")
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    assert window.goal.line.text() == "2 parsecs"
    window.table.view.setFocus()
    assert window.goal.line.text() == "60% of MACs" == window.session.choices.goal.text


def test_undo_in_a_box_undoes_what_was_chosen_there(window, qtbot):
    control, ratio = Qt.KeyboardModifier.ControlModifier, window.session.ratio
    type_goal(window, qtbot, "60% of MACs")
    qtbot.keyClick(window.goal.line, Qt.Key.Key_Return)
    qtbot.keyClick(window.goal.goal, Qt.Key.Key_Z, control)
    assert window.session.choices.goal is None and window.goal.line.text() == ""
    box = window.ratio.box
    window.ratio.take_focus()
    qtbot.keyClicks(box, "42")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert window.session.ratio == 0.42
    qtbot.keyClick(box, Qt.Key.Key_Z, control)
    assert window.session.ratio == ratio and box.value() == pytest.approx(100 * ratio, abs=0.06)
    qtbot.keyClick(box, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert window.session.ratio == 0.42
