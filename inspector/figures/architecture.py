"""The architecture before and after a cut: a block for each layer, as high as it has filters."""

from __future__ import annotations

from firekeras.report.tables import short_number
from inspector.figures.drawing import BLACK, FAINT, GREY, Drawing, Look, fitted, text_width
from inspector.state import Session, change, percent

COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's
OTHER = "#707070"
LARGEST, FLAT, SMALLEST = 7.0, 5.0, 2.0  # points; numbers that would be smaller than the second stand upright
APART = 0.8  # of the room of a number is for its digits, so that neighbours do not read as one
HEAD, LEGEND = 12.0, 12.0  # points
LONGEST_NAME = 0.3  # of the height


def architecture(session: Session, look: Look) -> Drawing:
    """The widths of all layers before the cut that is shown, and after it."""
    drawing, rows, cut = Drawing(look), session.rows, session.cut
    step = (drawing.width - 2 * drawing.EDGE) / max(1, len(rows))
    size, names = fitted(
        [row.name for row in rows], max(SMALLEST, min(LARGEST, 0.85 * step)), LONGEST_NAME * drawing.height
    )
    bottom = drawing.bottom - LEGEND - max(text_width(name, size) for name in names) - 4
    half = (bottom - drawing.top) / 2
    kinds = dict(zip(dict.fromkeys(row.kind for row in rows), (*COLOURS, *[OTHER] * len(rows)), strict=False))
    widths = {row.name: row.filters for row in rows}
    before = session.need_opened().costs
    _Row(drawing, drawing.top, half, step).draw(_costs("Before", before), rows, widths, widths, kinds)
    title = _costs("After", cut.costs, before)
    _Row(drawing, drawing.top + half, half, step).draw(title, rows, widths, cut.widths, kinds)
    for number, name in enumerate(names):
        x = drawing.EDGE + (number + 0.5) * step + 0.35 * size
        drawing.text(x, bottom + 3, name, size, anchor="end", upright=True)
    _draw_legend(drawing, kinds)
    return drawing


def _costs(title, costs, before=None):
    """What a network costs, and how that changed."""
    figures = [("MACs", costs.macs, before and before.macs), ("parameters", costs.params, before and before.params)]
    texts = [
        f"{short_number(value)} {name}" + (f" ({percent(change(old, value))})" if old else "")
        for name, value, old in figures
    ]
    return f"{title}: {', '.join(texts)}"


class _Row:
    """One network, its layers from the left; all networks of a figure have the same scale."""

    def __init__(self, drawing, top, height, step):
        self._drawing, self._top, self._height, self._step = drawing, top, height, step

    def draw(self, title, rows, before, widths, kinds):
        """Draws blocks in the middle of the row, and what each was before as an outline."""
        drawing, top = self._drawing, self._top + HEAD
        drawing.text(drawing.EDGE, self._top + LARGEST, title, LARGEST, bold=True)
        longest = "9" * max((len(str(filters)) for filters in before.values()), default=1)
        size = min(LARGEST, APART * self._step / text_width(longest, 1))
        upright = size < FLAT
        size = min(LARGEST, APART * self._step) if upright else size
        above = text_width(longest, size) if upright else size
        room = self._height - HEAD - above - 0.6 * size
        per_filter = room / max(before.values(), default=1)
        middle = top + room / 2 + above
        for number, row in enumerate(rows):
            x, width = drawing.EDGE + (number + 0.15) * self._step, 0.7 * self._step
            old, new = before[row.name] * per_filter, widths[row.name] * per_filter
            drawing.rect(x, middle - old / 2, width, old, "none", stroke=FAINT, stroke_width=0.4)
            drawing.rect(x, middle - new / 2, width, new, kinds[row.kind])
            colour = BLACK if widths[row.name] < before[row.name] else GREY
            centre, y, text = x + width / 2, middle - old / 2 - 1.5, str(widths[row.name])
            if upright:
                drawing.text(centre + 0.35 * size, y, text, size, colour=colour, upright=True)
            else:
                drawing.text(centre, y, text, size, anchor="middle", colour=colour)


def _draw_legend(drawing, kinds):
    x, y = drawing.EDGE, drawing.bottom - LEGEND + 3
    for kind, colour in kinds.items():
        drawing.rect(x, y, 7, 7, colour)
        drawing.text(x + 10, y + 6, kind, LARGEST)
        x += 10 + text_width(kind, LARGEST) + 10
