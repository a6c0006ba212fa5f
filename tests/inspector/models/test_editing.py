from PySide6 import QtCore, QtGui, QtWidgets

from inspector.models.columns import Column

Qt = QtCore.Qt


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


def test_a_key_on_the_slider_is_one_step_to_undo_even_if_it_is_held(window, qtbot):
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
