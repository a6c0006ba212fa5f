"""What the colours of the heatmap mean."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from inspector import palette, theme
from inspector.colour_bar import draw_colours
from inspector.comparison import Mode
from inspector.heatmap_items import hatching

BAR, HEIGHT = 60, 22  # pixels


class Legend(QtWidgets.QWidget):
    """A bar of the colours with its ends, and a patch for each other sign."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(266)
        self._mode = Mode.BEFORE
        self.setAccessibleName("Legend")
        self.show_mode(Mode.BEFORE)

    def show_mode(self, mode: Mode):
        """Explains the colours of a mode."""
        self._mode = mode
        bar = "blue for less to orange for more" if mode is Mode.DIFFERENCE else "dark blue for 0 to yellow for 1"
        self.setToolTip(f"FIRE, from {bar}. Hatched: goes. Grey: no FIRE. White dots: caps.")
        self.setAccessibleDescription(self.toolTip())
        self.update()

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        painter = QtGui.QPainter(self)
        current = theme.current()
        low, high = ("-1", "+1") if self._mode is Mode.DIFFERENCE else ("0", "1")
        x = self._text(painter, 4, f"FIRE {low}")
        x = self._bar(painter, x, current)
        x = self._text(painter, x, high) + 8
        x = self._patch(
            painter,
            x,
            hatching(),
            "went" if self._mode is Mode.CUTS else "goes",
            QtGui.QColor(*palette.FIRE[200].tolist()),
        )
        self._patch(painter, x, QtGui.QBrush(QtGui.QColor(*current.unscored)), "no FIRE")
        painter.end()

    def _bar(self, painter, x, current):
        difference = self._mode is Mode.DIFFERENCE
        colours = palette.difference_colours(current.background) if difference else palette.FIRE
        draw_colours(painter, QtCore.QRect(x, 5, BAR, HEIGHT - 10), colours)
        return x + BAR + 4

    def _patch(self, painter, x, brush, text, below=None):
        place = QtCore.QRect(x, 5, 18, HEIGHT - 10)
        if below is not None:
            painter.fillRect(place, below)
        painter.fillRect(place, brush)
        return self._text(painter, x + 22, text) + 8

    def _text(self, painter, x, text):
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.WindowText))
        width = painter.fontMetrics().horizontalAdvance(text)
        painter.drawText(QtCore.QRect(x, 0, width + 2, HEIGHT), QtCore.Qt.AlignmentFlag.AlignVCenter, text)
        return x + width + 6
