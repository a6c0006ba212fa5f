"""Files of Keras 2: converted to a `.keras` file beside them, which is opened."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore

from firekeras.atomic import check_can_write
from inspector.children import Work, convert_arguments, firekeras_command
from inspector.state import Message, Session
from inspector.tasks.task import MODELS, Task

ANNOUNCED = "Written: "  # a line that says nothing about the model


class Converting(Task):
    """Offers to convert a file of Keras 2, and opens the result.

    Args:
        session: The `Session`.
        work: The `Work`, whose child says what it left out, and whether outputs agree.
        parent: The Qt parent.
    """

    def __init__(self, session: Session, work: Work, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._lines: list[str] = []
        work.said.connect(self._heard)

    def offer(self, old: Path):
        """Says that a file has to be converted, with a button for it."""
        kind = "an HDF5 file" if old.is_file() else "a SavedModel"
        self.said.emit(
            Message(
                f"{old.name} is {kind}, as Keras 2 wrote models. Convert it to a .keras file to open it; {old.name} is "
                "left as it is.",
                way_out="&Convert…",
                then=lambda: self.ask(old),
            )
        )

    def ask(self, old: Path):
        """Asks for the path of the `.keras` file."""
        new = old.with_name(f"{old.stem if old.is_file() else old.name}.keras")
        self.ask_for_file(f"Convert {old.name} to", new, MODELS, lambda path: self.convert(old, path))

    def convert(self, old: Path, new: Path):
        """Converts a file without running any code of it, and compares outputs if tf_keras is installed."""
        check_can_write(new)
        self._lines = []
        command = firekeras_command(convert_arguments(old, new))
        self.wished.emit(command, f"Converting {old.name}", lambda outcome: self._converted(outcome, old, new))

    def _heard(self, line):
        if not line.startswith(ANNOUNCED):
            self._lines.append(line)

    def _converted(self, outcome, old, new):
        if self.failed(outcome, f"Converting {old.name}", "&Convert again…", lambda: self.ask(old)):
            return
        self.path.emit(new)
        self.said.emit(Message(" ".join([f"Converted: {new}.", *self._lines])))
