import keras
import pytest
from PySide6 import QtCore, QtGui, QtTest, QtWidgets
from recorded import command

import firekeras
from inspector.children.job import Outcome
from inspector.models.columns import Column
from inspector.state import Comparison, Data, choices_file, totals_of, words
from inspector.state.comparison import Mode
from inspector.state.documents import read_profile
from inspector.state.peak import peak_layers

Qt = QtCore.Qt


def test_nothing_open_says_what_to_do(empty_window):
    assert "Open a trained Keras model" in empty_window.empty.words.text()
    assert empty_window.empty.button.text() == "Open" and empty_window.empty.button.isEnabled()
    assert "nothing is open" in empty_window.actions_["run"].statusTip()


def test_a_model_alone_offers_to_measure(empty_window, files, qtbot):
    files[1].unlink()
    empty_window.open_path(files[0])
    assert "net.keras has not been measured yet" in empty_window.empty.words.text().replace("\u200b", "")
    qtbot.mouseClick(empty_window.empty.button, Qt.MouseButton.LeftButton)
    assert empty_window.dialog.windowTitle() == "Measure FIRE of net.keras"
    assert "not measured yet" in empty_window.actions_["copy"].statusTip()


def test_layers_of_a_model_that_is_not_measured_can_be_looked_at(empty_window, files, qtmodeltester):
    graph = read_profile(files[1]).graph
    files[1].unlink()
    empty_window.open_path(files[0])
    empty_window.structure.arrived.emit(graph)
    qtmodeltester.check(empty_window.table.model)
    session, model = empty_window.session, empty_window.table.model
    assert [row.name for row in session.rows] == graph.filter_layers
    free = next(number for number, row in enumerate(session.rows) if not row.locked)
    shown = {column: model.index(free, column).data() for column in Column}
    assert shown[Column.AFTER] == "" and shown[Column.FIRE] == "-"
    assert shown[Column.FILTERS] == str(graph.widths[session.rows[free].name]) and shown[Column.SHAPE]
    hidden = {column for column in Column if empty_window.table.view.isColumnHidden(column)}
    assert hidden == {
        Column.FIRE,
        Column.SENSITIVITY,
        Column.AFTER,
        Column.MACS_CHANGE,
        Column.PARAMS_CHANGE,
        Column.MACS_AFTER,
        Column.PARAMS_AFTER,
    }
    empty_window.table.view.selectRow(free)
    assert "F5 measures it" in empty_window.panel.why.toPlainText()
    assert "not measured yet" in empty_window.actions_["csv"].statusTip()


def test_two_models_are_compared_layer_by_layer_and_in_all(window, cut_files):
    window.compare_with(cut_files[0])  # by what was measured of it
    session, (layer, went) = window.session, next(iter(cut_files[2].items()))
    other = read_profile(cut_files[1]).graph
    assert session.comparison.by_rank and "does not record which filters went" in window.banner.words.text()
    assert session.mode is Mode.SPLIT and session.cut.costs == firekeras.count_costs(other)
    model = window.table.model
    shown = {row.name: model.index(number, Column.AFTER).data() for number, row in enumerate(session.rows)}
    assert shown == {name: str(width) for name, width in other.widths.items()}
    assert int(shown[layer]) == session.opened.row(layer).filters - len(went)
    sums = totals_of(session)
    assert sums[1].macs == firekeras.count_costs(other).macs < sums[0].macs
    assert session.at_peak == peak_layers(other)
    window.in_words(window.compare_with, cut_files[0].with_name("other.keras"))
    assert "There is no other.fire.h5 beside the model" in window.banner.words.text()


def test_caps_and_locks_before_the_measurement_are_kept_by_it(empty_window, files, qtbot):
    window, profile = empty_window, files[1].rename(files[1].with_name("later.fire.h5"))
    window.open_path(files[0])
    assert "are not read yet" in window.actions_["cap"].statusTip() and not window.table.edits.isEnabled()
    window.structure.arrived.emit(read_profile(profile).graph)
    session, model = window.session, window.table.model
    free = [number for number, row in enumerate(session.rows) if not row.locked]
    first, second = (session.rows[number].name for number in free[:2])
    assert model.index(free[0], Column.CAP).flags() & Qt.ItemFlag.ItemIsEditable
    assert model.setData(model.index(free[0], Column.CAP), 25) and model.index(free[0], Column.CAP).data() == "25%"
    window.table.view.selectRow(window.table.proxy.mapFromSource(model.index(free[1], 0)).row())
    qtbot.mouseClick(window.table.edits.lock, Qt.MouseButton.LeftButton)
    assert second in session.choices.locked and window.isWindowModified() and window.editor.stack.count() == 2
    qtbot.waitUntil(lambda: "you locked it" in window.panel.why.toPlainText())
    assert "cap lets at most 25% be removed" in words.why_layer(session, first) and "F5 measures it" in words.why_layer(
        session, first
    )
    window.editor.stack.undo()
    assert second not in session.choices.locked
    window.editor.stack.redo()
    chosen = session.choices
    profile.rename(files[1])
    window.measuring._measured(Outcome(True, False, ""), files[0], Data("digits"))
    assert session.measured is not None and session.choices == chosen and window.isWindowModified()
    assert session.measured.preview.widths[second] == session.measured.planner.widths[second]
    window.editor.stack.undo()
    assert (
        second not in session.choices.locked
        and session.measured.preview.widths[second] < session.measured.planner.widths[second]
    )
    window.editor.stack.undo()
    assert session.choices.caps == {} and not window.isWindowModified()


def test_why_the_ratio_does_nothing_before_the_measurement_is_said(empty_window, files):
    ratio, profile = empty_window.ratio, files[1].rename(files[1].with_name("later.fire.h5"))
    assert ratio.costs.text() == "Nothing is open"
    empty_window.open_path(files[0])
    assert "Measure FIRE (F5)" in ratio.costs.text()
    graph = read_profile(profile).graph
    empty_window.structure.arrived.emit(graph)
    assert ratio.costs.text().splitlines()[0].startswith("MACs ") and "F5" in ratio.costs.text().splitlines()[1]
    assert not ratio.slider.isEnabled() and "nothing is measured yet" in ratio.slider.toolTip()
    assert ratio.costs.isEnabled() and not ratio.latency.isVisible()
    empty_window.open_path(profile)
    assert ratio.slider.isEnabled() and ratio.latency.isVisible() and "Not now" not in ratio.slider.toolTip()


def test_what_is_read_of_one_model_is_not_shown_for_another(empty_window, files):
    profile = files[1].rename(files[1].with_name("other.fire.h5"))
    empty_window.open_path(files[0])
    assert empty_window.structure.job is not None
    empty_window.open_path(profile)
    assert empty_window.structure.job is None and empty_window.session.measured is not None


class Entering:
    """A file that is dragged over the window; Qt's own event takes other arguments in each version."""

    def __init__(self, data):
        self.mimeData, self.accepted = lambda: data, False

    def acceptProposedAction(self):
        self.accepted = True


def test_a_dropped_file_is_opened(empty_window, files):
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(files[0]))])
    entering, text = Entering(data), Entering(QtCore.QMimeData())
    empty_window.dragEnterEvent(entering)
    empty_window.dragEnterEvent(text)
    assert entering.accepted and not text.accepted
    everything = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    empty_window.dropEvent(QtGui.QDropEvent(QtCore.QPointF(5, 5), *everything))
    assert empty_window.session.document.model == files[0]


def test_the_status_bar_says_nothing_that_holds_no_longer(window):
    session, said = window.session, window.statusBar().currentMessage
    window.statusBar().showMessage("latency 3 → 2 ms")
    window.editor.set_ratio(0.4)
    assert said() == ""
    free = next(row.name for row in session.rows if not row.locked)
    session.point_at(free)
    window.editor.set_locks([free], True)
    assert said() == words.why_layer(session, free) and "you locked it" in said()
    window.editor.stack.undo()
    assert said() == words.why_layer(session, free) and "you locked it" not in said()
    stays = next(f for f in range(session.measured.preview.widths[free]) if not session.gone(free, f))
    session.point_at(free, stays)
    assert said().endswith("kept")
    window.editor.set_ratio(0.9)
    assert said() == words.readout(session, free, stays)


def test_keys_that_can_do_nothing_say_why(window, qtbot):
    session, said = window.session, window.statusBar().currentMessage
    window.actions_["lock"].trigger()
    assert said().startswith("No layer is selected")
    fixed = next(row for row in session.rows if row.locked)
    session.point_at(fixed.name)
    presses = [
        window.actions_["lock"].trigger,
        window.actions_["cap"].trigger,
        lambda: qtbot.keyClick(window.table.view, Qt.Key.Key_Space),
        lambda: qtbot.keyClick(window.heatmap, Qt.Key.Key_L),
        lambda: qtbot.keyClick(window.heatmap, Qt.Key.Key_Minus),
    ]
    for press in presses:
        window.statusBar().clearMessage()
        press()
        assert said() == f"{fixed.name} keeps all {fixed.filters} filters: {fixed.locked}."
    assert not session.choices.locked and not session.choices.caps


def test_keys_of_the_table_work_in_every_column(window, qtbot):
    session, view = window.session, window.table.view
    row = next(
        k
        for k in range(window.table.proxy.rowCount())
        if window.table.proxy.index(k, Column.CAP).flags() & Qt.ItemFlag.ItemIsEditable
    )
    view.setFocus()
    view.setCurrentIndex(window.table.proxy.index(row, Column.LAYER))
    qtbot.keyClick(view, Qt.Key.Key_F2)
    box = view.findChild(QtWidgets.QSpinBox)
    box.setValue(25)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    name = window.table.model.layer(window.table.proxy.mapToSource(window.table.proxy.index(row, 0)))
    qtbot.waitUntil(lambda: session.choices.caps.get(name) == 0.25)
    view.setCurrentIndex(window.table.proxy.index(row, Column.MACS))
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert name in session.choices.locked and words.reasons(session, name, 0)[0].endswith("filters: you locked it.")
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert name not in session.choices.locked


def test_a_layer_that_is_not_found_is_said(window):
    finder, said = window.table.finder, window.statusBar().currentMessage
    finder.setText("nowhere")
    assert said() == "No layer's name or type contains “nowhere”."
    finder.setText(window.session.rows[0].name)
    assert said() == "" and window.table.proxy.rowCount() < len(window.session.rows)
    QtTest.QTest.keyClick(finder, Qt.Key.Key_Escape)
    assert finder.text() == "" and window.table.proxy.rowCount() == len(window.session.rows)


def test_closing_with_changes_asks(window, qtbot):
    window.editor.set_ratio(0.6)
    window.close()
    assert window.isVisible() and "not saved" in window.dialog.text()
    assert window.dialog.defaultButton().text() == "&Save…" and window.dialog.escapeButton().text() == "&Cancel"
    next(button for button in window.dialog.buttons() if "Don't" in button.text()).click()
    qtbot.waitUntil(lambda: not window.isVisible())


def save_first(window, qtbot, path):
    window.dialog.defaultButton().click()
    qtbot.waitUntil(lambda: isinstance(window.dialog, QtWidgets.QFileDialog))
    window.dialog.fileSelected.emit(str(path))
    window.dialog.accepted.emit()


def test_closing_can_save_first_what_can_be_opened_again(window, qtbot, tmp_path):
    window.editor.set_goal("60% of MACs")
    chosen = window.session.choices
    window.close()
    save_first(window, qtbot, tmp_path / "mine.json")
    qtbot.waitUntil(lambda: not window.isVisible())
    assert choices_file.load(tmp_path / "mine.json", window.session.opened.graph.filter_layers)[0] == chosen


def test_opening_something_else_asks_what_closing_asks(window, cut_files, qtbot):
    window.editor.set_ratio(0.6)
    window.open_path(cut_files[0])
    assert "not saved" in window.dialog.text() and window.session.document.name == "net.keras"
    window.dialog.escapeButton().click()
    assert window.session.choices.ratio == 0.6 and window.isWindowModified()
    window.open_path(cut_files[0])
    next(button for button in window.dialog.buttons() if "Don't" in button.text()).click()
    qtbot.waitUntil(lambda: window.session.document.name == "cut.keras")
    assert not window.isWindowModified()


def test_opening_something_else_can_save_first(window, cut_files, qtbot, tmp_path):
    window.editor.set_ratio(0.6)
    window.open_path(cut_files[0])
    save_first(window, qtbot, tmp_path / "mine.json")
    qtbot.waitUntil(lambda: window.session.document.name == "cut.keras")
    assert (tmp_path / "mine.json").exists()


def test_the_first_size_fits_the_screen(window):
    size, room = window._first_size(), window.screen().availableSize()
    assert size.width() <= room.width() and size.height() < room.height()


def focusable(window):
    return [
        widget
        for widget in window.findChildren(QtWidgets.QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not widget.objectName().startswith("qt_")
    ]


def nameless(window):
    """Widgets that the keyboard reaches, and that a screen reader could not name."""
    found = []
    for widget in focusable(window):
        interface = QtGui.QAccessible.queryAccessibleInterface(widget)
        if not (widget.accessibleName() or (interface and interface.text(QtGui.QAccessible.Text.Name))):
            found.append((type(widget).__name__, widget.objectName(), type(widget.parent()).__name__))
    return found


def test_every_control_has_a_name(window):
    window.run_dock.show()
    assert len(focusable(window)) > 20
    assert nameless(window) == []


@pytest.mark.parametrize("key", ["measure", "run", "limits"])
def test_every_control_of_a_dialog_has_a_name(window, key):
    window.actions_[key].trigger()
    assert len(focusable(window.dialog)) > 2
    assert nameless(window.dialog) == []


def test_the_copied_command_holds_every_choice(window):
    free = next(row.name for row in window.session.rows if not row.locked)
    window.editor.set_caps([free], 0.25)
    window.editor.set_limits(2, 0.2)
    window.actions_["copy"].trigger()
    text = QtGui.QGuiApplication.clipboard().text()
    assert text.startswith("firekeras prune ") and "net.keras --scores " in text
    assert "--ratio 0.3 " in text and f"--cap {free}=0.25" in text and "--round-to 2 --min-keep 0.2" in text


def test_no_command_and_no_plan_are_offered_that_remove_nothing(window):
    window.editor.set_ratio(0.0)
    for key in ("copy", "save_plan", "save", "time"):
        action = window.actions_[key]
        assert not action.isEnabled() and "with these settings no filter would be removed" in action.statusTip()


def test_a_whole_session_by_keyboard(window, qtbot, tmp_path):
    session = window.session

    def press(key, modifier=Qt.KeyboardModifier.NoModifier, times=1):
        for _ in range(times):
            qtbot.keyClick(QtWidgets.QApplication.focusWidget() or window, key, modifier)

    window.activateWindow()
    alt, control = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
    press(Qt.Key.Key_3, alt)
    assert window.ratio.box.hasFocus()
    qtbot.keyClicks(QtWidgets.QApplication.focusWidget(), "45")
    press(Qt.Key.Key_Return)
    assert session.choices.ratio == pytest.approx(0.45)
    press(Qt.Key.Key_2, alt)
    assert window.heatmap.hasFocus()
    free = next(number for number, row in enumerate(session.rows) if not row.locked)
    press(Qt.Key.Key_Down, times=free + 1)
    assert session.layer == session.rows[free].name
    press(Qt.Key.Key_Minus, times=10)
    assert session.choices.caps[session.layer] == 0.5
    press(Qt.Key.Key_Return)
    assert window.panel.tabs.tabBar().hasFocus()
    press(Qt.Key.Key_F, control)
    assert window.table.finder.hasFocus()
    qtbot.keyClicks(window.table.finder, session.layer)
    press(Qt.Key.Key_1, alt)
    assert window.table.view.hasFocus()
    press(Qt.Key.Key_L, control)
    assert session.layer in session.choices.locked
    press(Qt.Key.Key_Z, control)
    assert not session.choices.locked
    press(Qt.Key.Key_4, control)
    assert session.mode is Mode.SPLIT
    press(Qt.Key.Key_C, control | Qt.KeyboardModifier.ShiftModifier)
    assert f"--cap {session.layer}=0.5" in QtGui.QGuiApplication.clipboard().text()
    press(Qt.Key.Key_R, control)
    assert window.dialog.windowTitle().startswith("Run: ")
    qtbot.keyClick(window.dialog, Qt.Key.Key_Escape)
    assert not window.dialog.isVisible()
    reached = walk(window, qtbot)
    assert {window.ratio.slider, window.heatmap, window.table.view, window.panel.why} <= reached


def walk(window, qtbot):
    """The widgets that the tab key comes to."""
    reached = set()
    for _ in range(80):
        widget = QtWidgets.QApplication.focusWidget()
        if widget in reached:
            break
        reached.add(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    return reached


def test_help_says_all_keys_and_what_this_is(window):
    window.actions_["keys"].trigger()
    assert all(key in window.dialog.text() for key in ("Ctrl+Z", "F2", "F5", "Esc", "Arrow&nbsp;keys"))
    assert window.dialog.sizeHint().height() < 700
    window.actions_["about"].trigger()
    assert "firekeras " in window.dialog.text() and "Apache-2.0" in window.dialog.text()


def test_the_manual_is_read_without_a_network(window, qtbot):
    qtbot.keyClick(window, Qt.Key.Key_F1)
    text = window.dialog.text.toPlainText()
    assert "Figure for a paper" in text and "](" not in text and ".png" not in text
    assert "https://github.com/google-ai-edge/model-explorer" in window.dialog.text.toHtml()
    assert window.dialog.windowTitle() == "Manual of the FIRE inspector" and not window.dialog.isModal()


def test_a_run_is_refused_where_it_cannot_write(window, files):
    window.actions_["run"].trigger()
    dialog, ok = window.dialog, window.dialog.buttons.buttons()[0]
    (files[0].parent / "images" / "cats").mkdir(parents=True)
    other = files[0].with_name("other.keras")
    other.write_bytes(b"mine")
    dialog.data.box.setEditText(str(files[0].parent / "images"))
    assert ok.isEnabled() and not dialog.reason.text()
    for line, text, why in (
        (dialog.output, "small.h5", "must end with .keras"),
        (dialog.output, str(files[0]), "is the model itself"),
        (dialog.output, str(other), "other.keras exists already"),
        (dialog.output, "/nowhere/small.keras", "Nothing can be written into /nowhere"),
        (dialog.run_dir, str(files[0].parent), "exists already"),
        (dialog.run_dir, "", "Choose a new folder for the run."),
    ):
        before = line.text()
        line.setText(text)
        assert why in dialog.reason.text() and not ok.isEnabled()
        line.setText(before)
    assert ok.isEnabled()


def test_filter_counts_are_multiples_of_what_there_is(window):
    window.actions_["limits"].trigger()
    assert window.dialog.multiple.maximum() == max(row.filters for row in window.session.rows)


def test_the_heatmap_follows_what_is_found_and_selected(window):
    kinds = [row.kind for row in window.session.rows]
    window.table.finder.setText("dense")
    dense = [row.name for row in window.session.rows if row.kind == "Dense"]
    assert window.heatmap.names._names == dense and len(window.heatmap.image.image) == len(dense) < len(kinds)
    window.table.finder.setText("")
    assert len(window.heatmap.names._names) == len(window.heatmap.image.image) == len(kinds)
    window.table.view.selectAll()
    assert len(window.heatmap.pointed._selected) == len(kinds)


def test_the_reasons_are_as_high_as_their_text(window, qtbot):
    why, line = window.panel.why, window.panel.why.fontMetrics().lineSpacing()
    for lines in (3, 9):
        why.setPlainText("\n".join("why" for _ in range(lines)))
        qtbot.waitUntil(lambda lines=lines: lines * line < why.height() < (lines + 2) * line)
        qtbot.waitUntil(lambda: not why.verticalScrollBar().isVisible())


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("failed", [False, True])
def test_a_log_that_opened_by_itself_closes_unless_something_failed(window, qtbot, tmp_path, opened, failed):
    window.run_dock.setVisible(opened)
    window.start(command(tmp_path, [{"exit": int(failed)}]), "Working", lambda outcome: None)
    assert window.run_dock.isVisible()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.run_dock.isVisible() == (opened or failed)


def test_a_network_without_relu_is_ranked_by_l1(silu_window, qtbot):
    session, banner = silu_window.session, silu_window.banner
    assert silu_window.pages.currentWidget() is silu_window.heatmap_panel
    assert "No filter of silu.keras has a ReLU of its own" in banner.words.text()
    plan = firekeras.plan_pruning(session.opened.graph, session.measured.scores, pruning_ratio=0.3)
    assert session.cut.costs == plan.costs_after and session.cut.num_gone
    model = keras.models.load_model(session.document.model)
    scores = firekeras.score_filters(model, "l1")
    assert all((session.measured.scores[name] == pytest.approx(values)) for name, values in scores.items())
    assert silu_window.command_text().startswith("firekeras prune") and "--criterion l1" in silu_window.command_text()
    session.point_at("first", 0)
    assert silu_window.panel.map.caption.text() == "This layer has no ReLU of its own: no map."
    qtbot.keyClick(silu_window, Qt.Key.Key_F5)
    assert "has no FIRE" in silu_window.statusBar().currentMessage()
    silu_window.rank_by("apoz")  # the same number
    assert silu_window.dialog is None and banner.words.text().startswith("Filters cannot be ranked by apoz: no filter")
    silu_window.rank_by("fire")
    assert "Choose another criterion" in banner.words.text() and session.measured.scores.criterion == "l1"


def test_what_a_run_removed_from_a_network_without_relu_is_shown(silu_window):
    session = silu_window.session
    session.compare(Comparison.of_cuts(session.measured.profile, {"first": [0, 2]}, "round 1"), Mode.CUTS)
    assert session.cut.widths == {"first": 4, "second": 8, "last": 3} and session.hatched.sum() == 2
    assert not silu_window.actions_["AFTER"].isEnabled()
    silu_window.rank_by("fire or l1")
    assert session.comparison.name == "round 1" and session.mode is Mode.CUTS
