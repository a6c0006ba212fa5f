"""Names for screen readers: of a control, and of its parts that take the focus."""

from __future__ import annotations

from PySide6 import QtWidgets


def name(widget: QtWidgets.QWidget, text: str, tip: str = ""):
    """Names a control.

    Args:
        widget: The control.
        text: What it is.
        tip: One line on its purpose; empty for none.
    """
    parts: list[QtWidgets.QWidget | None] = [widget]
    if isinstance(widget, QtWidgets.QComboBox):
        parts += [widget.view(), widget.lineEdit()]
    elif isinstance(widget, QtWidgets.QAbstractScrollArea):
        parts.append(widget.viewport())
    for part in filter(None, parts):
        part.setAccessibleName(text)
        part.setStatusTip(tip)
