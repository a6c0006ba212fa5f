"""The heatmap as a figure: all names, the scale, what is hatched, and what the axes are."""

from __future__ import annotations

from inspector.figures.drawing import GREY, Drawing, Look, fitted, hexadecimal, text_width
from inspector.state import (
    PADDING,
    WHOLE,
    Mode,
    Session,
    heatmap_image,
    palette,
    room_beside,
    scale_of,
    stretches,
    words,
)

WHITE, UNSCORED = (255, 255, 255), (200, 200, 200)
LARGEST, SMALLEST = 7.0, 2.0  # points: names of layers
ROW = 8.0  # points: a row of a figure of the proposed height
FOOT = 26.0  # points below the rows: the axis and the legend
ROOM = 5.0  # points of hatching that a cut line must not hide
BAR = 60.0  # points: the scale
SEAM = 0.2  # points that a cell reaches below the next one
CUT = "#d55e00"
AXIS = "Filters of each layer, from the last to the first to be removed"
MILLIMETRE = 25.4 / 72


def height_of_heatmap(session: Session) -> float:
    """The height at which all names are readable, in millimetres."""
    return (len(session.rows) * ROW + 85) * MILLIMETRE


def heatmap(session: Session, look: Look) -> Drawing:
    """The picture that the heatmap shows, as a figure."""
    drawing = Drawing(look)
    rows, cells = session.rows, session.need_measured().cells
    bottom = drawing.bottom - FOOT
    row_height = max(0.1, bottom - drawing.top) / max(1, len(rows))
    room = 0.35 * drawing.width
    size, names = fitted([row.name for row in rows], max(SMALLEST, min(LARGEST, 0.9 * row_height)), room)
    left = drawing.EDGE + max(text_width(name, size) for name in names) + 4
    column = (drawing.width - drawing.EDGE - left) / max(1, cells.columns)
    at = _Place(drawing, left, drawing.top, column, row_height)
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        baseline = drawing.top + (number + 0.5) * row_height + 0.35 * size
        colour = GREY if row.locked else "#000000"
        drawing.text(left - 3, baseline, name, size, anchor="end", colour=colour)
    _draw_cells(at, session)
    _draw_marks(at, session)
    drawing.text((left + drawing.width - drawing.EDGE) / 2, bottom + 9, AXIS, LARGEST, anchor="middle")
    _draw_legend(drawing, session, left, bottom + 16)
    return drawing


class _Place:
    """Where cells lie on the page."""

    def __init__(self, drawing, left, top, column, row):
        self.drawing, self._left, self._top, self._column, self._row = drawing, left, top, column, row

    def box(self, row, begin, end):
        """A stretch of cells as x, y, width and height."""
        x, y = self._left + begin * self._column, self._top + row * self._row
        return x, y, (end - begin) * self._column, self._row


def _draw_cells(at, session):
    """Draws each stretch of equal colour once: a file of a large network stays small.

    Each reaches a little below the next, as no page shows a seam then.
    """
    columns = session.need_measured().cells.columns
    image = heatmap_image(session, session.mode, _split(session), WHITE, UNSCORED)
    for row, colours in enumerate(image):
        begin = 0
        for end in range(1, columns + 1):
            if end == columns or (colours[end] != colours[begin]).any():
                if colours[begin][3]:
                    x, y, width, height = at.box(row, begin, end)
                    more = SEAM if end < columns and colours[end][3] else 0.0
                    at.drawing.rect(x, y, width + more, height, hexadecimal(colours[begin]))
                begin = end


def _split(session):
    """The first column that shows the network afterwards, beside the one before."""
    return round(session.split or session.need_measured().cells.columns / 2)


def _draw_marks(at, session):
    """Hatches what is removed, with a line where that begins if it leaves room; divides two networks by a line."""
    if session.mode is Mode.SPLIT:
        x, y, _, height = at.box(0, _split(session), _split(session))
        at.drawing.line(x, y, x, y + len(session.rows) * height, CUT, 1.5)
    if session.mode not in WHOLE:
        return
    grid = session.need_measured().cells.grid
    marked = stretches(session.hatched[grid] & (grid != PADDING))
    found = list(zip(*(ends.tolist() for ends in marked), strict=True))
    for (row, begin, end), room in zip(found, room_beside(found), strict=True):
        x, y, width, height = at.box(row, begin, end)
        at.drawing.hatch(x, y, width, height)
        if room * width / (end - begin) >= ROOM and not words.is_done(session):
            at.drawing.line(x, y, x, y + height, CUT, 1)


def _draw_legend(drawing, session, x, y):
    """Draws the scale, then the other signs, in one line."""
    low, high = scale_of(session)
    difference = session.mode is Mode.DIFFERENCE
    colours = palette.difference_colours(WHITE) if difference else palette.FIRE
    title = f"{'Change of ' if difference else ''}{words.score_name(session)}  {low:.3g}"
    drawing.text(x, y + 6, title, LARGEST)
    x += text_width(title, LARGEST) + 3
    for number in range(64):
        drawing.rect(x + number * BAR / 64, y, BAR / 64 + 0.2, 7, hexadecimal(colours[4 * number]))
    x += BAR + 3
    drawing.text(x, y + 6, f"{high:.3g}", LARGEST)
    x += text_width(f"{high:.3g}", LARGEST) + 14
    if session.mode in WHOLE:
        x = _sign(drawing, x, y, palette.FIRE[200], "removed" if words.is_done(session) else "to remove", hatched=True)
    x = _sign(drawing, x, y, UNSCORED, "no score")
    if session.mode is Mode.SPLIT:
        drawing.line(x, y, x, y + 7, CUT, 1.5)
        drawing.text(
            x + 4, y + 6, f"left: before; right: {session.comparison.name if session.comparison else 'after'}", LARGEST
        )


def _sign(drawing, x, y, colour, text, *, hatched=False):
    drawing.rect(x, y, 14, 7, hexadecimal(colour))
    if hatched:
        drawing.hatch(x, y, 14, 7)
    drawing.text(x + 17, y + 6, text, LARGEST)
    return x + 17 + text_width(text, LARGEST) + 14
