"""What all tasks have in common: they speak by signals, and know nothing of the window that listens."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore

from inspector.children import Outcome
from inspector.state import Session


class Task(QtCore.QObject):
    """Work of several steps on what is open.

    Args:
        session: The `Session`.
        parent: What it is destroyed with.

    Signals:
        said: A message: its words, whether it is an error, the label of a way out or `""`, and what that does.
        status: A line for the status bar.
        doing: What goes on, or how it ended, for the panel of runs.
        asked: A dialog to open.
        wished: A command to run, what to call that, and what to call with its `Outcome`.
        document: A `Document` to show, of the same network: choices are kept.
        path: A path to open.
    """

    said = QtCore.Signal(str, bool, str, object)
    status = QtCore.Signal(str)
    doing = QtCore.Signal(str)
    asked = QtCore.Signal(object)
    wished = QtCore.Signal(object, str, object)
    document = QtCore.Signal(object)
    path = QtCore.Signal(object)

    def __init__(self, session: Session, parent: QtCore.QObject | None = None):
        super().__init__(parent)
        self.session = session

    def say(self, words: str, *, error: bool = False, way_out: str = "", then: Callable[[], object] | None = None):
        """Says something, with an optional way out."""
        self.said.emit(words, error, way_out, then)

    def failed(self, outcome: Outcome, title: str, way_out: str, then: Callable[[], object]) -> bool:
        """Whether something did not go well; if so, says how it ended."""
        if not outcome.ok:
            self.say(
                outcome.sentence(title), error=not outcome.aborted, way_out=way_out, then=lambda: self.in_words(then)
            )
        return not outcome.ok

    def in_words(self, call: Callable, *arguments):
        """Calls something that may refuse, and says why it does."""
        return in_words(self.say, call, *arguments)


def in_words(say: Callable, call: Callable, *arguments):
    """Calls something that may refuse; its reason is said as an error, and `None` returned."""
    try:
        return call(*arguments)
    except (ValueError, OSError) as error:
        say(" ".join(str(error).split()), error=True)
    return None
