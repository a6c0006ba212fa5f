"""How full a memory is: a bar that turns red, and says how much is missing, if the network does not fit."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from firekeras.report.tables import short_number
from inspector.widgets import CUT, theme

FILLED = (74, 144, 168)
PADDING = 3  # pixels around the text
BEFORE = "before the cut"  # the room that a network took then


class MemoryBar(QtWidgets.QWidget):
    """A bar with its figures in it.

    Args:
        title: The name of the memory.

    Attributes:
        text: What it shows.
        share: How full it is; above 1 if the network does not fit.

    Signals:
        clicked: It was clicked, or pressed with the space bar.
    """

    clicked = QtCore.Signal()

    def __init__(self, title: str, parent=None):
        super().__init__(parent)
        self.title, self.text, self.share = title, "", 0.0
        self.setAccessibleName(f"{title} of the exported network")
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)

    def sizeHint(self):  # noqa: N802 (Qt's name)
        return QtCore.QSize(210, self.fontMetrics().height() + 2 * PADDING)

    def minimumSizeHint(self):  # noqa: N802 (Qt's name)
        return QtCore.QSize(150, self.sizeHint().height())

    def show_need(self, amount: int | None, room: int | None, of: str, details: str):
        """Shows how much of some room a network takes.

        Args:
            amount: What it takes, in bytes; `None` if unknown.
            room: What there is, in bytes; `None` if unknown.
            of: What the room is: `BEFORE`, which is no limit, or the name of what is one.
            details: A longer text on it.
        """
        self.share = amount / max(1, room) if amount is not None and room is not None else 0.0
        self.text = f"{self.title} {self._figures(amount, room, 'more' if of == BEFORE else 'too much')}"
        self.setToolTip(f"{self.text} ({of}). {details}" if of else details)
        self.setAccessibleDescription(self.toolTip())
        self.update()

    def _figures(self, amount, room, more):
        if amount is None:
            return "unknown"
        if room is None:
            return short_number(amount, "B")
        missing = f", {short_number(amount - room, 'B')} {more}" if amount > room else ""
        return f"{short_number(amount, 'B')} of {short_number(room, 'B')}{missing}"

    def mousePressEvent(self, event):  # noqa: N802 (Qt's name)
        event.accept()
        self.clicked.emit()

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        painter, current, inside = QtGui.QPainter(self), theme.current(), self.rect().adjusted(0, 0, -1, -1)
        filled = inside.adjusted(0, 0, 0, 0)
        filled.setWidth(round(min(1.0, self.share) * inside.width()))
        colour = QtGui.QColor(*(CUT if self.share > 1 else FILLED))
        colour.setAlpha(150)
        painter.fillRect(filled, colour)
        painter.setPen(QtGui.QColor(*current.dim))
        painter.drawRect(inside)
        painter.setPen(QtGui.QColor(*current.text))
        room = inside.adjusted(PADDING, 0, -PADDING, 0)
        shown = painter.fontMetrics().elidedText(self.text, QtCore.Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, QtCore.Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()
