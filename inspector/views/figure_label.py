"""A figure that was measured for the previewed cut; struck out once a choice has changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from PySide6 import QtCore, QtWidgets

from inspector.state import CHOICES, DOCUMENT, LATENCY, PICTURE, Checked, Session, Timed, words
from inspector.widgets import theme


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a label shows.

    Args:
        title: Its name for screen readers.
        nothing: Its text before anything is measured.
        how: What measures it, as a sentence.
        key: The key that measures it again.
        last: A function of the session that returns the last measurement, or `None`.
        predicted: A function of the session that returns what is known without a measurement, and how; empty for
            nothing.
    """

    title: str
    nothing: str
    how: str
    key: str
    last: Callable[[Session], Timed | Checked | None]
    predicted: Callable[[Session], tuple[str, str]] = lambda session: ("", "")


LATENCY_FIGURE = Figure(
    "Latency before and after",
    "Latency: not measured yet (F7)",
    "F7 cuts the model as previewed, and measures its latency before and after.",
    "F7",
    lambda session: session.timed,
    words.latency_by_table,
)
ACCURACY_FIGURE = Figure(
    "Accuracy before and after",
    "Accuracy: not checked yet (F9)",
    "F9 cuts the model as previewed, and measures its accuracy before and after, without training.",
    "F9",
    lambda session: session.checked,
    words.no_accuracy,
)


class FigureLabel(QtWidgets.QLabel):
    """Shows what was measured last.

    Args:
        session: The `Session`.
        figure: The `Figure`.
    """

    def __init__(self, session: Session, figure: Figure):
        super().__init__()
        self.session, self.figure = session, figure
        self.setAccessibleName(figure.title)
        for what in (CHOICES, DOCUMENT, LATENCY, PICTURE):
            session.listen(what, self._show)
        self._show()

    def _show(self):
        measured, predicted = self.figure.last(self.session), self.figure.predicted(self.session)
        self.setVisible(self.session.measured is not None and not self.session.shows_other)
        if self.session.measured is None:
            self._say("", "")
        elif measured is not None and measured.choices == self.session.choices:
            self._say(measured.words, measured.details)
        elif predicted[0]:
            self._say(*predicted)
        elif measured is None:
            self._say(self.figure.nothing, self.figure.how)
        else:
            self._say_older(measured)

    def _say(self, words, details):
        self.setText(words)
        self._explain(words, details)

    def _say_older(self, measured):
        """Marks an outdated figure not only by colour: it is struck out, and a text says what it belongs to."""
        grey = "#{:02x}{:02x}{:02x}".format(*theme.current().dim)
        self.setText(f'<span style="color:{grey}">Outdated: <s>{measured.figures}</s> ({self.figure.key})</span>')
        words = f"Outdated (settings changed): {measured.figures}. {self.figure.key} to re-measure."
        self._explain(words, f"{words} {measured.details}")

    def _explain(self, words, details):
        self.setAccessibleDescription(words)
        self.setToolTip(details)

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self._show()
