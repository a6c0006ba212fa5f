"""A small picture of numbers with a fixed scale, such as a filter's map; or two with a movable line between them."""

from __future__ import annotations

import functools

import numpy as np
import pyqtgraph as pg
from PySide6 import QtCore, QtWidgets

from inspector.state import palette
from inspector.widgets import ColourBar, Scale, name, theme

NOTHING = (0, 0, 0, 0)
AS_THEY_ARE = (0, 255)  # pyqtgraph would stretch the contrast otherwise


class PictureView(QtWidgets.QWidget):
    """A picture above its colour bar and its caption."""

    def __init__(self, title: str, parent=None):
        super().__init__(parent)
        self.plot, self._box = pg.GraphicsView(), pg.ViewBox(lockAspect=True, enableMenu=False, invertY=True)
        self.plot.setCentralItem(self._box)
        name(self.plot, title)
        self.plot.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.plot.setMinimumHeight(50)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.divider = pg.InfiniteLine(0, movable=True, pen=pg.mkPen(theme.CUT, width=2))
        self._box.addItem(self.image)
        self._box.addItem(self.divider, ignoreBounds=True)
        self.divider.sigPositionChanged.connect(self._show_split)
        self.bar = ColourBar(title)
        self.caption = QtWidgets.QLabel(wordWrap=True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.bar)
        layout.addWidget(self.caption)
        self._left: np.ndarray | None = None
        self._right: np.ndarray | None = None
        self.clear("")

    def clear(self, why: str):
        """Shows no picture, and says why."""
        self.image.clear()
        self.bar.show_scale(None)
        self.divider.setVisible(False)
        self._say(why)

    def show_values(self, values, caption, scale: Scale, after=None):
        """Shows numbers `(rows, columns)`; a single row is stretched to the height of the picture.

        Args:
            values: The numbers; NaN is left blank.
            caption: The caption.
            scale: The `Scale` from numbers to colours.
            after: Numbers of the same shape that are shown to the right of a line.
        """
        as_colours = functools.partial(palette.coloured, colours=scale.colours, low=scale.low, high=scale.high)
        self._left = as_colours(values, missing=NOTHING)
        self._right = None if after is None else as_colours(after, missing=NOTHING)
        self.bar.show_scale(scale)
        self.divider.setVisible(after is not None)
        if after is not None and not 0 < self.divider.value() < values.shape[1]:
            self.divider.setValue(values.shape[1] / 2)
        self._show_split()
        self._box.setAspectLocked(values.shape[0] > 1)
        self._box.autoRange(padding=0.02)
        self._say(caption)

    def _say(self, text):
        self.caption.setText(text)
        self.plot.setAccessibleDescription(text)

    def _show_split(self):
        if self._left is None:
            return
        if self._right is None:
            self.image.setImage(self._left, levels=AS_THEY_ARE)
            return
        split = round(self.divider.value())
        both = np.concatenate([self._left[:, : max(0, split)], self._right[:, max(0, split) :]], axis=1)
        self.image.setImage(both, levels=AS_THEY_ARE)

    def take_theme(self):
        """Takes the colours of the application's palette."""
        self.plot.setBackground(theme.current().background)
