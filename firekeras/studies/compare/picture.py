"""The chart of a comparison as PNG, for programs that cannot show SVG."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from firekeras.atomic import whole_file
from firekeras.report.series_chart import PALETTE, Series

MARKS = "os^Dv"


def can_draw() -> bool:
    """Whether matplotlib, an optional dependency, is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write_png(series: Sequence[Series], heading: str, x_title: str, level: float, path):
    """Draws series and the baseline's level as PNG; the file is written completely or not at all.

    Args:
        series, heading, x_title, level: As for `series_chart`.
        path: The file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(title=heading, xlabel=x_title)
    axes.axhline(level, color="black", linestyle="--", linewidth=1, label="baseline")
    for number, line in enumerate(series):
        shade, mark = PALETTE[number % len(PALETTE)], MARKS[number % len(MARKS)]
        _draw(axes, line, color=shade, marker=mark)
    figure.legend(loc="outside lower center", ncols=4)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _draw(axes, line, color, marker):
    x, y = zip(*line.points, strict=True)
    spreads = line.spreads or None
    axes.errorbar(x, y, spreads, label=line.name, color=color, marker=marker, mfc="none", ms=8, capsize=3, linewidth=1)
    if line.dots:
        axes.scatter(*zip(*line.dots, strict=True), color=color, s=8, alpha=0.5, linewidths=0)
