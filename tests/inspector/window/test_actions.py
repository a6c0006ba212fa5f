from PySide6 import QtCore

from inspector.state.comparison import Mode


def test_every_action_has_a_tip_and_no_two_the_same_keys(window):
    keys = [action.shortcut().toString() for action in window.actions_.by_key.values() if action.shortcut().toString()]
    assert len(keys) == len(set(keys)) and {"Ctrl+O", "Ctrl+S", "F5", "Ctrl+R", "Esc", "Ctrl+F"} <= set(keys)
    for action in window.actions_.by_key.values():
        assert action.statusTip()
        assert action.isEnabled() or "Not now: " in action.statusTip()


def test_what_needs_another_network_says_so(window, files):
    items = {mode: window.heatmap_panel.mode.model().item(number) for number, mode in enumerate(Mode)}
    assert not items[Mode.DIFFERENCE].isEnabled() and not items[Mode.CUTS].isEnabled() and items[Mode.AFTER].isEnabled()
    assert "nothing to compare with" in window.actions_["DIFFERENCE"].statusTip()
    window.compare_with(files[1])
    assert window.actions_["DIFFERENCE"].isEnabled() and items[Mode.DIFFERENCE].isEnabled()


def test_no_action_takes_keys_that_edit_text(window):
    """On some system, they move or delete in a line of text, which has them first."""
    editing = {f"Ctrl+{key}" for key in ("A", "C", "E", "H", "K", "U", "V", "W", "X", "Shift+E")}
    keys = {action.shortcut().toString() for action in window.actions_.by_key.values()}
    assert not keys & editing


def test_keys_of_what_is_not_possible_now_say_why(window, qtbot):
    said, control = window.statusBar().currentMessage, QtCore.Qt.KeyboardModifier.ControlModifier
    window.table.view.setFocus()
    qtbot.keyClick(window.table.view, QtCore.Qt.Key.Key_3, control)
    assert said().startswith("After - before is not possible now: there is nothing to compare with; Ctrl+D")
    window.heatmap.setFocus()
    window.editor.set_ratio(0.0)
    qtbot.keyClick(window.heatmap, QtCore.Qt.Key.Key_S, control)
    assert said() == "Save pruned model is not possible now: with these settings no filter would be removed."
    window.editor.set_ratio(0.5)
    qtbot.keyClick(window.heatmap, QtCore.Qt.Key.Key_S, control)
    assert window.dialog.windowTitle() == "Save the pruned model"  # once it is possible, they do it again


def test_keys_that_end_or_undo_nothing_say_so(window, qtbot):
    said, control, key = window.statusBar().currentMessage, QtCore.Qt.KeyboardModifier.ControlModifier, QtCore.Qt.Key
    for view in (window.table.view, window.heatmap):
        window.statusBar().clearMessage()
        view.setFocus()
        qtbot.keyClick(view, key.Key_Escape)
        assert said() == "Stop after this round is not possible now: no run is in progress."
    qtbot.keyClick(window.heatmap, key.Key_Z, control)
    assert said() == "There is nothing to undo."
    qtbot.keyClick(window.heatmap, key.Key_Y, control)
    assert said() == "There is nothing to redo."
    window.editor.set_ratio(0.5)
    qtbot.keyClick(window.heatmap, key.Key_Z, control)
    assert window.session.choices.ratio != 0.5 and window.editor.stack.canRedo()
    qtbot.keyClick(window.heatmap, key.Key_Y, control)
    assert window.session.choices.ratio == 0.5
