"""Rectangles, lines and texts on a page, as SVG that every program draws the same: no patterns, styles or scripts."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from firekeras.report.markup import tag

FONT = "Helvetica, Arial, sans-serif"
WIDE = 0.6  # of its size: an average letter of these fonts, and of those that stand in for them
READABLE = 4.5  # points: smaller texts are shortened instead
POINTS = 72 / 25.4  # in a millimetre
BLACK, GREY, FAINT = "#000000", "#707070", "#c8c8c8"
HATCHING = 3.0  # points between its lines
Colour = Iterable[int]


@dataclasses.dataclass(frozen=True)
class Look:
    """How a figure is to look.

    Args:
        title: Above it; empty for none.
        caption: Below it; empty for none.
        width: In millimetres.
        height: In millimetres.
    """

    title: str
    caption: str
    width: float
    height: float


def points(millimetres: float) -> float:
    """A length in points, the unit of texts."""
    return millimetres * POINTS


def hexadecimal(colour: Colour) -> str:
    """A colour `(r, g, b)` as SVG takes it."""
    return "#" + "".join(f"{int(part):02x}" for part in list(colour)[:3])


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in points."""
    return WIDE * size * len(text)


def fitted(texts: Sequence[str], largest: float, room: float) -> tuple[float, list[str]]:
    """A size at which texts fit, in points, and the texts: shortened if they would be too small to read.

    Args:
        texts: The texts.
        largest: The largest size.
        room: Their room, in points.
    """
    longest = max(map(len, texts), default=1) or 1
    size = min(largest, max(min(READABLE, largest), room / (WIDE * longest)))
    most = max(3, int(room / (WIDE * size)))
    ways = [[_shortened(text, most, share) for text in texts] for share in (0.5, 0.0, 1.0)]
    return size, max(ways, key=lambda way: len(set(way)))


def _shortened(text, most, share):
    """A text of so many letters, of which a share are its first ones."""
    if len(text) <= most:
        return text
    left = round((most - 1) * share)
    return f"{text[:left]}…{text[len(text) - (most - 1 - left) :]}"


class Drawing:
    """A white page.

    Args:
        look: Its size, its title and its caption.

    Attributes:
        width, height: Its size in points.
        top, bottom: Where the title ends and the caption begins, in points from above.
    """

    TITLE, CAPTION, EDGE = 10.0, 7.0, 6.0  # points

    def __init__(self, look: Look):
        self.width, self.height = points(look.width), points(look.height)
        size = {"width": f"{look.width:g}mm", "height": f"{look.height:g}mm"}
        box = {"viewBox": f"0 0 {self.width:.2f} {self.height:.2f}"}
        self._root = tag("svg", xmlns="http://www.w3.org/2000/svg", font_family=FONT, **size, **box)
        self.rect(0, 0, self.width, self.height, "#ffffff")
        self.top, self.bottom = self.EDGE, self.height - self.EDGE
        if look.title:
            self.top += self.TITLE
            self.text(self.width / 2, self.top, look.title, self.TITLE, anchor="middle", bold=True)
            self.top += self.EDGE
        self._write_caption(look.caption)

    def _write_caption(self, caption):
        letters = max(20, int((self.width - 2 * self.EDGE) / (WIDE * self.CAPTION)))
        lines = textwrap.wrap(caption, letters)
        self.bottom -= 1.3 * self.CAPTION * len(lines)
        for number, line in enumerate(lines, 1):
            self.text(self.EDGE, self.bottom + 1.3 * self.CAPTION * number - 2, line, self.CAPTION)

    def rect(self, x, y, width, height, fill="none", **more):
        """Draws a rectangle."""
        self._add("rect", x=_px(x), y=_px(y), width=_px(width), height=_px(height), fill=fill, **more)

    def line(self, x1, y1, x2, y2, colour=BLACK, width=0.5, **more):
        """Draws a line."""
        places = {"x1": _px(x1), "y1": _px(y1), "x2": _px(x2), "y2": _px(y2)}
        self._add("line", **places, stroke=colour, stroke_width=width, **more)

    def text(self, x, y, text, size, *, anchor="start", bold=False, colour=BLACK, upright=False):
        """Writes a text on the line `y`; `upright` turns it by 90 degrees, to be read from below."""
        more = {"font_weight": "bold"} if bold else {}
        if upright:
            more["transform"] = f"rotate(-90 {_px(x)} {_px(y)})"
        self._add("text", text, x=_px(x), y=_px(y), font_size=f"{size:.2f}", text_anchor=anchor, fill=colour, **more)

    def hatch(self, x, y, width, height):
        """Draws slanted lines over a rectangle, dark beside light, to be seen on any colour."""
        for shift, colour in ((0.0, BLACK), (0.7, "#ffffff")):
            way = " ".join(_slanted(x, y, width, height, shift))
            if way:
                self._add("path", d=way, stroke=colour, stroke_width=0.45, fill="none")

    def svg(self) -> str:
        """The whole file."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _add(self, name, *content, **attributes):
        self._root.append(tag(name, *content, **attributes))


def _slanted(x, y, width, height, shift):
    """The lines that rise to the right, clipped to a rectangle; the same on the whole page, so rows line up."""
    first = math.ceil((x + y - shift) / HATCHING)
    last = math.floor((x + y + width + height - shift) / HATCHING)
    for number in range(first, last + 1):
        total = number * HATCHING + shift  # of x and y along the line
        left, right = max(x, total - y - height), min(x + width, total - y)
        if right > left:
            yield f"M{_px(left)} {_px(total - left)}L{_px(right)} {_px(total - right)}"


def _px(value):
    return f"{value:.2f}"
