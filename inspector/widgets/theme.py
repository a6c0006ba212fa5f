"""Colours of plots, from the palette of the system, light or dark."""

from __future__ import annotations

import dataclasses
import functools

import pyqtgraph as pg
from PySide6 import QtGui, QtWidgets

CUT = (213, 94, 0)  # Okabe and Ito's vermilion: all eyes can tell it from cividis, and by lightness from its ends
BANDS = ((0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (0, 114, 178))  # Okabe and Ito


@dataclasses.dataclass(frozen=True)
class Theme:
    """The colours of plots, each `(r, g, b)`.

    Args:
        dark: Whether the background is dark.
        background: Behind plots.
        text: Names and axes.
        dim: Names of what cannot be changed.
        unscored: Filters without FIRE.
        focus: What is pointed at.
    """

    dark: bool
    background: tuple[int, int, int]
    text: tuple[int, int, int]
    dim: tuple[int, int, int]
    unscored: tuple[int, int, int]
    focus: tuple[int, int, int]

    @classmethod
    def of(cls, palette: QtGui.QPalette) -> Theme:
        """The theme that goes with a palette."""
        base, text = (_rgb(palette.color(role)) for role in (palette.ColorRole.Base, palette.ColorRole.Text))
        dark = sum(base) < sum(text)
        grey = (96, 96, 96) if dark else (200, 200, 200)
        return cls(dark, base, text, _mixed(base, text, 0.6), grey, (255, 255, 255) if dark else (0, 0, 0))


def current() -> Theme:
    """The theme of the application."""
    return _current(QtWidgets.QApplication.palette().cacheKey())


@functools.lru_cache(maxsize=4)
def _current(_key):  # every cell of the table asks when it is drawn
    return Theme.of(QtWidgets.QApplication.palette())


def style_plot(plot: pg.PlotItem, theme: Theme):
    """Gives a plot's axes and labels the theme's colours."""
    for axis in ("left", "bottom", "right", "top"):
        plot.getAxis(axis).setPen(pg.mkPen(theme.dim))
        plot.getAxis(axis).setTextPen(pg.mkPen(theme.text))


def _rgb(colour):
    return colour.red(), colour.green(), colour.blue()


def _mixed(first, second, share):
    r, g, b = (round(a + (z - a) * share) for a, z in zip(first, second, strict=True))
    return r, g, b
