"""Overlays of the heatmap: filters that go, the cut line, caps, and the current cell."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6 import QtCore, QtGui

from inspector.state import room_beside
from inspector.widgets import CUT

TILE = 8  # pixels between the hatching's lines
ROOM = 12  # pixels of hatching, and before it, that a cut line must not hide


def hatching() -> QtGui.QBrush:
    """Slanted lines, black beside white, which are visible on any colour."""
    tile = QtGui.QPixmap(TILE, TILE)
    tile.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(tile)
    for shift, colour in ((0, QtGui.QColor(0, 0, 0, 200)), (1, QtGui.QColor(255, 255, 255, 170))):
        painter.setPen(QtGui.QPen(colour, 1))
        for start in (-TILE, 0, TILE):
            painter.drawLine(start + shift, TILE, start + shift + TILE, 0)
    painter.end()
    return QtGui.QBrush(tile)


def cut_pens() -> list[QtGui.QPen]:
    """The pens of the cut line, the first below the second."""
    return [pg.mkPen((255, 255, 255), width=4), pg.mkPen(CUT, width=2)]


def cap_pens() -> list[QtGui.QPen]:
    """The pens of a cap, the first below the second."""
    return [pg.mkPen((255, 255, 255), width=2), pg.mkPen((0, 0, 0), width=2, style=QtCore.Qt.PenStyle.DotLine)]


class Overlay(pg.GraphicsObject):
    """An overlay of the size of the grid of cells."""

    def __init__(self):
        super().__init__()
        self._bounds = QtCore.QRectF()

    def cover(self, columns, rows):
        """Takes the size of the grid."""
        self.prepareGeometryChange()
        self._bounds = QtCore.QRectF(0, 0, columns, rows)

    def boundingRect(self):  # noqa: N802 (Qt's name)
        return self._bounds


class GoneCells(Overlay):
    """Hatches the filters that go, and draws the cut line at their edge.

    If many stretches of a row go, lines would hide them: then the row has none.
    """

    def __init__(self):
        super().__init__()
        self._brush = hatching()
        self._rects: list[QtCore.QRectF] = []
        self._edges: list[tuple[QtCore.QLineF, float]] = []  # each with the columns that have to be wide enough

    def show_runs(self, rows, begins, ends, *, cut: bool = True):
        """Shows unbroken stretches of cells, as `inspector.state.stretches` gives them.

        Args:
            rows, begins, ends: The stretches.
            cut: Whether a cut begins there, and not only what went lies together.
        """
        stretches = list(zip(rows.tolist(), begins.tolist(), ends.tolist(), strict=True))
        self._rects = [QtCore.QRectF(begin, row, end - begin, 1) for row, begin, end in stretches]
        self._edges = [
            (QtCore.QLineF(begin, row, begin, row + 1), width)
            for (row, begin, _), width in zip(stretches, room_beside(stretches), strict=True)
            if cut
        ]
        self.update()

    def paint(self, painter, option, widget=None):
        brush = QtGui.QBrush(self._brush)
        brush.setTransform(painter.worldTransform().inverted()[0])  # the pattern keeps its size when cells grow
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(brush)
        painter.drawRects(self._rects)
        edges = self.edges(painter.worldTransform().m11())
        for pen in cut_pens():
            painter.setPen(pen)
            painter.drawLines(edges)

    def edges(self, pixels: float) -> list[QtCore.QLineF]:
        """The cut lines that hide nothing if a column is so many pixels wide."""
        return [line for line, width in self._edges if width * pixels >= ROOM]


class CapMarks(Overlay):
    """A dashed line at each layer's cap: filters to the left of it always stay."""

    def __init__(self):
        super().__init__()
        self._lines: list[QtCore.QLineF] = []

    def show_marks(self, marks):
        """Shows marks, each `(row, column)`."""
        self._lines = [QtCore.QLineF(column, row, column, row + 1) for row, column in marks]
        self.update()

    def paint(self, painter, option, widget=None):
        for pen in cap_pens():
            painter.setPen(pen)
            painter.drawLines(self._lines)


class PointedAt(Overlay):
    """A frame around the selected rows, and around the row and the cell that are pointed at."""

    def __init__(self):
        super().__init__()
        self._row: QtCore.QRectF | None = None
        self._cell: QtCore.QRectF | None = None
        self._selected: list[QtCore.QRectF] = []
        self._colour = (0, 0, 0)

    def show_cell(self, row: QtCore.QRectF | None, cell: QtCore.QRectF | None, colour):
        """Frames a row and a cell."""
        self._row, self._cell, self._colour = row, cell, colour
        self.update()

    def show_selected(self, rows, colour):
        """Frames the selected rows."""
        self._selected = [QtCore.QRectF(0, row, self._bounds.width(), 1) for row in rows]
        self._colour = colour
        self.update()

    def around(self, rect: QtCore.QRectF, width: float, across: float, down: float) -> QtCore.QRectF:
        """Where a frame lies that hides nothing of what it is around, as far as the grid reaches.

        Args:
            rect: What it is around.
            width: That of its lines, in pixels.
            across, down: The pixels of a column and of a row.
        """
        right, below = width / 2 / across, width / 2 / down
        return rect.adjusted(-right, -below, right, below) & self._bounds

    def paint(self, painter, option, widget=None):
        painter.setBrush(QtCore.Qt.BrushStyle.NoBrush)
        frames = [*((rect, 1) for rect in self._selected), (self._row, 1), (self._cell, 2)]
        scale = painter.worldTransform()
        for rect, width in frames:
            if rect is not None:
                rect = self.around(rect, width + 2, scale.m11(), scale.m22())
                painter.setPen(pg.mkPen(255 - np.array(self._colour), width=width + 2))
                painter.drawRect(rect)
                painter.setPen(pg.mkPen(self._colour, width=width))
                painter.drawRect(rect)
