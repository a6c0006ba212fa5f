"""A line above everything else for errors and notes, with a button for the next step."""

from __future__ import annotations

from typing import cast

import shiboken6
from PySide6 import QtCore, QtWidgets

from inspector.state import Message

LONGEST = 400  # characters: a converter may complain over many pages
REST = "… (The log has all of it.)"


class Banner(QtWidgets.QToolBar):
    """Stays until it is closed or replaced by another message; as wide as the window, and no higher than its text.

    Signals:
        shortened: The whole text of a message that was too long.
    """

    shortened = QtCore.Signal(str)

    def __init__(self, parent=None):
        super().__init__("Message", parent, movable=False, floatable=False)
        self.setObjectName("banner")
        self.setAccessibleName("Message")
        self.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.PreventContextMenu)
        self.toggleViewAction().setVisible(False)
        self.sign = QtWidgets.QLabel()
        self.words = QtWidgets.QLabel(wordWrap=True)
        self.words.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.way_out = QtWidgets.QPushButton()
        self.close_button = QtWidgets.QPushButton("&Close")
        self.close_button.setAccessibleName("Close the message")
        self.close_button.clicked.connect(self.hide)
        self.way_out.clicked.connect(self._take_way_out)
        self.frame = self._framed()
        self.addWidget(self.frame)
        self.way_out.setAccessibleName("Next step")  # until there is one
        self._message = Message()
        self._before: QtWidgets.QWidget | None = None
        application = cast(QtWidgets.QApplication, QtWidgets.QApplication.instance())
        application.focusChanged.connect(self._remember)
        self.hide()

    def _framed(self):
        frame = _Frame()
        frame.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        frame.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        layout = QtWidgets.QHBoxLayout(frame)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.addWidget(self.sign)
        layout.addWidget(self.words, 1)
        layout.addWidget(self.way_out)
        layout.addWidget(self.close_button)
        return frame

    def say(self, message: Message):
        """Shows a message in place of the one before."""
        style = QtWidgets.QStyle.StandardPixmap
        words = message.text
        icon = style.SP_MessageBoxCritical if message.error else style.SP_MessageBoxInformation
        self.sign.setPixmap(self.style().standardIcon(icon).pixmap(20, 20))
        self.sign.setAccessibleName("Error" if message.error else "Note")
        self.words.setText(words if len(words) <= LONGEST else f"{words[:LONGEST].rsplit(' ', 1)[0]} {REST}")
        self.words.setToolTip("" if len(words) <= LONGEST else words)
        if len(words) > LONGEST:
            self.shortened.emit(words)
        self.setAccessibleDescription(words)
        self.way_out.setText(message.way_out)
        self.way_out.setAccessibleName(message.way_out.replace("&", ""))
        self.way_out.setVisible(bool(message.way_out))
        self._message = message
        self.frame.fit()
        self.show()

    def hide_if_over(self):
        """Hides a message that says of itself that it no longer holds."""
        if not self._message.holds():
            self._message = Message()
            self.hide()

    def _remember(self, old, new):
        """Keeps what had the focus before one of its buttons took it."""
        if new is not None and self.isAncestorOf(new) and old is not None and not self.isAncestorOf(old):
            self._before = old

    def setVisible(self, visible):  # noqa: N802 (Qt's name)
        """Gives the focus back as it goes: Qt would give it to whatever comes next."""
        focused = QtWidgets.QApplication.focusWidget()
        if not visible and focused is not None and self.isAncestorOf(focused):
            self._give_back()
        super().setVisible(visible)

    def _give_back(self):
        before, self._before = self._before, None
        if before is not None and shiboken6.isValid(before) and before.isVisible() and before.isEnabled():
            before.setFocus()
        else:
            self.window().setFocus()

    def _take_way_out(self):
        self.hide()
        self._message.then()


class _Frame(QtWidgets.QFrame):
    """As high as its text needs at its width, which a tool bar does not request by itself."""

    def fit(self):
        """Sets that height."""
        height = self.heightForWidth(self.width())
        if height > 0:  # it is not known before there are words
            self.setFixedHeight(height)

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        QtCore.QTimer.singleShot(0, self, self.fit)  # inside this event, Qt would lay it out for its old height again
