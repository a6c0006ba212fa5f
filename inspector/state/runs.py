"""A run, read from its folder, in whichever process it runs."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import time

from firekeras.plan.goals import described
from firekeras.report.run_report import RunReport
from firekeras.report.tables import came_to, duration
from firekeras.rounds.ownership import is_free
from firekeras.rounds.run_directory import EVENTS, RunDirectory, places_outside
from firekeras.rounds.schema import FIT, ON_REQUEST

CLOSED = ("finished", "interrupted", "error", "killed")
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
        abandoned = is_free(directory.path)  # before its events are read: a run that ends in between is finished
        size = events_size(directory)
        return cls(directory, RunReport.of(directory.settings, directory.events(), abandoned=abandoned), size)

    @property
    def over(self) -> bool:
        """Whether its own records say that it is over, or nobody is at work on it any more."""
        return self.report.state in CLOSED

    @property
    def can_resume(self) -> bool:
        """Whether the command line can resume it."""
        return bool(self.directory.settings.get("source")) and not self.finished

    @property
    def of_fit(self) -> bool:
        """Whether the callback of `fit` recorded it."""
        return self.directory.settings.get("within") == FIT

    @property
    def finished(self) -> bool:
        """Whether it came to its own end, and was not only asked to stop."""
        return self.report.state == "finished" and not self.stopped

    @property
    def used_up(self) -> bool:
        """Whether its rounds took all epochs that it had: resumed, it would end at once."""
        given = [event.get("epochs") for event in self.directory.events() if event["event"] in ("start", "resume")]
        total = next((epochs for epochs in reversed(given) if epochs), math.inf)
        return sum(record.epochs or 0 for record in self.report.rounds) >= total

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self.report.reason.startswith(ON_REQUEST)

    @property
    def places_outside(self) -> dict[str, str]:
        """Where it would write outside of its folder, by option of the command line, if it was moved; else none."""
        return places_outside(self.directory.settings.get("source") or {}, self.directory.path)

    @property
    def lately(self) -> bool:
        """Whether its state is "running", and it has written something within the last minute."""
        file = self.directory.path / EVENTS
        return not self.over and file.exists() and time.time() - file.stat().st_mtime < MINUTE

    def status(self, *, alive: bool) -> str:
        """What the run does now, or why it is over.

        Args:
            alive: Whether it is known to be running.
        """
        report = self.report
        last = f"Last event: {_local(report.last_event) or 'none'}"
        if report.state == "killed":
            return f"killed: {self._doing()}. {self._so_far} {last}."
        if report.state != "running":
            ending = f"{report.state}: {self.reason}" if report.reason else report.state
            return f"{ending}. {self.beyond}" if self.beyond else ending
        if alive:
            return f"{self._doing()}. {self._so_far}".strip()
        return f"{self._doing()}. {self._so_far} {last}; a run that was killed looks the same."

    def _doing(self):
        progress = self.report.progress
        if progress is None:
            return f"Round {len(self.report.rounds) + 1}: choosing filters"
        epochs = f", epoch {progress.epoch} of {progress.epochs} done" if progress.epochs else ""
        return f"Round {progress.number}: fine-tuning{epochs}"

    @property
    def _so_far(self):
        """What the kept rounds left, beside the target if there is one; empty if nothing is known."""
        before, after = self.report.costs_before.macs, self.report.costs_after.macs
        left = f"{after / before:.1%} of the MACs left so far" if before else ""
        return f"{left}{self._goal}." if left else ""

    @property
    def _goal(self):
        target = self.directory.settings.get("target")
        with contextlib.suppress(ValueError, AttributeError, KeyError):  # a stranger's file may say anything
            return f"; the target is {described(target)}" if target else ""
        return ""

    @property
    def reason(self) -> str:
        """Why the run is over, without its final stop."""
        return self.report.reason.removesuffix(".")

    @property
    def tally(self) -> str:
        """How many rounds there were and were kept, and how long the run took: the sum of its parts, if known."""
        report = self.report
        number, kept = len(report.rounds), len(report.accepted)
        seconds = sum(report.seconds.values()) or sum(s for each in report.rounds if math.isfinite(s := each.seconds))
        rounds = "1 round" if number == 1 else f"{number} rounds"
        how_many = "kept" if number == kept == 1 else "all kept" if number == kept else f"{kept} kept"
        return f"{rounds}, {how_many}, {duration(seconds)}" if number else "no round yet"

    @property
    def ending(self) -> str:
        """Why the run is over, and what it came to, as sentences."""
        before, after = self.report.costs_before.macs, self.report.costs_after.macs
        left = f"{after / before:.1%} of the MACs left, " if before else ""
        return " ".join(filter(None, [f"{self.reason or self.report.state}. {left}{self.tally}.", self.beyond]))

    @property
    def beyond(self) -> str:
        """A sentence if what was kept is worse than the tolerance allows, as on the way to a target; else empty."""
        report = self.report
        if report.within_tolerance or not report.accepted or not math.isfinite(report.tolerance):
            return ""
        return came_to(report)

    def share_done(self) -> tuple[int, int]:
        """The finished epochs of the round in progress, and their number; (0, 0) if unknown."""
        progress = self.report.progress
        return (progress.epoch, progress.epochs) if progress and progress.epochs else (0, 0)


def _local(moment):
    """A time as `RunReport.last_event` gives it, in UTC, on this machine's clock."""
    with contextlib.suppress(ValueError):  # a stranger's file may say anything
        utc = datetime.datetime.strptime(moment, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=datetime.UTC)
        return f"{utc.astimezone():%Y-%m-%d %H:%M:%S}"
    return moment


def events_size(directory: RunDirectory) -> int:
    """The size of the file of events, which grows with each event."""
    file = directory.path / EVENTS
    return file.stat().st_size if file.exists() else 0
