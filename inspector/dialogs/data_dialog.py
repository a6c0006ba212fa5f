"""A dialog that asks for data and nothing else."""

from __future__ import annotations

from PySide6 import QtWidgets

from inspector.dialogs.data_field import DataField
from inspector.dialogs.options_dialog import OptionsDialog


class DataDialog(OptionsDialog):
    """Asks for data.

    Signals:
        chosen: The source, as on the command line, and what is done to its values.

    Args:
        title: Its title.
        verb: What is done with the data, the text of the button.
        last_data: The data to begin with; empty for none.
        shape: The shape of one image that the model takes; `None` if unknown.
        labels: Whether labels are needed.
        values: What was done to their values last; empty for nothing.
        parent: The Qt parent.
    """

    def __init__(
        self, title: str, verb: str, last_data: str, shape=None, *, labels: bool, values: str = "", parent=None
    ):
        super().__init__(title, verb, parent)
        self.data = DataField(("digits", "synthetic"), last_data, shape, labels=labels, values=values)
        form = QtWidgets.QFormLayout(self)
        form.addRow(self.data.label, self.data)
        form.addRow(self.buttons)
        self.data.changed.connect(self._check)
        self._check()

    def _check(self):
        self.set_complete(self.data.check())

    def options(self) -> tuple[str, str]:
        """The chosen source, and what is done to its values."""
        return self.data.source, self.data.values
