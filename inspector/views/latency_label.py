"""The measured gain of the previewed plan; struck out once a choice has changed."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from inspector.state import CHOICES, DOCUMENT, LATENCY, Session
from inspector.widgets import theme

NOT_TIMED = "Latency: not measured yet (F7)"


class LatencyLabel(QtWidgets.QLabel):
    """Shows a session's timing.

    Args:
        session: The `Session`.
    """

    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self.setAccessibleName("Latency before and after")
        for what in (CHOICES, DOCUMENT, LATENCY):
            session.listen(what, self._show)
        self._show()

    def _show(self):
        timed = self.session.timed
        if self.session.measured is None:
            self._say("", "")
        elif timed is None:
            self._say(NOT_TIMED, "F7 cuts the model as previewed, and measures its latency before and after.")
        elif timed.choices == self.session.choices:
            self._say(timed.words, timed.details)
        else:
            self._say_older(timed)

    def _say(self, words, details):
        self.setText(words)
        self._explain(words, details)

    def _say_older(self, timed):
        """Marks an outdated figure not only by colour: it is struck out, and a text says what it belongs to."""
        grey = "#{:02x}{:02x}{:02x}".format(*theme.current().dim)
        self.setText(
            f'<span style="color:{grey}">Outdated (settings changed): <s>{timed.figures}</s>. F7 to re-measure</span>'
        )
        words = f"Outdated (settings changed): {timed.figures}. F7 to re-measure."
        self._explain(words, f"{words} {timed.details}")

    def _explain(self, words, details):
        self.setAccessibleDescription(words)
        self.setToolTip(details)

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self._show()
