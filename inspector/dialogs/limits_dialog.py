"""The limits of all layers: the multiple of widths, and the least share that stays."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from inspector.dialogs.dialog_buttons import ok_and_cancel
from inspector.state import Choices


class LimitsDialog(QtWidgets.QDialog):
    """Asks for `round_to` and `min_keep`.

    Signals:
        chosen: `round_to` and `min_keep`.

    Args:
        choices: What is chosen now.
        widest: The number of filters of the widest layer; no multiple can be larger.
        parent: The Qt parent.
    """

    chosen = QtCore.Signal(int, float)

    def __init__(self, choices: Choices, widest: int, parent=None):
        super().__init__(parent)
        self.setWindowTitle("Limits for all layers")
        self.multiple = QtWidgets.QSpinBox(minimum=1, maximum=widest, value=choices.round_to)
        self.multiple.setAccessibleName("Round filter counts to multiples of")
        self.multiple.setStatusTip("1 allows any count; 8 suits most hardware")
        self.least = QtWidgets.QSpinBox(maximum=100, value=round(100 * choices.min_keep), suffix=" %")
        self.least.setAccessibleName("Minimum share of each layer's filters to keep, in percent")
        form = QtWidgets.QFormLayout(self)
        form.addRow("&Round filter counts to multiples of", self.multiple)
        form.addRow("Each layer keeps at &least", self.least)
        form.addRow(ok_and_cancel(self, "OK"))

    def accept(self):
        self.chosen.emit(self.multiple.value(), self.least.value() / 100)
        super().accept()
