"""The dialog before an export."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from firekeras.export.formats import FORMATS
from inspector.children import ExportOptions
from inspector.dialogs.data_field import DataField
from inspector.dialogs.options_dialog import OptionsDialog
from inspector.dialogs.outputs import why_not_written
from inspector.state import Data
from inspector.widgets import name

TITLES = {"litert": "LiteRT (.tflite), float32", "onnx": "ONNX (.onnx)", "saved-model": "SavedModel (a folder)"}
COUNTED = "For microcontrollers: the file that the bars of RAM and flash count"
NOT_COUNTED = "It takes and gives float32, so it is a little larger than the bars of RAM and flash count"
UNCUT = "To export the previewed cut, save the pruned model (Ctrl+S), open it, and export that."


class ExportDialog(OptionsDialog):
    """Asks for a format and a file; int8 needs data to calibrate the ranges of values on.

    Signals:
        chosen: `ExportOptions`.

    Args:
        model: The file to export.
        last: The `Data` to begin with.
        shape: The shape of one image that it takes; `None` if unknown.
        parent: The Qt parent.
    """

    def __init__(self, model: Path, last: Data, shape=None, *, cut: bool = False, parent=None):
        super().__init__(f"Export {model.name}", "&Export", parent)
        self.model = model
        self.format = QtWidgets.QComboBox()
        self._kinds = QtGui.QStandardItemModel(self)
        for kind in _kinds():
            self._kinds.appendRow(_item(*kind))
        self.format.setModel(self._kinds)
        name(self.format, "Format", "The runtime that the file is for")
        self.data = DataField(("digits",), last, shape, labels=False)
        self.output = QtWidgets.QLineEdit()
        name(self.output, "The file to write", "The file to write, completely or not at all")
        form = QtWidgets.QFormLayout(self)
        label = QtWidgets.QLabel("&Format")
        label.setBuddy(self.format)
        form.addRow(label, self.format)
        form.addRow(self.data.label, self.data)
        form.addRow("&Save as", self.output)
        self.reason = QtWidgets.QLabel(wordWrap=True)
        self.reason.setAccessibleName("What is known of that file")
        form.addRow(self.reason)
        note = QtWidgets.QLabel("The file is run, and compared with Keras, before it is kept.", wordWrap=True)
        self.whole = QtWidgets.QLabel(f"{model.name} is exported as it is. {UNCUT}", wordWrap=True)
        for widget in (note, *([self.whole] if cut else []), self.buttons):
            form.addRow(widget)
        possible = [k for k in range(self._kinds.rowCount()) if self._kinds.item(k).isEnabled()]
        self.format.setCurrentIndex(possible[0] if possible else 0)
        self.format.currentIndexChanged.connect(self._propose)
        self.data.changed.connect(self._check)
        self.output.textChanged.connect(self._check)
        self._propose()

    def _kind(self):
        return self.format.currentData()

    def _propose(self, *_):
        to, int8, _ = self._kind()
        self.data.setEnabled(int8)
        stem = self.model.name.removesuffix(".keras")
        self.output.setText(str(self.model.with_name(f"{stem}{'_int8' if int8 else ''}{FORMATS[to].ending}")))
        self._check()

    def _check(self, *_):
        to, int8, _ = self._kind()
        self.data.reason.clear()
        output = self._output()
        why = why_not_written(output, FORMATS[to].ending, self.model)
        replaced = f"{output.name} exists already, and will be replaced." if output.exists() else ""
        self.reason.setText(why or replaced)
        self.set_complete((not int8 or self.data.check()) and not why)

    def _output(self):
        return Path(self.output.text().strip()).expanduser()

    def options(self) -> ExportOptions:
        """What is chosen."""
        to, int8, int8_inputs = self._kind()
        output = self._output()
        return ExportOptions(to, output, self.data.chosen, int8_inputs) if int8 else ExportOptions(to, output)


def _kinds():
    """Each format, and int8 if it has that: the format, whether it is int8, its inputs too, and a title."""
    for known in FORMATS.values():
        title = TITLES.get(known.name, known.title)
        yield known, False, False, title
        if known.has_int8:
            yield known, True, False, f"{title.split(',')[0]}, int8"
            yield known, True, True, f"{title.split(',')[0]}, int8, inputs and outputs too"


def _item(known, int8, int8_inputs, title):
    item = QtGui.QStandardItem(title)
    item.setData((known.name, int8, int8_inputs), QtCore.Qt.ItemDataRole.UserRole)
    if int8:
        item.setToolTip(COUNTED if int8_inputs else NOT_COUNTED)
    try:
        known.check(os.environ.get("KERAS_BACKEND", "tensorflow"))
    except (ValueError, ImportError) as error:
        item.setEnabled(False)
        item.setToolTip(f"Not now: {error}")
    return item
