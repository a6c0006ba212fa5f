"""The legend of the heatmap's colours."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.state import WHOLE, Mode, palette
from inspector.views.heatmap_items import hatching
from inspector.widgets import draw_colours, theme

BAR, PATCH, HEIGHT, GAP = 60, 18, 22, 8  # pixels


class Legend(QtWidgets.QWidget):
    """A colour bar with its end values, and a patch for each other mark."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("Legend")
        self.show_mode(Mode.BEFORE)

    def show_mode(self, mode: Mode, most: float = 1.0):
        """Explains the colours of a mode.

        Args:
            mode: The picture that the heatmap shows.
            most: For the difference, the largest absolute value.
        """
        self._mode, self._most = mode, most
        low, high = self._ends
        bar = f"blue for {low} to orange for {high}" if mode is Mode.DIFFERENCE else "dark blue for 0 to yellow for 1"
        hatched = f" Hatched: {self._hatched}." if self._hatched else ""
        self.setToolTip(f"FIRE, from {bar}.{hatched} Grey: no FIRE. White dots: caps.")
        self.setAccessibleDescription(self.toolTip())
        self.setMinimumWidth(self._width())
        self.update()

    @property
    def _ends(self):
        return (f"{-self._most:.2g}", f"{self._most:+.2g}") if self._mode is Mode.DIFFERENCE else ("0", "1")

    @property
    def _hatched(self):
        """The meaning of hatching; empty if nothing is hatched."""
        if self._mode not in WHOLE:
            return ""
        return "went" if self._mode is Mode.CUTS else "goes"

    def _width(self):
        """The size that the legend needs."""
        texts = [f"FIRE {self._ends[0]}", self._ends[1], "no FIRE", *([self._hatched] if self._hatched else [])]
        signs = BAR + 4 + (len(texts) - 2) * (PATCH + 4 + GAP)
        return 4 + signs + sum(self.fontMetrics().horizontalAdvance(text) + 6 for text in texts) - 6

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        painter = QtGui.QPainter(self)
        current = theme.current()
        low, high = self._ends
        x = self._text(painter, 4, f"FIRE {low}")
        x = self._bar(painter, x, current)
        x = self._text(painter, x, high) + GAP
        if self._hatched:
            x = self._patch(painter, x, hatching(), self._hatched, QtGui.QColor(*palette.FIRE[200].tolist()))
        self._patch(painter, x, QtGui.QBrush(QtGui.QColor(*current.unscored)), "no FIRE")
        painter.end()

    def _bar(self, painter, x, current):
        difference = self._mode is Mode.DIFFERENCE
        colours = palette.difference_colours(current.background) if difference else palette.FIRE
        draw_colours(painter, QtCore.QRect(x, 5, BAR, HEIGHT - 10), colours)
        return x + BAR + 4

    def _patch(self, painter, x, brush, text, below=None):
        place = QtCore.QRect(x, 5, PATCH, HEIGHT - 10)
        if below is not None:
            painter.fillRect(place, below)
        painter.fillRect(place, brush)
        return self._text(painter, x + PATCH + 4, text) + GAP

    def _text(self, painter, x, text):
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.WindowText))
        width = painter.fontMetrics().horizontalAdvance(text)
        painter.drawText(QtCore.QRect(x, 0, width + 2, HEIGHT), QtCore.Qt.AlignmentFlag.AlignVCenter, text)
        return x + width + 6
