"""The colour bar of a small picture, with the numbers at its ends."""

from __future__ import annotations

import dataclasses

import numpy as np
from PySide6 import QtCore, QtGui, QtWidgets

from inspector.state import palette
from inspector.widgets import theme

HEIGHT, GAP = 18, 5  # pixels


@dataclasses.dataclass(frozen=True)
class Scale:
    """Maps numbers to colours.

    Args:
        what: What the numbers are.
        colours: For `low` to `high`, `(256, 3)`.
        low: The number of the first colour.
        high: That of the last.
        words: The names of the colours at both ends.
    """

    what: str
    colours: np.ndarray = dataclasses.field(repr=False)
    low: float
    high: float
    words: tuple[str, str]

    @classmethod
    def of_rates(cls, what: str) -> Scale:
        """For shares from 0 to 1."""
        return cls(what, palette.FIRE, 0.0, 1.0, ("dark blue", "yellow"))

    @classmethod
    def of_signed(cls, what: str, most: float) -> Scale:
        """For numbers on both sides of 0, which has the colour of the background.

        Args:
            what: What the numbers are.
            most: The greatest, regardless of the sign.
        """
        return cls(what, palette.difference_colours(theme.current().background), -most, most, ("blue", "orange"))

    @property
    def spoken(self) -> str:
        """The text of the scale for screen readers."""
        return f"{self.what}: from {self.low:.3g}, {self.words[0]}, to {self.high:.3g}, {self.words[1]}"


class ColourBar(QtWidgets.QWidget):
    """Draws a `Scale`; empty without one."""

    def __init__(self, title: str, parent=None):
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName(f"Colours: {title}")
        self.scale: Scale | None = None

    def show_scale(self, scale: Scale | None):
        """Shows a scale, or nothing; its space is kept, so pictures do not move."""
        self.scale = scale
        self.setToolTip(scale.spoken if scale else "")
        self.setAccessibleDescription(self.toolTip())
        self.update()

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        if self.scale is None:
            return
        painter = QtGui.QPainter(self)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.WindowText))
        left, right = f"{self.scale.what} {self.scale.low:.2g}", f"{self.scale.high:.2g}"
        side = QtCore.Qt.AlignmentFlag
        painter.drawText(self.rect(), side.AlignLeft | side.AlignVCenter, left)
        painter.drawText(self.rect(), side.AlignRight | side.AlignVCenter, right)
        start, end = (painter.fontMetrics().horizontalAdvance(text) + GAP for text in (left, right))
        _draw(painter, self.scale, QtCore.QRect(start, 4, self.width() - start - end, HEIGHT - 8))
        painter.end()


def _draw(painter, scale, place):
    draw_colours(painter, place, scale.colours)
    painter.drawRect(place)
    if scale.low < 0:
        painter.drawLine(place.center().x(), place.top() - 3, place.center().x(), place.bottom() + 3)  # where 0 is


def draw_colours(painter: QtGui.QPainter, place: QtCore.QRect, colours: np.ndarray):
    """Fills a place with colours `(n, 3)`, from left to right."""
    image = QtGui.QImage(colours.tobytes(), len(colours), 1, 3 * len(colours), QtGui.QImage.Format.Format_RGB888)
    painter.drawImage(place, image)
