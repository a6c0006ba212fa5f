"""The left edge of the heatmap: names of layers, and bands that join layers which lose filters together."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6 import QtCore, QtGui

from inspector.widgets import BANDS, Theme, short_names

LINE, HIGH, LANE, MOST_LANES = 12, 16, 7, 4  # pixels; and how many lanes
LEAST, USUAL, SHARE = 72, 150, 0.3  # of the axis: pixels, pixels for long names, and the part of a wide heatmap


MARGIN = 10  # pixels of the axis beside names and bands


class NameAxis(pg.AxisItem):
    """Draws as many names as fit, and a bar for each row of a coupled group."""

    def __init__(self, theme: Theme):
        super().__init__("left")
        self._theme = theme
        self._names: list[str] = []
        self._dim: set[int] = set()
        self._bands: list[tuple[int, list[int]]] = []
        self._current = self._hovered = -1
        self._room = 0.0
        self.setWidth(USUAL)

    def show_layers(self, names, dim, bands):
        """Shows names; those in the set `dim` of rows dimmed; `bands` as `inspector.state.bands` gives them."""
        self._names, self._dim, self._bands = list(names), set(dim), list(bands)
        self.fit(self._room)
        self._repaint()

    def fit(self, room: float):
        """Takes the width that names need, of a heatmap that is so wide."""
        self._room, font = room, self._font(HIGH)
        font.setBold(True)
        longest = max(map(QtGui.QFontMetricsF(font).horizontalAdvance, self._names), default=0.0)
        needed = math.ceil(longest) + self._bands_width() + MARGIN + 1
        self.setWidth(max(LEAST, min(needed, max(USUAL, round(SHARE * room)))))

    def _font(self, scale):
        font = QtGui.QFont(self.scene().font() if self.scene() else QtGui.QFont())
        font.setPixelSize(max(9, min(12, int(scale) if scale > LINE else LINE - 1)))
        return font

    def show_current(self, row: int):
        """Marks a row; -1 for none."""
        self._current = row
        self._repaint()

    def show_hovered(self, row: int):
        """Makes sure that the row under the mouse has its name; -1 for none."""
        if row != self._hovered:
            self._hovered = row
            self._repaint()

    def take_theme(self, theme: Theme):
        """Takes the colours of a theme."""
        self._theme = theme
        self._repaint()

    def _repaint(self):
        self.picture = None
        self.update()

    def generateDrawSpecs(self, p):  # noqa: N802 (pyqtgraph's name)
        return None, [], []

    def drawPicture(self, p, axisSpec, tickSpecs, textSpecs):  # noqa: N802, N803 (pyqtgraph's names)
        height, (bottom, top) = self.height(), self.range
        if top == bottom or not self._names:
            return
        scale = height / (bottom - top)
        p.setClipRect(QtCore.QRectF(0, 0, self.width(), height))
        self._draw_bands(p, lambda y: (y - top) * scale, scale)
        self._draw_names(p, lambda y: (y - top) * scale, scale)

    def _draw_names(self, p, at, scale):
        room = self.width() - self._bands_width() - 6
        font = self._font(scale)
        metrics = QtGui.QFontMetricsF(font)
        shown = short_names(self._names, metrics, room - 4)
        for row in self._with_room(scale):
            font.setBold(row == self._current)
            p.setFont(font)
            p.setPen(pg.mkPen(self._theme.dim if row in self._dim else self._theme.text))
            y = min(max(0, at(row + 0.5) - HIGH / 2), self.height() - HIGH)  # whole, if it is the first or the last
            place = QtCore.QRectF(0, y, room, HIGH)
            flags = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
            p.drawText(place, flags, self._text(row, shown, QtGui.QFontMetricsF(font), room - 4))

    def _text(self, row, shown, metrics, room):
        """The name of a row as it is drawn: bold letters need more room."""
        name = self._names[row]
        if row != self._current:
            return shown[name]
        return metrics.elidedText(name, QtCore.Qt.TextElideMode.ElideMiddle, room)

    def _with_room(self, scale):
        """The rows whose names do not overlap: those pointed at, then those that can lose filters, from both ends."""
        last = len(self._names) - 1
        first = [row for row in (self._current, self._hovered) if 0 <= row <= last]
        free = [row for row in range(last + 1) if row not in self._dim]
        chosen: list[int] = []
        for row in dict.fromkeys([*first, *free[:1], *free[-1:], *free, *sorted(self._dim)]):
            if all(abs(row - other) * scale >= LINE for other in chosen):
                chosen.append(row)
        return chosen

    def _draw_bands(self, p, at, scale):
        for number, (lane, rows) in enumerate(self._bands):
            if not rows:
                continue
            colour = BANDS[number % len(BANDS)]
            x = self.width() - 3 - LANE * (min(lane, MOST_LANES - 1) + 1)
            p.setPen(pg.mkPen(colour, width=1))
            p.drawLine(QtCore.QPointF(x + 2.5, at(rows[0] + 0.5)), QtCore.QPointF(x + 2.5, at(rows[-1] + 0.5)))
            for row in rows:
                p.fillRect(QtCore.QRectF(x, at(row) + 0.5, LANE - 2, max(1.0, scale - 1)), pg.mkColor(colour))

    def _bands_width(self):
        lanes = 1 + max((lane for lane, _ in self._bands), default=-1)
        return LANE * min(lanes, MOST_LANES) + 3
