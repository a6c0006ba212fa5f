"""Names that are too long for their space, shortened where that keeps them apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from PySide6 import QtCore, QtGui

Elide = QtCore.Qt.TextElideMode
MODES = (Elide.ElideMiddle, Elide.ElideLeft, Elide.ElideRight)  # of equally good ones, the first
WORD = re.compile(r"[^\W\d_]+")
LETTERS = (4, 3, 2, 1)  # that are left of each word if names differ only in several places


def short_names(names: Collection[str], metrics: QtGui.QFontMetricsF, room: float) -> dict[str, str]:
    """Names as they fit into a space, so that as many as possible still differ.

    They lose their middle, their beginning or their end; if they then look the same, words are cut to their first
    letters, from the left as far as need be, since the last word says most: `"expanded_conv_2_project"` becomes
    `"e_c_2_project"`; if these still do, each word a little: `"layer1_0_conv2"` becomes `"la1_0_co2"`.

    Args:
        names: All names.
        metrics: Those of the font.
        room: The width, in pixels.
    """
    best: dict[str, str] = {}
    for shown in _shortened(names, metrics, room):
        if len(set(shown.values())) > len(set(best.values())):
            best = shown
        if len(set(best.values())) == len(names):
            break
    return best


def _shortened(names, metrics, room) -> Iterator[dict[str, str]]:
    for mode in MODES:
        yield {name: metrics.elidedText(name, mode, room) for name in names}
    yield {name: metrics.elidedText(_from_the_left(name, metrics, room), MODES[1], room) for name in names}
    for letters in LETTERS:
        yield {name: metrics.elidedText(_fitting(name, letters, metrics, room), MODES[1], room) for name in names}


def _from_the_left(name, metrics, room):
    """The name with as few first words cut to a letter as it takes to fit, or with all."""
    for words in range(1 + len(WORD.findall(name))):
        shown = WORD.sub(lambda word: word[0][0], name, count=words) if words else name
        if metrics.horizontalAdvance(shown) <= room:
            break
    return shown


def _fitting(name, letters, metrics, room):
    """The name if it fits, else with short words."""
    if metrics.horizontalAdvance(name) <= room:
        return name
    return WORD.sub(lambda word: word[0][:letters], name)
