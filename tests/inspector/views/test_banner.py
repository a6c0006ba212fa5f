from PySide6 import QtCore, QtWidgets


def test_the_message_is_as_wide_as_the_window_and_as_high_as_its_words(window):
    banner = window.banner
    banner.say("Short.")
    low = banner.height()
    assert banner.width() > 0.9 * window.width() and low < 50
    banner.say("A word of many. " * 30, way_out="&Do something")
    QtWidgets.QApplication.processEvents()
    assert banner.words.height() >= banner.words.heightForWidth(banner.words.width()) and banner.height() > low
    assert banner.geometry().bottom() < window.pages.mapTo(window, QtCore.QPoint(0, 0)).y()
