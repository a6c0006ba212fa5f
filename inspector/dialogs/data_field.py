"""The field for images: a source as on the command line, typed or chosen."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from inspector.state import Data, data_sources
from inspector.widgets import name

AS_THEY_ARE = "as they are"


class DataField(QtWidgets.QWidget):
    """A box with the sources that need no file, and buttons for those that do.

    Args:
        sources: The sources that need no file.
        last: The `Data` to begin with.
        shape: The shape of one image that the model takes; `None` if unknown.
        labels: Whether labels are needed.
    """

    changed = QtCore.Signal()

    def __init__(self, sources, last: Data, shape=None, *, labels: bool, parent=None):
        super().__init__(parent)
        self.box = QtWidgets.QComboBox(editable=True)
        self._shape, self._labels, self._synthetic = shape, labels, data_sources.SYNTHETIC in sources
        fitting = [source for source in sources if not data_sources.why_not(source, shape, labels=labels)]
        unfit = last.source == data_sources.SYNTHETIC and not self._synthetic  # it served another purpose
        self.box.addItems([*dict.fromkeys(["" if unfit else last.source, *fitting])])
        arrays = ", ".join(data_sources.ARRAYS) if labels else f"{data_sources.ARRAYS[0]}, without labels"
        tip = f"An .npz file with {arrays}; or a folder with a folder per class"
        name(self.box, "Data: digits, an .npz file or a folder of images", tip)
        self.box.setMinimumContentsLength(24)
        self.box.editTextChanged.connect(self.changed)
        self.label = QtWidgets.QLabel("&Data")
        self.label.setBuddy(self.box)
        self.range = QtWidgets.QComboBox()
        self.range.addItems([AS_THEY_ARE, *data_sources.RANGES])
        self.range.setCurrentText(last.values or AS_THEY_ARE)
        name(self.range, "Values", "Brings the values into the range that the network was trained on")
        self.range.currentIndexChanged.connect(self.changed)
        self.reason = QtWidgets.QLabel(wordWrap=True)
        outer, layout = QtWidgets.QVBoxLayout(self), QtWidgets.QHBoxLayout()
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(layout)
        outer.addLayout(self._values())
        outer.addWidget(self.reason)
        layout.addWidget(self.box, 1)
        layout.addWidget(self._button("&File…", "Choose an .npz file", QtWidgets.QFileDialog.FileMode.ExistingFile))
        if data_sources.called(shape) == "images":
            folder = QtWidgets.QFileDialog.FileMode.Directory
            layout.addWidget(self._button("F&older…", "Choose a folder of images", folder))

    def _values(self):
        line, label = QtWidgets.QHBoxLayout(), QtWidgets.QLabel("&Values")
        label.setBuddy(self.range)
        line.addWidget(label)
        line.addWidget(self.range, 1)
        return line

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

    def check(self) -> bool:
        """Whether nothing is known against the chosen source; if something is, says what."""
        obstacle = data_sources.why_not(
            self.chosen.source, self._shape, labels=self._labels, synthetic=self._synthetic or self._labels
        )
        self.reason.setText(obstacle)
        self._make_room()
        return not obstacle

    def _make_room(self):
        """Has the dialog grow with the reason: lines that are wrapped later ask for no room by themselves."""
        text = self.reason.text()
        self.reason.setMinimumHeight(self.reason.heightForWidth(self.reason.width()) if text else 0)

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        QtCore.QTimer.singleShot(0, self, self._make_room)  # once the label has its width

    @property
    def chosen(self) -> Data:
        """What is chosen."""
        values = self.range.currentText() if self.range.currentIndex() else ""
        return Data(self.box.currentText().strip(), values)
