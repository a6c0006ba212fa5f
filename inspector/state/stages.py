"""The networks of a run: the one that it began with, and those that its kept rounds left."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from firekeras.report.run_report import Round, RunReport
from firekeras.rounds.run_directory import RunDirectory
from firekeras.rounds.schema import model_name
from inspector.state.runs import RunView

MEASURED = "measured-round-{:03}.fire.h5"  # what the inspector measures itself; runs give no file such a name


@dataclasses.dataclass(frozen=True)
class Stage:
    """A network of a run.

    Args:
        number: The number of its round; 0 for the network that the run began with.
        report: The `RunReport` as it was after that round.
        model: Its file, if that is there.
        profile: What was measured of it, if it was.
    """

    number: int
    report: RunReport
    model: Path | None
    profile: Path | None

    @property
    def name(self) -> str:
        """Its name in sentences."""
        return f"round {self.number}" if self.number else "the start"

    @property
    def record(self) -> Round | None:
        """The round that left it."""
        return self.report.accepted[-1] if self.number else None

    @property
    def macs_left(self) -> float:
        """The share of the first network's MACs; NaN if that had none."""
        before = self.report.costs_before.macs
        return self.report.costs_after.macs / before if before else math.nan

    @property
    def words(self) -> str:
        """Its accuracy and size, and whether its FIRE is known."""
        report, record = self.report, self.record
        figures = [f"{report.monitor} {report.accuracy:.4f}", f"{self.macs_left:.1%} of the MACs"]
        if record is not None and math.isfinite(record.accuracy_after_cut):
            figures.insert(1, f"{record.accuracy_after_cut:.4f} before training")
        return f"{self.name.capitalize()}: {', '.join(figures)}, {'FIRE measured' if self.profile else 'not measured'}"


def stages_of(view: RunView) -> list[Stage]:
    """The networks of a run, in order; only those whose widths are on record."""
    report, directory = view.report, view.directory
    files = {event["number"]: event.get("model") for event in directory.rounds()}
    profiles = _profiles(directory)
    numbers = [0, *(record.number for record in report.accepted if record.widths)]
    return [_stage(directory, report, n, files.get(n) if n else model_name(0), profiles.get(n)) for n in numbers]


def _stage(directory, report, number, model, profile):
    until = tuple(record for record in report.rounds if record.number <= number)
    own = directory.file(MEASURED.format(number)) or (directory.file(profile) if profile else None)
    return Stage(number, dataclasses.replace(report, rounds=until), directory.file(model) if model else None, own)


def _profiles(directory: RunDirectory) -> dict[int, str]:
    """The names of the profiles by the network that they are of: a round measures what the kept ones before it left."""
    of: dict[int, str] = {}
    now = 0
    for event in directory.rounds():
        if event.get("profile"):
            of.setdefault(now, event["profile"])
        now = event["number"] if event["accepted"] else now
    return of
