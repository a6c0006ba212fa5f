"""A figure that was measured for the previewed cut; struck out once a choice has changed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore, QtWidgets

from inspector.state import CHOICES, DOCUMENT, LATENCY, Checked, Session, Timed
from inspector.widgets import theme


class FigureLabel(QtWidgets.QLabel):
    """Shows what was measured last; subclasses say what it is.

    Args:
        session: The `Session`.
        title: Its name for screen readers.
        nothing: Its text before anything is measured.
        how: What measures it, as a sentence.
        key: The key that measures it again.
        last: A function of the session that returns the last measurement, or `None`.
    """

    def __init__(
        self,
        session: Session,
        title: str,
        nothing: str,
        how: str,
        key: str,
        last: Callable[[Session], Timed | Checked | None],
    ):
        super().__init__()
        self.session = session
        self._nothing, self._how, self._key, self._last = nothing, how, key, last
        self.setAccessibleName(title)
        for what in (CHOICES, DOCUMENT, LATENCY):
            session.listen(what, self._show)
        self._show()

    def _show(self):
        measured = self._last(self.session)
        if self.session.measured is None:
            self._say("", "")
        elif measured is None:
            self._say(self._nothing, self._how)
        elif measured.choices == self.session.choices:
            self._say(measured.words, measured.details)
        else:
            self._say_older(measured)

    def _say(self, words, details):
        self.setText(words)
        self._explain(words, details)

    def _say_older(self, measured):
        """Marks an outdated figure not only by colour: it is struck out, and a text says what it belongs to."""
        grey = "#{:02x}{:02x}{:02x}".format(*theme.current().dim)
        outdated, again = "Outdated (settings changed)", f"{self._key} to re-measure"
        self.setText(f'<span style="color:{grey}">{outdated}: <s>{measured.figures}</s>. {again}</span>')
        words = f"{outdated}: {measured.figures}. {again}."
        self._explain(words, f"{words} {measured.details}")

    def _explain(self, words, details):
        self.setAccessibleDescription(words)
        self.setToolTip(details)

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self._show()
