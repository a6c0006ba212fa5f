"""What the dialogs before long work share."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from inspector.dialogs.dialog_buttons import ok_and_cancel


class OptionsDialog(QtWidgets.QDialog):
    """Asks for options, and can only be accepted when they are complete; subclasses say what they are.

    Signals:
        chosen: The options.
    """

    chosen = QtCore.Signal(object)

    def __init__(self, title: str, verb: str, parent=None):
        super().__init__(parent)
        self.setWindowTitle(title)
        self.buttons = ok_and_cancel(self, verb)

    def options(self) -> Any:
        """What is chosen."""
        raise NotImplementedError

    def set_complete(self, complete: bool):
        """Whether the dialog can be accepted."""
        self.buttons.button(QtWidgets.QDialogButtonBox.StandardButton.Ok).setEnabled(complete)

    def accept(self):
        self.chosen.emit(self.options())
        super().accept()
