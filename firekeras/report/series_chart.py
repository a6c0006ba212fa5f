"""Several series in one chart, as a standalone SVG: lines, marks, spreads, and a legend."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from firekeras.atomic import write_text
from firekeras.report import charts
from firekeras.report.charts import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale
from firekeras.report.heatmap import colours
from firekeras.report.markup import px, tag
from firekeras.report.tables import metric

# Okabe and Ito's palette without its yellow, which is too pale on white; the marks differ in shape too.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
BRIGHTEST = 0.85  # of cividis on white, if there are more series than the palette has colours
HEADING, ROW, COLUMNS = 24, 16, 3  # pixels for the heading and a row of the legend; entries in a row
SHAPES = (
    "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0-4 0Z",  # circle
    "M-3.5-3.5H3.5V3.5H-3.5Z",  # square
    "M0-4.5L4.5 3.5H-4.5Z",  # triangle
    "M0-5L5 0L0 5L-5 0Z",  # diamond
    "M0 4.5L4.5-3.5H-4.5Z",  # triangle upside down
)
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #5b5a55; }
.heading { font-weight: 600; fill: #1b1b1a; }
.x, .title { text-anchor: middle; }
.y { text-anchor: end; }
.grid { stroke: #dddbd4; }
.level { stroke: #1b1b1a; stroke-width: 1.5; stroke-dasharray: 5 4; }
"""


@dataclasses.dataclass(frozen=True)
class Series:
    """One line of a chart.

    Args:
        name: The name in the legend.
        points: Pairs of values, (x, y). A point whose y is not a number has no mark.
        spreads: How far the bar of each point reaches up and down, in values of y. Defaults to none.
        dots: Further points that are not joined, such as the single runs behind a mean. Defaults to none.
    """

    name: str
    points: Sequence[tuple[float, float]]
    spreads: Sequence[float] = ()
    dots: Sequence[tuple[float, float]] = ()


def series_chart(series: Sequence[Series], heading: str, x_title: str, level: float = math.nan) -> Element:
    """Draws the chart.

    Args:
        series: At least one `Series`.
        heading: The title of the y axis, above the chart.
        x_title: The title of the x axis.
        level: A value of y to mark with a dashed line. Defaults to NaN: no line.
    """
    x, y = _scales(series, level)
    shades = _shades(len(series))
    marks = [mark for k, line in enumerate(series) for mark in _drawn(line, k, shades[k], x, y)]
    lines = [_level(level, y)] if math.isfinite(level) else []
    chart = charts._chart(_described(series, heading, x_title), x, y, x.step(), x_title, [*lines, *marks])
    legend = [_entry(line.name, k, shades[k]) for k, line in enumerate(series)]
    height = HEADING + HEIGHT + ROW * math.ceil(len(series) / COLUMNS) + 14
    return tag(
        "svg",
        tag("style", STYLE),
        tag("rect", width=WIDTH, height=height, fill="#ffffff"),
        tag("text", heading, class_="heading", x=LEFT, y=16),
        tag("g", list(chart), transform=f"translate(0 {HEADING})"),
        legend,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        width=2 * WIDTH,
        height=2 * height,
        style="max-width: 100%; height: auto",
        role="img",
        aria_label=chart.get("aria-label"),
    )


def write_svg(chart: Element, path):
    """Writes a chart as a file, completely or not at all."""
    write_text(path, ElementTree.tostring(chart, encoding="unicode") + "\n")


def _scales(series, level):
    points = [point for line in series for point in (*line.points, *line.dots)]
    ends = [
        at + way * reach
        for line in series
        for (_, at), reach in zip(line.points, line.spreads, strict=False)
        for way in (-1, 1)
    ]
    x = Scale.around([at for at, _ in points], LEFT, WIDTH - RIGHT)
    return x, Scale.around([level, *ends, *(at for _, at in points)], HEIGHT - charts.BOTTOM, TOP)


def _shades(count):
    if count <= len(PALETTE):
        return PALETTE[:count]
    return [f"#{bytes(shade).hex()}" for shade in colours(np.linspace(0, BRIGHTEST, count))]


def _described(series, heading, x_title):
    """The text for screen readers: each series from its first to its last point."""
    texts = [f"{line.name} {', '.join(metric(y) for _, y in line.points)}" for line in series]
    return f"{heading} against {x_title}: {'; '.join(texts)}"


def _level(value, y):
    return tag("line", class_="level", x1=LEFT, x2=WIDTH - RIGHT, y1=px(y(value)), y2=px(y(value)))


def _drawn(line, number, shade, x, y):
    """The line of a series, then its bars, then its marks."""
    drawn = [(x(at), y(value), value) for at, value in line.points if math.isfinite(value)]
    path = " ".join(f"{px(at)},{px(value)}" for at, value, _ in drawn)
    yield tag("polyline", points=path, fill="none", stroke=shade, stroke_width=1.5)
    for (at, value), reach in zip(line.points, line.spreads, strict=False):
        if math.isfinite(value) and math.isfinite(reach):
            ends = {"y1": px(y(value - reach)), "y2": px(y(value + reach))}
            yield tag("line", x1=px(x(at)), x2=px(x(at)), stroke=shade, stroke_width=1.5, **ends)
    for at, value in line.dots:
        if math.isfinite(value):
            yield tag("circle", cx=px(x(at)), cy=px(y(value)), r=2, fill=shade, opacity=0.5)
    for at, value, amount in drawn:
        yield _mark(number, at, value, shade, f"{line.name}: {metric(amount)}")


def _mark(number, x, y, shade, words):
    """A shape, the same for every fifth series, with a tooltip."""
    shape = SHAPES[number % len(SHAPES)]
    return tag("path", tag("title", words), d=shape, transform=f"translate({px(x)} {px(y)})", fill=shade)


def _entry(name, number, shade):
    row, column = divmod(number, COLUMNS)
    x, y = LEFT + column * (WIDTH - LEFT) / COLUMNS, HEADING + HEIGHT + ROW * row + 14
    return [_mark(number, x, y - 4, shade, name), tag("text", name, x=px(x + 8), y=px(y))]
