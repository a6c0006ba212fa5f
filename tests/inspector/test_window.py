import json
import os
import zipfile

import h5py
import pytest
from PySide6 import QtCore, QtGui, QtWidgets

from firekeras.plan.planning import PruningPlan, plan_pruning
from inspector import palette
from inspector.comparison import Mode
from inspector.documents import read_profile
from inspector.job import Outcome
from inspector.layer_model import CHANGES, COSTS_AFTER, Column
from inspector.netron import open_in_netron

Qt = QtCore.Qt


def test_nothing_open_says_what_to_do(empty_window):
    assert "Open a trained Keras model" in empty_window.empty.words.text()
    assert empty_window.empty.button.text() == "Open" and empty_window.empty.button.isEnabled()
    assert "nothing is open" in empty_window.actions_["run"].statusTip()


def test_a_model_alone_offers_to_measure(empty_window, files, qtbot):
    files[1].unlink()
    empty_window.open_path(files[0])
    assert "net.keras is not measured yet" in empty_window.empty.words.text()
    qtbot.mouseClick(empty_window.empty.button, Qt.MouseButton.LeftButton)
    assert empty_window.dialog.windowTitle() == "Measure FIRE of net.keras"
    assert "not measured yet" in empty_window.actions_["copy"].statusTip()


def test_layers_of_a_model_that_is_not_measured_can_be_looked_at(empty_window, files, qtmodeltester):
    graph = read_profile(files[1]).graph
    files[1].unlink()
    empty_window.open_path(files[0])
    empty_window.structure.found.emit(graph)
    qtmodeltester.check(empty_window.table.model)
    session, model = empty_window.session, empty_window.table.model
    assert [row.name for row in session.rows] == graph.filter_layers
    free = next(number for number, row in enumerate(session.rows) if not row.locked)
    shown = {column: model.index(free, column).data() for column in Column}
    assert shown[Column.AFTER] == "" and shown[Column.FIRE] == "-"
    assert shown[Column.FILTERS] == str(graph.widths[session.rows[free].name]) and shown[Column.SHAPE]
    hidden = {column for column in Column if empty_window.table.view.isColumnHidden(column)}
    assert hidden == {Column.FIRE, Column.AFTER, *COSTS_AFTER, *CHANGES}
    empty_window.table.view.selectRow(free)
    assert "F5 measures it" in empty_window.panel.why.toPlainText()
    assert "not measured yet" in empty_window.actions_["csv"].statusTip()


def test_caps_and_locks_before_the_measurement_are_kept_by_it(empty_window, files, qtbot):
    window, profile = empty_window, files[1].rename(files[1].with_name("later.fire.h5"))
    window.open_path(files[0])
    assert "are not read yet" in window.actions_["cap"].statusTip() and not window.table.edits.isEnabled()
    window.structure.found.emit(read_profile(profile).graph)
    session, model = window.session, window.table.model
    free = [number for number, row in enumerate(session.rows) if not row.locked]
    first, second = (session.rows[number].name for number in free[:2])
    assert model.index(free[0], Column.CAP).flags() & Qt.ItemFlag.ItemIsEditable
    assert model.setData(model.index(free[0], Column.CAP), 25) and model.index(free[0], Column.CAP).data() == "25%"
    window.table.view.selectRow(window.table.proxy.mapFromSource(model.index(free[1], 0)).row())
    qtbot.mouseClick(window.table.edits.lock, Qt.MouseButton.LeftButton)
    assert second in session.choices.locked and window.isWindowModified() and window.editor.stack.count() == 2
    qtbot.waitUntil(lambda: "you locked it" in window.panel.why.toPlainText())
    assert "cap lets at most 25% go" in session.why_layer(first) and "F5 measures it" in session.why_layer(first)
    window.editor.stack.undo()
    assert second not in session.choices.locked
    window.editor.stack.redo()
    chosen = session.choices
    profile.rename(files[1])
    window.measuring._measured(Outcome(True, False, ""), files[0])
    assert session.planner is not None and session.choices == chosen and window.isWindowModified()
    assert session.preview.widths[second] == session.planner.widths[second]
    window.editor.stack.undo()
    assert second not in session.choices.locked and session.preview.widths[second] < session.planner.widths[second]
    window.editor.stack.undo()
    assert session.choices.caps == {} and not window.isWindowModified()


def test_why_the_ratio_does_nothing_before_the_measurement_is_said(empty_window, files):
    ratio, profile = empty_window.ratio, files[1].rename(files[1].with_name("later.fire.h5"))
    assert ratio.costs.text() == "Nothing is open"
    empty_window.open_path(files[0])
    assert "once FIRE is measured (F5)" in ratio.costs.text()
    graph = read_profile(profile).graph
    empty_window.structure.found.emit(graph)
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
    assert empty_window.structure.job is None and empty_window.session.planner is not None


def test_a_profile_finds_its_model(empty_window, files):
    empty_window.open_path(files[1])
    assert empty_window.session.document.model == files[0]
    assert empty_window.session.planner and empty_window.pages.currentWidget() is empty_window.heatmap_panel


def test_a_profile_alone_is_shown_and_says_what_it_lacks(empty_window, files):
    model = files[0].rename(files[0].with_name("elsewhere.keras"))
    empty_window.open_path(files[1])
    assert empty_window.session.planner is not None
    assert "no net.keras beside it" in empty_window.banner.words.text()
    assert "open its model first" in empty_window.actions_["run"].statusTip()
    empty_window.actions_["attach"].trigger()
    empty_window.dialog.fileSelected.emit(str(model))
    assert empty_window.session.document.model == model
    assert empty_window.actions_["run"].isEnabled()


# bad files


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_version(path):
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99


def no_profile(path):
    path.unlink()
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]


def not_hdf5(path):
    path.write_bytes(b"what is this")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (truncate, "is not a whole .fire.h5 file"),
        (other_version, "is of version 99"),
        (no_profile, "is an HDF5 file, but no FIRE profile"),
        (not_hdf5, "is not a whole .fire.h5 file"),
    ],
)
def test_a_bad_profile_is_told_in_words_and_what_was_open_stays(window, files, tmp_path, harm, words):
    bad = tmp_path / "bad.fire.h5"
    bad.write_bytes(files[1].read_bytes())
    harm(bad)
    window.editor.set_ratio(0.6)
    window.open_path(bad)
    assert words in window.banner.words.text() and window.banner.isVisible()
    assert window.banner.way_out.text() == "&Open another…"
    assert window.session.document.model == files[0] and window.session.choices.ratio == 0.6


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.keras", None, "There is no file"),
        ("old.h5", b"x", "legacy HDF5"),
        ("cut.keras", b"PK\x03\x04 no zip", "is cut short"),
        ("text.txt", b"x", "Expected a model that Keras saved"),
    ],
)
def test_a_bad_model_is_told_in_words(empty_window, tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    empty_window.open_path(path)
    assert words in empty_window.banner.words.text()
    assert empty_window.session.document is None


def test_an_archive_without_weights_is_told(empty_window, tmp_path):
    path = tmp_path / "empty.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    empty_window.open_path(path)
    assert "holds no weights that can be read" in empty_window.banner.words.text()


def test_the_profile_of_another_model_is_left_alone(empty_window, files, tmp_path):
    import keras
    import networks

    other = tmp_path / "other.keras"
    networks.plain_cnn().save(other)
    (tmp_path / "other.fire.h5").write_bytes(files[1].read_bytes())
    empty_window.open_path(other)
    assert "is of another model than other.keras" in empty_window.banner.words.text()
    assert empty_window.banner.way_out.isVisible()
    assert empty_window.session.planner is None and empty_window.session.document.model == other
    assert keras.models.load_model(other)


def test_a_folder_that_is_no_run_is_told(empty_window, tmp_path):
    (tmp_path / "runs").mkdir()
    empty_window.open_path(tmp_path / "runs")
    assert "is not the folder of a run" in empty_window.banner.words.text()


def test_a_folder_that_may_not_be_read_is_told(empty_window, files, monkeypatch):
    """Root may read everything: the system's refusal is raised here in its place."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("inspector.documents._open_run", refuse)
    monkeypatch.setattr("inspector.documents._open_model", refuse)
    for path in (files[0].parent, files[0]):
        empty_window.open_path(path)
        assert "may not be read by you" in empty_window.banner.words.text()


# manners


def test_recent_files_are_remembered_once_and_missing_ones_forgotten(window, files):
    window.open_path(files[1])
    window.open_path(files[0])
    assert window.preferences.recent() == [str(files[0]), str(files[1])]
    files[1].unlink()
    window.open_path(files[1])
    assert window.preferences.recent() == [str(files[0])]
    menu = QtWidgets.QMenu()
    window.recent_menu(menu)
    assert menu.actions()[0].text() == f"&1 {files[0]}"
    menu.actions()[-1].trigger()
    window.recent_menu(menu)
    assert not menu.actions()[0].isEnabled()


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


def test_changes_are_undone_and_the_title_shows_them(window):
    free = next(row.name for row in window.session.rows if not row.locked)
    for ratio in (0.31, 0.35, 0.4):
        window.editor.set_ratio(ratio)  # one movement of the slider
    window.editor.end_gesture()
    window.editor.set_ratio(0.6)
    window.editor.set_caps([free], 0.5)
    assert window.isWindowModified() and window.editor.stack.count() == 3
    window.editor.stack.undo()
    assert not window.session.choices.caps
    window.editor.stack.undo()
    assert window.session.choices.ratio == 0.4 and window.ratio.slider.value() == 400
    window.editor.stack.undo()
    assert not window.isWindowModified() and window.session.choices.ratio == 0.3
    window.editor.stack.redo()
    assert window.session.choices.ratio == 0.4 and window.ratio.box.value() == 40


def test_each_ratio_that_is_typed_is_undone_by_itself(window, qtbot):
    box, ratio = window.ratio.box, lambda: window.session.choices.ratio
    box.setFocus()
    for typed in ("20", "50", "10"):
        box.selectAll()
        qtbot.keyClicks(box, typed)
        qtbot.keyClick(box, Qt.Key.Key_Return)
    assert ratio() == 0.1
    for before in (0.5, 0.2, 0.3):
        window.editor.stack.undo()
        assert ratio() == before
    assert not window.editor.stack.canUndo()


def key_event(kind, key, held):
    return QtGui.QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, "", held)


def test_a_key_on_the_slider_is_undone_by_itself_and_one_that_is_held_as_a_whole(window, qtbot):
    slider, press = window.ratio.slider, QtCore.QEvent.Type.KeyPress
    qtbot.keyClick(slider, Qt.Key.Key_PageUp)
    qtbot.keyClick(slider, Qt.Key.Key_PageUp)
    for held in (False, True, True):
        QtWidgets.QApplication.sendEvent(slider, key_event(press, Qt.Key.Key_Right, held))
    assert slider.value() == 403 and window.editor.stack.count() == 3
    for before in (400, 350, 300):
        window.editor.stack.undo()
        assert slider.value() == before


def test_each_cap_that_is_typed_is_undone_by_itself(window):
    free, caps = next(row.name for row in window.session.rows if not row.locked), lambda: window.session.choices.caps
    index = window.table.model.index(window.table.model.row_of(free), Column.CAP)
    for typed in (50, 20):
        window.table.model.setData(index, typed)
    window.editor.stack.undo()
    assert caps()[free] == 0.5


def test_the_status_bar_says_nothing_that_holds_no_longer(window):
    session, said = window.session, window.statusBar().currentMessage
    window.statusBar().showMessage("latency 3 → 2 ms")
    window.editor.set_ratio(0.4)
    assert said() == ""
    free = next(row.name for row in session.rows if not row.locked)
    session.point_at(free)
    window.editor.set_locks([free], True)
    assert said() == session.why_layer(free) and "you locked it" in said()
    window.editor.stack.undo()
    assert said() == session.why_layer(free) and "you locked it" not in said()
    stays = next(f for f in range(session.preview.widths[free]) if not session.gone(free, f))
    session.point_at(free, stays)
    assert said().endswith("stays")
    window.editor.set_ratio(0.9)
    assert said() == session.readout(free, stays)


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


def test_a_layer_that_is_not_found_is_said(window):
    finder, said = window.table.finder, window.statusBar().currentMessage
    finder.setText("nowhere")
    assert said() == "No layer's name contains “nowhere”."
    finder.setText(window.session.rows[0].name)
    assert said() == ""


def test_the_message_is_as_wide_as_the_window_and_as_high_as_its_words(window):
    banner = window.banner
    banner.say("Short.")
    low = banner.height()
    assert banner.width() > 0.9 * window.width() and low < 50
    banner.say("A word of many. " * 30, way_out="&Do something")
    QtWidgets.QApplication.processEvents()
    assert banner.words.height() >= banner.words.heightForWidth(banner.words.width()) and banner.height() > low
    assert banner.geometry().bottom() < window.pages.mapTo(window, QtCore.QPoint(0, 0)).y()


def test_the_legend_is_whole_and_tells_of_hatching_only_where_something_is_hatched(window, files):
    window.compare_with(files[1])
    legend = window.heatmap_panel.legend
    for mode in Mode:
        window.session.compare(window.session.comparison, mode)
        QtWidgets.QApplication.processEvents()
        assert legend.width() >= legend.minimumWidth() > 200
        assert ("Hatched" in legend.toolTip()) == (mode in (Mode.BEFORE, Mode.CUTS))


def test_closing_with_changes_asks(window, qtbot):
    window.editor.set_ratio(0.6)
    window.close()
    assert window.isVisible() and "not saved" in window.dialog.text()
    next(button for button in window.dialog.buttons() if "Close" in button.text()).click()
    qtbot.waitUntil(lambda: not window.isVisible())


def test_the_window_comes_back_where_it_was(window, preferences, qtbot):
    from inspector.window import Window

    window.run_dock.show()
    window.filter_dock.hide()
    window.close()
    again = Window(preferences)
    qtbot.addWidget(again)
    again.show()
    assert again.run_dock.isVisible() and not again.filter_dock.isVisible()


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


def test_every_action_has_a_tip_and_no_two_the_same_keys(window):
    keys = [action.shortcut().toString() for action in window.actions_.by_key.values() if action.shortcut().toString()]
    assert len(keys) == len(set(keys)) and {"Ctrl+O", "Ctrl+S", "F5", "Ctrl+R", "Esc", "Ctrl+F"} <= set(keys)
    for action in window.actions_.by_key.values():
        assert action.statusTip()
        assert action.isEnabled() or "Not now: " in action.statusTip()


def test_the_filter_panel_says_why_and_shows_map_kernel_and_numbers(window, qtbot):
    session, panel = window.session, window.panel
    row = next(row for row in session.rows if not row.locked)
    session.point_at(row.name, 2)
    qtbot.waitUntil(lambda: panel.why.toPlainText() != "")
    assert panel.why.toPlainText().startswith(session.why_filter(row.name, 2))
    assert f"mean {session.profile.maps[row.name][2].mean():.3f}" in panel.map.caption.text()
    assert panel.map.image.image.shape[:2] == session.profile.maps[row.name][2].shape
    assert panel.kernel.caption.text().startswith("3 x 3 x 8 (taps, inputs)")
    assert panel.map.bar.accessibleDescription() == "inactive: from 0, dark blue, to 1, yellow"
    most = abs(session.document.weights.kernel(row.name, 2, row.kind, row.filters)).max()
    assert panel.kernel.bar.scale.low == -most and panel.kernel.bar.scale.high == most
    assert panel.kernel.bar.toolTip() == f"weight: from {-most:.3g}, blue, to {most:.3g}, orange"
    panel.tabs.setCurrentWidget(panel.numbers)
    shown = {panel.numbers.topLevelItem(n).text(0): panel.numbers.topLevelItem(n).text(1) for n in range(5)}
    assert shown["FIRE, measured"] == f"{session.profile[row.name][2]:.5g}"
    assert shown["rank"] == f"{session.place(row.name, 2)} of {session.planner.ranked}"


def test_the_bar_of_colours_shows_them_from_end_to_end(window):
    row = next(row for row in window.session.rows if not row.locked)
    window.session.point_at(row.name, 2)
    bar = window.panel.map.bar
    seen = bar.grab().toImage()
    middle = [seen.pixelColor(x, seen.height() // 2).getRgb()[:3] for x in range(seen.width())]
    ends = [tuple(palette.FIRE[k].tolist()) for k in (1, 254)]
    assert all(any(max(abs(a - b) for a, b in zip(one, end, strict=True)) < 16 for one in middle) for end in ends)
    window.session.point_at(None)
    assert bar.scale is None and bar.accessibleDescription() == "" and bar.height() > 0


def test_maps_are_compared_beside_a_line(window, files):
    window.session.point_at(next(row.name for row in window.session.rows if not row.locked), 1)
    window.compare_with(files[1])
    assert window.session.mode is Mode.SPLIT and "filter by filter" in window.banner.words.text()
    assert window.panel.map.divider.isVisible() and "before" in window.panel.map.caption.text()
    window.actions_["DIFFERENCE"].trigger()
    assert "mean +0.000" in window.panel.map.caption.text()
    assert window.panel.map.bar.toolTip() == "B - A: from -1, blue, to 1, orange"


def test_what_needs_another_network_says_so(window, files):
    items = {mode: window.heatmap_panel.mode.model().item(number) for number, mode in enumerate(Mode)}
    assert not items[Mode.DIFFERENCE].isEnabled() and not items[Mode.CUTS].isEnabled() and items[Mode.AFTER].isEnabled()
    assert "nothing to compare with" in window.actions_["DIFFERENCE"].statusTip()
    window.compare_with(files[1])
    assert window.actions_["DIFFERENCE"].isEnabled() and items[Mode.DIFFERENCE].isEnabled()


# exports


def test_the_plan_is_what_the_command_line_makes(window, tmp_path):
    free = next(row.name for row in window.session.rows if not row.locked)
    window.editor.set_caps([free], 0.25)
    window.saving.save_plan(tmp_path / "plan.json")
    plan, session = PruningPlan.load(tmp_path / "plan.json"), window.session
    expected = plan_pruning(session.profile.graph, session.profile, pruning_ratio=0.3, layer_caps=session.choices.caps)
    assert {n: f.tolist() for n, f in plan.removed.items()} == {n: f.tolist() for n, f in expected.removed.items()}
    assert not window.isWindowModified()


def test_the_copied_command_holds_every_choice(window):
    free = next(row.name for row in window.session.rows if not row.locked)
    window.editor.set_caps([free], 0.25)
    window.editor.set_limits(2, 0.2)
    window.actions_["copy"].trigger()
    text = QtGui.QGuiApplication.clipboard().text()
    assert text.startswith("firekeras prune ") and "net.keras --scores " in text
    assert "--ratio 0.3 " in text and f"--cap {free}=0.25" in text and "--round-to 2 --min-keep 0.2" in text


def test_pictures_and_tables_are_written(window, tmp_path):
    for key, name in (("png", "map.png"), ("svg", "map.svg"), ("csv", "layers.csv"), ("netron", "fire.json")):
        window.actions_[key].trigger()
        window.dialog.fileSelected.emit(str(tmp_path / name))
        assert "Written" in window.banner.words.text()
    assert QtGui.QImage(str(tmp_path / "map.png")).width() == window.heatmap_panel.width()
    svg = (tmp_path / "map.svg").read_text()
    assert svg.startswith("<?xml") and window.session.rows[0].name in svg
    assert json.loads((tmp_path / "fire.json").read_text())["metrics"]
    assert len((tmp_path / "layers.csv").read_text().splitlines()) == len(window.session.rows) + 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_netron_shows_the_model_where_it_is_installed(window, files, tmp_path, monkeypatch, qtbot):
    program, told = tmp_path / "bin" / "netron", tmp_path / "told"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" > {told}.part\nmv {told}.part {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    window.actions_["show_netron"].trigger()
    qtbot.waitUntil(told.exists, timeout=20000)
    assert told.read_text().strip() == str(files[0]) and "shows net.keras" in window.banner.words.text()


def test_else_netron_is_opened_as_a_page(files, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    opened = []
    words = open_in_netron(files[0], lambda url: opened.append(url.toString()) or True)
    assert opened == ["https://netron.app"] and str(files[0]) in words
    with pytest.raises(ValueError, match="nor a browser was found"):
        open_in_netron(files[0], lambda url: False)


def test_where_nothing_can_be_written_that_is_said(window, tmp_path):
    window.actions_["csv"].trigger()
    window.dialog.fileSelected.emit(str(tmp_path / "nowhere" / "layers.csv"))
    assert "there is no folder" in window.banner.words.text()


# a whole session by keyboard


def test_a_whole_session_by_keyboard(window, qtbot, tmp_path):
    session = window.session

    def press(key, modifier=Qt.KeyboardModifier.NoModifier, times=1):
        for _ in range(times):
            qtbot.keyClick(QtWidgets.QApplication.focusWidget() or window, key, modifier)

    window.activateWindow()
    alt, control = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
    press(Qt.Key.Key_3, alt)
    assert window.ratio.slider.hasFocus()
    press(Qt.Key.Key_PageUp, times=3)
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
