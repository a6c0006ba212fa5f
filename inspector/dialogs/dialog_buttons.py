"""The buttons at the foot of a dialog."""

from __future__ import annotations

from PySide6 import QtWidgets


def ok_and_cancel(dialog, verb):
    """Buttons that accept a dialog, with a verb, and reject it."""
    standard = QtWidgets.QDialogButtonBox.StandardButton
    buttons = QtWidgets.QDialogButtonBox(standard.Ok | standard.Cancel)
    buttons.button(standard.Ok).setText(verb)
    for button in buttons.buttons():
        button.setAccessibleName(button.text().replace("&", ""))
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons
