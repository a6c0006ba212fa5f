"""The field for images: a source as on the command line, typed or chosen."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from inspector.widgets import name


class DataField(QtWidgets.QWidget):
    """A box with the sources that need no file, and buttons for those that do."""

    changed = QtCore.Signal()

    def __init__(self, sources, last: str = "", parent=None):
        super().__init__(parent)
        self.box = QtWidgets.QComboBox(editable=True)
        self.box.addItems([*dict.fromkeys([last, *sources] if last else sources)])
        tip = "An .npz file with x_train, y_train, x_test, y_test; or a folder with a folder per class"
        name(self.box, "Data: digits, an .npz file or a folder of images", tip)
        self.box.setMinimumContentsLength(24)
        self.box.editTextChanged.connect(self.changed)
        self.label = QtWidgets.QLabel("&Data")
        self.label.setBuddy(self.box)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        layout.addWidget(self._button("&File…", "Choose an .npz file", QtWidgets.QFileDialog.FileMode.ExistingFile))
        layout.addWidget(
            self._button("F&older…", "Choose a folder of images", QtWidgets.QFileDialog.FileMode.Directory)
        )

    def _button(self, text, tip, mode):
        button = QtWidgets.QPushButton(text, autoDefault=False)
        button.setAccessibleName(tip)
        button.setStatusTip(tip)
        button.clicked.connect(lambda: self._choose(tip, mode))
        return button

    def _choose(self, title, mode):
        dialog = QtWidgets.QFileDialog(self, title)
        dialog.setFileMode(mode)
        if mode == QtWidgets.QFileDialog.FileMode.ExistingFile:
            dialog.setNameFilter("Arrays (*.npz)")
        dialog.fileSelected.connect(self.box.setEditText)
        dialog.open()

    @property
    def source(self) -> str:
        """What is chosen."""
        return self.box.currentText().strip()
