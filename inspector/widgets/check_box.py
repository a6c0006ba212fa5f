"""Check boxes with a visible frame: styles draw it in a shade of the window's colour, which dark windows hide."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

from inspector.widgets import theme


class CheckBox(QtWidgets.QCheckBox):
    """A box named by its text."""

    def __init__(self, text: str):
        super().__init__(text)
        self.setAccessibleName(text.replace("&", ""))

    def initStyleOption(self, option):  # noqa: N802 (Qt's name)
        super().initStyleOption(option)
        frame_in_sight(option)


class CheckBoxDelegate(QtWidgets.QStyledItemDelegate):
    """Draws the boxes in a column of a table."""

    def initStyleOption(self, option, index):  # noqa: N802 (Qt's name)
        super().initStyleOption(option, index)
        frame_in_sight(option)


def frame_in_sight(option: QtWidgets.QStyleOption):
    """Draws a box's frame in a colour that stands out from the background."""
    option.palette.setColor(QtGui.QPalette.ColorRole.Window, QtGui.QColor(*theme.current().dim))
