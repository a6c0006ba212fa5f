"""The chart of a comparison as a picture, for what shows no SVG."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from firekeras.atomic import whole_file
from firekeras.report.series_chart import PALETTE, Series

MARKS = "os^Dv"


def can_draw() -> bool:
    """Whether matplotlib, which firekeras does without, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write_png(series: Sequence[Series], heading: str, x_title: str, level: float, path):
    """Draws series as PNG, and the baseline as a level: whole, or not at all; arguments as of `series_chart`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(title=heading, xlabel=x_title)
    axes.axhline(level, color="black", linestyle="--", linewidth=1, label="baseline")
    for number, one in enumerate(series):
        shade, mark = PALETTE[number % len(PALETTE)], MARKS[number % len(MARKS)]
        _draw(axes, one, color=shade, marker=mark)
    figure.legend(loc="outside lower center", ncols=4)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _draw(axes, one, color, marker):
    x, y = zip(*one.points, strict=True)
    spreads = one.spreads or None
    axes.errorbar(x, y, spreads, label=one.name, color=color, marker=marker, mfc="none", ms=8, capsize=3, linewidth=1)
    if one.dots:
        axes.scatter(*zip(*one.dots, strict=True), color=color, s=8, alpha=0.5, linewidths=0)
