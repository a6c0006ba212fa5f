"""Names that are too long for their space, shortened where that keeps them apart."""

from __future__ import annotations

from collections.abc import Collection

from PySide6 import QtCore, QtGui

Elide = QtCore.Qt.TextElideMode
MODES = (Elide.ElideMiddle, Elide.ElideLeft, Elide.ElideRight)  # of equally good ones, the first


def best_elide(names: Collection[str], metrics: QtGui.QFontMetricsF, room: float) -> Elide:
    """The place in which to shorten names so that as many as possible still differ.

    Args:
        names: All names.
        metrics: Those of the font.
        room: The width, in pixels.
    """
    return max(MODES, key=lambda mode: len({metrics.elidedText(name, mode, room) for name in names}))
