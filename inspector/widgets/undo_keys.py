"""Undo in boxes: their own as long as somebody types, then that of the window."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

KEYS = (QtGui.QKeySequence.StandardKey.Undo, QtGui.QKeySequence.StandardKey.Redo)


class UndoKeys(QtCore.QObject):
    """Leaves the keys for undo and redo to the window once what was typed counts; boxes take them at any time.

    Args:
        box: A combo box, or a box for a number.
        line: Its line.
    """

    def __init__(self, box: QtWidgets.QWidget, line: QtWidgets.QLineEdit):
        super().__init__(box)
        self._line = line
        self._line.editingFinished.connect(lambda: self._line.setModified(False))
        box.installEventFilter(self)

    def eventFilter(self, watched, event):  # noqa: N802 (Qt's name)
        """Answers Qt's question whether the box wants the keys for itself."""
        asked = event.type() == QtCore.QEvent.Type.ShortcutOverride and any(map(event.matches, KEYS))
        if asked and not self._line.isModified():
            event.ignore()
            return True
        return super().eventFilter(watched, event)
