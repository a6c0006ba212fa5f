"""The mouse on the heatmap: point, drag a row's edge to cap its layer, zoom and move."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6 import QtCore

NEAR = 8  # pixels from an edge that still take hold of it


class HeatmapBox(pg.ViewBox):
    """A view that reports which cell the mouse points at.

    Signals:
        pressed: A cell was clicked: row and column.
        dragged: A row's edge was dragged: row, column, and whether that was the end of it.
        menu_wanted: The right button was clicked: row, column and the position on the screen.
    """

    pressed = QtCore.Signal(int, float)
    dragged = QtCore.Signal(int, float, bool)
    menu_wanted = QtCore.Signal(int, float, object)

    def __init__(self, edges):
        super().__init__(enableMenu=False, invertY=True)
        self._edges = edges  # the columns of a row that can be taken hold of
        self._held: int | None = None
        self.setDefaultPadding(0)

    def mouseClickEvent(self, ev):  # noqa: N802 (pyqtgraph's name)
        at = self.mapSceneToView(ev.scenePos())
        ev.accept()
        if ev.button() == QtCore.Qt.MouseButton.RightButton:
            self.menu_wanted.emit(int(at.y()), at.x(), ev.screenPos())
        else:
            self.pressed.emit(int(at.y()), at.x())

    def mouseDragEvent(self, ev, axis=None):  # noqa: N802 (pyqtgraph's name)
        if ev.isStart():
            self._held = self._row_held(self.mapSceneToView(ev.buttonDownScenePos()))
        if self._held is None:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        self.dragged.emit(self._held, self.mapSceneToView(ev.scenePos()).x(), ev.isFinish())

    def _row_held(self, at):
        row = int(at.y())
        reach = NEAR * self.viewPixelSize()[0]
        return row if any(abs(edge - at.x()) <= reach for edge in self._edges(row)) else None

    def wheelEvent(self, ev, axis=None):  # noqa: N802 (pyqtgraph's name)
        super().wheelEvent(ev, axis=1 if axis is None else axis)
