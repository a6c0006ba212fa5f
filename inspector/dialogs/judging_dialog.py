"""The dialog that chooses the data on which cuts are judged."""

from __future__ import annotations

from PySide6 import QtWidgets

from inspector.children import JudgingData
from inspector.dialogs.data_field import DataField
from inspector.dialogs.options_dialog import OptionsDialog
from inspector.state import data_sources


class JudgingDialog(OptionsDialog):
    """Asks for labelled data once, for all that follows.

    Signals:
        chosen: `JudgingData`.

    Args:
        model: Its name.
        last: The `JudgingData` to begin with.
        shape: The shape of one image that it takes; `None` if unknown.
        parent: The Qt parent.
    """

    def __init__(self, model: str, last: JudgingData, shape=None, parent=None):
        super().__init__(f"Data for accuracy checks of {model}", "OK", parent)
        self.data = DataField(("digits",), last.data, shape, labels=True)
        self.images = QtWidgets.QSpinBox(minimum=16, maximum=10**7, value=last.images, singleStep=500)
        samples = data_sources.called(shape)
        self.images.setAccessibleName(f"Maximum {samples}")
        self.images.setStatusTip(f"With a thousand {samples}, a difference of less than a point is mostly chance")
        note = QtWidgets.QLabel(f"Later checks of this model use the same {samples}.", wordWrap=True)
        form = QtWidgets.QFormLayout(self)
        form.addRow(self.data.label, self.data)
        form.addRow(f"Maximum &{samples}", self.images)
        for widget in (note, self.buttons):
            form.addRow(widget)
        self.data.changed.connect(self._check)
        self._check()

    def _check(self):
        self.set_complete(self.data.check())

    def options(self) -> JudgingData:
        """What is chosen."""
        return JudgingData(self.data.chosen, self.images.value())
