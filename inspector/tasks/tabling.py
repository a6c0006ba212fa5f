"""Latency tables: measured on this computer, or opened, so that a goal can be a time."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore

from inspector.children import firekeras_command, table_arguments
from inspector.state import DOCUMENT, DeviceTable, Message, Session, beside_table
from inspector.tasks.task import Task
from inspector.tasks.timing import litert_is_here

TAKES_LONG = "Each layer is timed at several widths: this takes a minute, or many for large networks. Ctrl+. ends it."


class Tabling(Task):
    """Measures the latency table of the open model, and opens those of other devices.

    Args:
        session: The `Session`.
        parent: The Qt parent.

    Signals:
        rounding: A number that widths should be a multiple of.
    """

    rounding = QtCore.Signal(int)

    def __init__(self, session: Session, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        session.listen(DOCUMENT, self._read_beside)

    def measure(self):
        """Measures a table on this computer, in LiteRT if it is installed, and puts it beside the model."""
        self._measure(self.session.need_model(), litert_is_here())

    def _measure(self, model, in_litert):
        def over(outcome):
            if in_litert and not (outcome.ok or outcome.aborted):
                self._measure(model, False)  # not all that Keras computes can be exported
            else:
                self._is_measured(outcome, model)

        where = "LiteRT" if in_litert else "Keras"
        command = firekeras_command(table_arguments(model, beside_table(model), in_litert))
        self.wished.emit(command, f"Measuring the latency of each layer of {model.name} in {where}", over)
        self.said.emit(Message(TAKES_LONG))

    def _is_measured(self, outcome, model):
        title = f"Measuring the latency of each layer of {model.name}"
        failed = self.failed(outcome, title, "&Measure it again", self.measure)
        if not failed and self.session.need_document().model == model:
            self.in_words(self.open, beside_table(model))

    def open(self, path: Path):
        """Opens a table.

        Raises:
            ValueError: If it is none, or is of another network.
        """
        table = DeviceTable.read(path)
        self.session.use_table(table)
        self.said.emit(
            Message(
                f"{path.name} is the latency table of {table.device}. A goal can be a time now, such as “2 ms” or “60% "
                f"of latency”.{self._on_steps(table.table.step)}",
                way_out=f"&Round to {table.table.step}" if table.table.step > 1 else "",
                then=lambda: self.rounding.emit(table.table.step),
            )
        )

    @staticmethod
    def _on_steps(step):
        """A sentence on widths that a device computes as fast as wider ones; empty if there are none."""
        at_a_time = f" It computes {step} filters at a time, so it gains most if filter counts are multiples of {step}."
        return at_a_time if step > 1 else ""

    def _read_beside(self):
        """Opens the table beside the open model, if there is one, without a word."""
        session = self.session
        model = session.document.model if session.document else None
        if model is None or session.opened is None or session.table is not None:
            return
        if beside_table(model).exists():
            self.in_words(lambda: session.use_table(DeviceTable.read(beside_table(model))))
