"""A run, read from its folder, in whichever process it runs."""

from __future__ import annotations

import dataclasses
import time

from firekeras.report.run_report import RunReport
from firekeras.rounds.run_directory import EVENTS, RunDirectory, places_outside

CLOSED = ("finished", "interrupted", "error")
MINUTE = 60  # seconds


@dataclasses.dataclass(frozen=True)
class RunView:
    """The state of a run.

    Args:
        directory: Its `RunDirectory`.
        report: Its `RunReport`.
        size: The size of its file of events when it was read.
    """

    directory: RunDirectory
    report: RunReport
    size: int

    @classmethod
    def of(cls, directory: RunDirectory) -> RunView:
        """Reads a run.

        Raises:
            ValueError: If it is damaged.
        """
        size = events_size(directory)
        return cls(directory, RunReport.of(directory.settings, directory.events()), size)

    @property
    def over(self) -> bool:
        """Whether its own records say that it is over."""
        return self.report.state in CLOSED

    @property
    def can_resume(self) -> bool:
        """Whether the command line can resume it."""
        return bool(self.directory.settings.get("source")) and self.report.state != "finished"

    @property
    def places_outside(self) -> dict[str, str]:
        """Where it would write outside of its folder, by option of the command line, if it was moved; else none."""
        return places_outside(self.directory.settings.get("source") or {}, self.directory.path)

    @property
    def lately(self) -> bool:
        """Whether its state is "running", and it has written something within the last minute."""
        file = self.directory.path / EVENTS
        return not self.over and file.exists() and time.time() - file.stat().st_mtime < MINUTE

    def share_done(self) -> tuple[int, int]:
        """The finished epochs of the round in progress, and their number; (0, 0) if unknown."""
        progress = self.report.progress
        return (progress.epoch, progress.epochs) if progress and progress.epochs else (0, 0)


def events_size(directory: RunDirectory) -> int:
    """The size of the file of events, which grows with each event."""
    file = directory.path / EVENTS
    return file.stat().st_size if file.exists() else 0
