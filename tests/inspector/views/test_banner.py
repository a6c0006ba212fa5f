import pytest
from PySide6 import QtCore, QtWidgets

from inspector.state import Message


def test_the_message_is_as_wide_as_the_window_and_as_high_as_its_words(window):
    banner = window.banner
    banner.say(Message("Short."))
    low = banner.height()
    assert banner.width() > 0.9 * window.width() and low < 50
    banner.say(Message("A word of many. " * 30, way_out="&Do something"))
    QtWidgets.QApplication.processEvents()
    assert banner.words.height() >= banner.words.heightForWidth(banner.words.width()) and banner.height() > low
    assert banner.geometry().bottom() < window.pages.mapTo(window, QtCore.QPoint(0, 0)).y()


@pytest.mark.parametrize("length", [5, 30, 90])
def test_the_first_message_is_readable(empty_window, qtbot, length):
    banner = empty_window.banner
    banner.say(Message("word " * length, error=True, way_out="&Do something"))
    words, inside = banner.words, lambda: banner.frame.contentsRect().contains(banner.words.geometry())
    qtbot.waitUntil(lambda: inside() and words.height() >= words.heightForWidth(words.width()))
    assert banner.frame.contentsRect().contains(banner.close_button.geometry())


def test_pages_of_complaints_leave_room_for_the_window(window, qtbot):
    words = "Exporting failed: " + "loc(callsite(fused['TensorListReserve:'])) " * 60
    window.banner.say(Message(words, error=True, way_out="&Export again…"))
    label = window.banner.words
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()))
    assert window.height() == 700 and window.banner.height() < 160
    assert window.banner.words.text().endswith("(The log has all of it.)") and window.banner.words.toolTip() == words
    for _ in range(2):  # it has it once
        window.banner.say(Message(words))
    assert window.run_panel.log.toPlainText().split() == words.split()


def test_the_focus_goes_back_where_it_was(window, qtbot):
    window.activateWindow()
    window.heatmap.setFocus()
    for button in (window.banner.close_button, window.banner.way_out):
        window.banner.say(Message("Something.", way_out="&Do it"))
        button.setFocus()
        qtbot.mouseClick(button, QtCore.Qt.MouseButton.LeftButton)
        assert not window.banner.isVisible() and window.heatmap.hasFocus()
