"""The dialog before measuring FIRE."""

from __future__ import annotations

from PySide6 import QtWidgets

from inspector.children import MeasureOptions
from inspector.dialogs.data_field import DataField
from inspector.dialogs.options_dialog import OptionsDialog
from inspector.state import Data, data_sources
from inspector.widgets import CheckBox


class MeasureDialog(OptionsDialog):
    """Asks for data, and for the share to measure on.

    Signals:
        chosen: `MeasureOptions`.

    Args:
        model: Its name.
        last: The `Data` to begin with.
        shape: The shape of one image that it takes; `None` if unknown.
        parent: The Qt parent.
    """

    def __init__(self, model: str, last: Data, shape=None, parent=None):
        super().__init__(f"Measure FIRE of {model}", "&Measure", parent)
        self.data = DataField(("digits", "synthetic"), last, shape, labels=False)
        self.share = QtWidgets.QDoubleSpinBox(decimals=1, minimum=0.1, maximum=100, value=20, suffix=" %")
        self.share.setAccessibleName("Fraction of the data to measure on, in percent")
        self.share.setStatusTip("A fifth is usually enough: more hardly changes the ranking")
        self.settled = CheckBox("&Stop early once the ranking is stable")
        self.settled.toggled.connect(self.share.setDisabled)
        self.maps = CheckBox("Keep &maps of inactive positions (larger file)")
        self.maps.setChecked(True)
        form = QtWidgets.QFormLayout(self)
        samples = data_sources.called(shape)
        note = QtWidgets.QLabel(f"If you have no {samples}, “synthetic” generates some: they rank filters less well.")
        note.setWordWrap(True)
        form.addRow(self.data.label, self.data)
        form.addRow(note)
        form.addRow("F&raction of the data", self.share)
        for widget in (self.settled, self.maps, self.buttons):
            form.addRow(widget)
        self.data.changed.connect(self._check)
        self._check()

    def _check(self):
        self.set_complete(self.data.check())

    def options(self) -> MeasureOptions:
        """What is chosen."""
        fraction = "auto" if self.settled.isChecked() else repr(round(self.share.value() / 100, 6))
        return MeasureOptions(self.data.chosen, fraction, self.maps.isChecked())
