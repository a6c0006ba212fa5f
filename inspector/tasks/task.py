"""The base of all tasks: they emit signals, and know nothing about the window that listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6 import QtCore, QtWidgets

from inspector.children import Outcome
from inspector.state import Message, Session

MODELS = "Keras models (*.keras)"


class Task(QtCore.QObject):
    """Work in several steps on the open document.

    Args:
        session: The `Session`.
        parent: The Qt parent.

    Signals:
        said: A `Message`.
        status: A line for the status bar.
        doing: The current activity, or how it ended, for the panel of runs.
        asked: A dialog to open.
        wished: A command to run, a title for it, and a function to call with its `Outcome`.
        document: A `Document` to show, of the same network: choices are kept.
        path: A path to open.
    """

    said = QtCore.Signal(object)
    status = QtCore.Signal(str)
    doing = QtCore.Signal(str)
    asked = QtCore.Signal(object)
    wished = QtCore.Signal(object, str, object)
    document = QtCore.Signal(object)
    path = QtCore.Signal(object)

    def __init__(self, session: Session, parent: QtCore.QObject | None = None):
        super().__init__(parent)
        self.session = session

    def failed(self, outcome: Outcome, title: str, way_out: str, then: Callable[[], object]) -> bool:
        """Whether something failed or was aborted; if so, reports it."""
        if not outcome.ok:
            self.said.emit(
                Message(
                    outcome.sentence(title),
                    error=not outcome.aborted,
                    way_out=way_out,
                    then=lambda: self.in_words(then),
                )
            )
        return not outcome.ok

    def ask_for_file(self, title: str, suggested: Path, kinds: str, then: Callable[[Path], object]):
        """Opens a dialog for a new file, and passes its path to a function.

        Args:
            title: The title of the dialog.
            suggested: The path that it suggests.
            kinds: The kind of file, with its ending: `"Plans (*.json)"`; several are separated by `";;"`.
            then: The function, which may raise `ValueError`.
        """
        dialog = QtWidgets.QFileDialog(None, title, str(suggested.parent), kinds)
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(_ending(kinds.split(";;")[0]))
        dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix(_ending(kind)))
        dialog.selectFile(suggested.name)
        dialog.fileSelected.connect(lambda path: self.in_words(then, Path(path)))
        self.asked.emit(dialog)

    def check_unchanged(self):
        """Raises `ValueError` if the file of the open model is another than when it was opened."""
        weights = self.session.need_document().weights
        if weights is not None:
            weights.check_unchanged()

    def in_words(self, call: Callable, *arguments):
        """Calls a function that may raise `ValueError`, and reports the error."""
        return in_words(self.said.emit, call, *arguments)


def _ending(kind):
    return kind[kind.index("*.") + 2 :].rstrip(")")


def in_words(say: Callable[[Message], object], call: Callable, *arguments):
    """Calls a function that may raise `ValueError`; reports the error and returns `None`."""
    try:
        return call(*arguments)
    except (ValueError, OSError) as error:
        say(Message(" ".join(_in_words(error).split()), error=True))
    return None


def _in_words(error):
    """The text of an error, without the number that Python puts before those of the system."""
    reason = getattr(error, "strerror", None)
    if not reason:
        return str(error)
    return reason if error.filename is None or str(error.filename) in reason else f"{error.filename}: {reason}"
