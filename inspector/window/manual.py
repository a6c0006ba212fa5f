"""The manual, which is the guide of the documentation, shown without a network."""

from __future__ import annotations

import re
from importlib import resources

from PySide6 import QtCore, QtWidgets

PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n", re.MULTILINE)
WITHIN = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]*\)")  # links to other pages, which are not here


def manual_text() -> str:
    """The manual as Markdown, without pictures and links to other pages."""
    text = resources.files("inspector").joinpath("manual.md").read_text(encoding="utf-8")
    return WITHIN.sub(r"\1", PICTURE.sub("", text))


class ManualDialog(QtWidgets.QDialog):
    """Shows the manual beside the window."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setWindowTitle("Manual of the FIRE inspector")
        self.setModal(False)
        self.text = QtWidgets.QTextBrowser(openExternalLinks=True)
        self.text.setAccessibleName("Manual")
        self.text.setMarkdown(manual_text())
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.text, 1)
        layout.addWidget(buttons)
        self.resize(QtCore.QSize(640, 560))
