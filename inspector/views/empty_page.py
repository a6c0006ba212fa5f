"""The page that is shown while nothing is open: it says what to do, with a button for it."""

from __future__ import annotations

import re

from PySide6 import QtCore, QtGui, QtWidgets

NOTHING_OPEN = (
    "<h2>Which filters does your network need?</h2><p>Open a trained Keras model (.keras), a measurement (.fire.h5) or "
    "the folder of a run; or drop it here.</p>"
)
NOT_MEASURED = (
    "<h2>{name} has not been measured yet</h2><p>FIRE is how often a filter's ReLU outputs zero. Measuring needs "
    "{samples} like those that the network was trained on, but no labels; it takes seconds to minutes, and changes "
    "nothing.</p><p>You can set caps and locks now; they are kept.</p>"
)
SEVERAL_INPUTS = (
    "<h2>{name} has not been measured yet</h2><p>It takes several inputs, which Python can feed:</p>"
    '<p><code>profile = firekeras.measure_fire(model, [first, second])<br>profile.save("{profile}")</code></p>'
    "<p>Then open the model again.</p>"
)
NO_PROFILE_IN_RUN = (
    "<h2>{name} has no measurement</h2><p>A run that ranks by FIRE writes one with its first round. Its output is "
    "shown below.</p>"
)
BREAK = re.compile(r"[_.-]")  # after which a long name may go on in the next line


class EmptyPage(QtWidgets.QWidget):
    """A short text and a button."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.words = QtWidgets.QLabel(alignment=QtCore.Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.words.setMinimumWidth(200)  # a long name takes no room from the table
        self.button = QtWidgets.QPushButton()
        self.button.setDefault(True)
        self._action: QtGui.QAction | None = None
        self.button.clicked.connect(self._trigger)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(self.words)
        layout.addWidget(self.button, 0, QtCore.Qt.AlignmentFlag.AlignCenter)
        layout.addStretch(2)

    def _trigger(self):
        if self._action is not None:
            self._action.trigger()

    def offer(self, words: str, action: QtGui.QAction):
        """Shows a text, and offers an action."""
        heading, end, rest = words.partition("</h2>")
        self.words.setText(BREAK.sub("\\g<0>\u200b", heading) + end + rest)
        self._action = action
        self.button.setText(action.text().replace("&", "").rstrip("…."))
        self.button.setAccessibleName(self.button.text())
        self.button.setStatusTip(action.statusTip())
        self.button.setEnabled(action.isEnabled())
