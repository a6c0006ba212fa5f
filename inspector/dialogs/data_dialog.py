"""A dialog that asks for data and nothing else."""

from __future__ import annotations

from PySide6 import QtWidgets

from inspector.dialogs.data_field import DataField
from inspector.dialogs.options_dialog import OptionsDialog
from inspector.state import Data


class DataDialog(OptionsDialog):
    """Asks for data.

    Signals:
        chosen: `Data`.

    Args:
        title: Its title.
        verb: What is done with the data, the text of the button.
        last: The `Data` to begin with.
        shape: The shape of one image that the model takes; `None` if unknown.
        labels: Whether labels are needed.
        parent: The Qt parent.
    """

    def __init__(self, title: str, verb: str, last: Data, shape=None, *, labels: bool, parent=None):
        super().__init__(title, verb, parent)
        self.data = DataField(("digits", "synthetic"), last, shape, labels=labels)
        form = QtWidgets.QFormLayout(self)
        form.addRow(self.data.label, self.data)
        form.addRow(self.buttons)
        self.data.changed.connect(self._check)
        self._check()

    def _check(self):
        self.set_complete(self.data.check())

    def options(self) -> Data:
        """What is chosen."""
        return self.data.chosen
