"""The legend of the heatmap: its colours, and its marks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.state import WHOLE, Mode, palette, short_score
from inspector.views.heatmap_items import cap_pens, cut_pens, hatching
from inspector.widgets import BANDS, CUT, draw_colours, theme

BAR, PATCH, HEIGHT, GAP = 30, 16, 20, 2  # pixels
MOST_ROWS = 3
REMOVED, TO_REMOVE = "removed", "to remove"


@dataclasses.dataclass(frozen=True)
class Sign:
    """One entry of the legend.

    Args:
        draw: A function of a painter and a rectangle that draws the sign.
        text: Its meaning.
        width: Its width, in pixels.
        before: A text to the left of it.
    """

    draw: Callable[[QtGui.QPainter, QtCore.QRect], None]
    text: str
    width: int = PATCH
    before: str = ""


class Legend(QtWidgets.QWidget):
    """A colour bar with its end values, and a sign for each other mark, in two rows, or three if there is no room."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setAccessibleName("Legend")
        self.show_mode(Mode.BEFORE)

    def show_mode(
        self,
        mode: Mode,
        scale: tuple[float, float] = (0.0, 1.0),
        *,
        score: str = "FIRE",
        done: bool = False,
        coupled: bool = False,
    ):
        """Explains the colours of a mode.

        Args:
            mode: The picture that the heatmap shows.
            scale: The numbers of the first and the last colour.
            score: What the numbers are.
            done: Whether hatched filters are removed already.
            coupled: Whether some layers lose filters only together.
        """
        self._mode, self._scale, self._score, self._coupled = mode, scale, score, coupled
        self._hatched = (REMOVED if done else TO_REMOVE) if mode in WHOLE else ""
        low, high = self._ends
        bar = (
            f"blue for {low} to orange for {high}"
            if mode is Mode.DIFFERENCE
            else f"dark blue for {low} to yellow for {high}"
        )
        hatched = f" Hatched: {self._hatched}." if self._hatched else ""
        together = " Coupled layers lose filters only together." if coupled else ""
        marks = ", ".join(f"{sign.text}" for sign in self._rows()[1])
        self.setToolTip(f"{score}, from {bar}.{hatched} Grey: no score. Marks: {marks}.{together}")
        self.setAccessibleDescription(self.toolTip())
        self.setMinimumWidth(self._least())
        self._fit()
        self.update()

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        self._fit()

    def _fit(self):
        self.setFixedHeight(HEIGHT * len(self._rows_within(self.width())))

    @property
    def _ends(self):
        low, high = self._scale
        return short_score(low), f"{high:+.2g}" if self._mode is Mode.DIFFERENCE else short_score(high)

    def _rows(self):
        low, high = self._ends
        colours = [
            Sign(self._draw_bar, high, BAR, f"{self._score if self._score == 'FIRE' else 'score'} {low}"),
            Sign(_draw_unscored, "no score"),
        ]
        if self._hatched:
            colours.insert(1, Sign(_draw_hatching, self._hatched))
        if self._mode is Mode.SPLIT:
            colours.append(Sign(_draw_divider, "divider"))
        marks = [Sign(_draw_lines(cap_pens()), "cap")]
        if self._hatched == TO_REMOVE:
            marks.insert(0, Sign(_draw_lines(cut_pens()), "cut"))
        if self._coupled:
            marks.append(Sign(_draw_bands, "coupled"))
        marks.append(Sign(_draw_frame, "selected"))
        return colours, marks

    def _rows_within(self, width):
        return self._laid_out(self._rows(), width)

    def _laid_out(self, two_rows, width):
        """The signs in two rows if these are no wider; else as many rows as it takes."""
        if max(map(self._width, two_rows)) <= width:
            return two_rows
        rows: list[list[Sign]] = [[]]
        for sign in itertools.chain(*two_rows):
            if rows[-1] and self._width([*rows[-1], sign]) > width:
                rows.append([])
            rows[-1].append(sign)
        return rows

    def _least(self):
        """The least width that does with three rows."""
        two_rows = self._rows()
        signs = list(itertools.chain(*two_rows))
        runs = {self._width(signs[a:b]) for a, b in itertools.combinations(range(len(signs) + 1), 2)}
        return next(width for width in sorted(runs) if len(self._laid_out(two_rows, width)) <= MOST_ROWS)

    def _width(self, signs):
        advance = self.fontMetrics().horizontalAdvance
        return 4 + sum(sign.width + advance(sign.before) + advance(sign.text) + 10 + GAP for sign in signs)

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        painter = QtGui.QPainter(self)
        for number, signs in enumerate(self._rows_within(self.width())):
            x = 4
            for sign in signs:
                x = self._paint(painter, sign, x, number * HEIGHT)
        painter.end()

    def _paint(self, painter, sign, x, y):
        """Draws one sign with its texts; returns the place of the next."""
        x = self._text(painter, x, y, sign.before) if sign.before else x
        painter.save()
        sign.draw(painter, QtCore.QRect(x, y + 4, sign.width, HEIGHT - 8))
        painter.restore()
        return self._text(painter, x + sign.width + 4, y, sign.text) + GAP

    def _draw_bar(self, painter, place):
        difference = self._mode is Mode.DIFFERENCE
        background = theme.current().background
        draw_colours(painter, place, palette.difference_colours(background) if difference else palette.FIRE)

    def _text(self, painter, x, y, text):
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.WindowText))
        width = painter.fontMetrics().horizontalAdvance(text)
        painter.drawText(QtCore.QRect(x, y, width + 2, HEIGHT), QtCore.Qt.AlignmentFlag.AlignVCenter, text)
        return x + width + 6


def _draw_unscored(painter, place):
    painter.fillRect(place, QtGui.QColor(*theme.current().unscored))


def _draw_hatching(painter, place):
    painter.fillRect(place, QtGui.QColor(*palette.FIRE[200].tolist()))
    painter.fillRect(place, hatching())


def _draw_lines(pens):
    """An upright line on the colour of a filter, as it looks in the heatmap."""

    def draw(painter, place):
        painter.fillRect(place, QtGui.QColor(*palette.FIRE[100].tolist()))
        for pen in pens:
            painter.setPen(pen)
            painter.drawLine(place.center().x(), place.top(), place.center().x(), place.bottom())

    return draw


def _draw_divider(painter, place):
    painter.fillRect(place.center().x() - 1, place.y(), 3, place.height(), QtGui.QColor(*CUT))


def _draw_frame(painter, place):
    """A frame on the colour of a filter, as it looks around what is pointed at or selected."""
    painter.fillRect(place, QtGui.QColor(*palette.FIRE[100].tolist()))
    colour = theme.current().focus
    for width, frame in ((3, tuple(255 - part for part in colour)), (1, colour)):
        painter.setPen(QtGui.QPen(QtGui.QColor(*frame), width))
        painter.drawRect(place.adjusted(2, 1, -3, -2))


def _draw_bands(painter, place):
    for number in range(2):
        painter.fillRect(place.x() + 7 * number + 3, place.y(), 5, place.height(), QtGui.QColor(*BANDS[number]))
