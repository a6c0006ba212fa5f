"""A button for an action that can be reached by keyboard."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets


def action_button(action: QtGui.QAction, text: str = "") -> QtWidgets.QToolButton:
    """A button with the text, the tip and the state of an action; `text` is a shorter one."""
    button = QtWidgets.QToolButton(toolButtonStyle=QtCore.Qt.ToolButtonStyle.ToolButtonTextOnly)
    button.setDefaultAction(action)
    if text:
        action.setIconText(text)
    button.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
    button.setAccessibleName(action.text().replace("&", "").rstrip("…"))
    return button
