"""One child process at a time: what runs, and what comes after."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore

from inspector.children.commands import quoted
from inspector.children.job import Job, Outcome


class Work(QtCore.QObject):
    """Runs jobs one after another.

    Signals:
        changed: Something began or ended.
        logged: A line for the log.
        said: A line of the child on its standard output, also for the log.
        progressed: How much is done, and the total; 0 of 0 if unknown.
        reported: An event of the child, as a dict.
    """

    changed = QtCore.Signal()
    logged = QtCore.Signal(str)
    said = QtCore.Signal(str)
    progressed = QtCore.Signal(int, int)
    reported = QtCore.Signal(dict)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.job: Job | None = None

    @property
    def doing(self) -> str:
        """A text on the current work; empty if there is none."""
        return self.job.title if self.job else ""

    def start(self, command, title: str, then: Callable[[Outcome], None]):
        """Starts a command.

        Args:
            command: The program and its arguments.
            title: A text on the work.
            then: A function that is called with its `Outcome`, and may start the next job.

        Raises:
            ValueError: If something runs already.
        """
        if self.job is not None:
            raise ValueError(f"{self.doing} is still in progress. Wait for it, or abort it.")
        job = self.job = Job(command, title, self)
        job.reported.connect(self.reported)
        job.said.connect(self.said)
        for line in (job.said, job.complained):
            line.connect(self.logged)
        job.progressed.connect(self.progressed)
        job.ended.connect(lambda outcome: self._ended(job, outcome, then))
        self.logged.emit(f"$ {quoted(job.command)}")
        self.progressed.emit(0, 0)
        job.start()
        self.changed.emit()

    def _ended(self, job, outcome, then):
        self.job = None
        job.deleteLater()
        then(outcome)
        self.changed.emit()

    def abort(self):
        """Ends the running job."""
        if self.job is not None:
            self.job.abort()

    def abort_and_wait(self):
        """Ends the running job, and waits for it."""
        if self.job is not None:
            self.job.abort_and_wait()
