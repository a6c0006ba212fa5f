"""Exports: a model as a file to deploy, and the folder in which a file lies."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtGui

from firekeras.atomic import check_can_write
from firekeras.report.tables import short_number
from inspector.children import ExportOptions, export_arguments, firekeras_command
from inspector.dialogs import ExportDialog
from inspector.models import Preferences
from inspector.state import Message, Session
from inspector.tasks.task import Task


class Exporting(Task):
    """Asks for a format, and exports.

    Args:
        session: The `Session`.
        preferences: The `Preferences`, which hold the data that were used last.
        open_page: A function that opens a `QUrl` on the desktop.
        parent: The Qt parent.
    """

    def __init__(self, session: Session, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._preferences = preferences
        self.open_page = QtGui.QDesktopServices.openUrl

    def ask(self, model: Path):
        """Opens the dialog for a model."""
        session = self.session
        cut = session.measured is not None and not session.of_run and bool(session.measured.preview.num_gone)
        last = self._preferences.data_of(session.need_model())
        dialog = ExportDialog(model, last, session.input_shape, cut=cut)
        dialog.chosen.connect(lambda options: self.in_words(self.start, model, options))
        self.asked.emit(dialog)

    def start(self, model: Path, options: ExportOptions):
        """Exports a model; the file is run and compared with Keras before it is kept."""
        check_can_write(options.output)
        first, command = self.session.need_model(), firekeras_command(export_arguments(model, options))
        over = lambda outcome: self._exported(outcome, model, first, options)  # noqa: E731
        self.wished.emit(command, f"Exporting {model.name}", over)

    def _exported(self, outcome, model, first, options):
        output = options.output
        if not self.failed(outcome, f"Exporting {model.name}", "&Export again…", lambda: self.ask(model)):
            if options.data.source:
                self._preferences.set_data_of(first, options.data)
            self.said.emit(
                Message(
                    f"Exported, run, and compared with Keras: {output}{_size(output)}.",
                    way_out="Show in &folder",
                    then=lambda: self.show_in_folder(output),
                )
            )

    def show_in_folder(self, file: Path):
        """Opens the folder of a file on the desktop."""
        folder = file.resolve().parent
        if not self.open_page(QtCore.QUrl.fromLocalFile(str(folder))):
            raise ValueError(f"No program shows folders here. The file is {file.name} in {folder}.")


def _size(path):
    return f", {short_number(path.stat().st_size, 'B')}" if path.is_file() else ""
