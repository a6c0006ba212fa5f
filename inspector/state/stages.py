"""The networks of a run: the one that it began with, those that its kept rounds left, and those of each epoch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firekeras.report.run_report import Round, RunReport
from firekeras.rounds.schema import model_name
from inspector.state.documents import profiles_by_round
from inspector.state.runs import RunView

CUT = "cut"  # the state that a round kept, if training did not help


@dataclasses.dataclass(frozen=True)
class Stage:
    """A network of a run.

    Args:
        number: The number of its round; 0 for the network that the run began with.
        report: The `RunReport` as it was after that round.
        model: Its file, if that is there.
        profile: What was measured of it, if it was.
        epoch: The epoch of its round in which it was trained, from 1; 0 for what the round left.
        epochs: How many epochs the round had; 0 if unknown.
        logs: The metrics of that epoch, or of the last one; empty if unknown.
    """

    number: int
    report: RunReport
    model: Path | None
    profile: Path | None
    epoch: int = 0
    epochs: int = 0
    logs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> tuple[int, int]:
        """What tells it apart from the others: its round, and its epoch."""
        return self.number, self.epoch

    @property
    def name(self) -> str:
        """Its name in sentences."""
        if self.epoch:
            return f"epoch {self.epoch} of {self.epochs} in round {self.number}"
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
        if self.epoch:
            return f"{self.name.capitalize()}: {', '.join([*self._metrics, f'{self.macs_left:.1%} of the MACs'])}"
        report, record = self.report, self.record
        figures = [f"{report.monitor} {report.accuracy:.4f}{_instead(record)}", f"{self.macs_left:.1%} of the MACs"]
        if record is not None and record.kept != CUT and math.isfinite(record.accuracy_after_cut):
            figures.insert(1, f"{record.accuracy_after_cut:.4f} before training")
        last = f"; its last epoch: {', '.join(self._metrics)}" if self._metrics else ""
        known = "FIRE measured" if self.profile else "FIRE not measured"
        return f"{self.name.capitalize()}: {', '.join(figures)}, {known}{last}"

    @property
    def _metrics(self):
        """The metric that decides and the loss, on validation data if there were any."""
        wanted = dict.fromkeys((self.report.monitor, "loss"))
        names = [next((n for n in (f"val_{name}", name) if _is_number(self.logs.get(n))), "") for name in wanted]
        return [
            f"{name if name.startswith('val_') else f'training {name}'} {self.logs[name]:.4f}" for name in names if name
        ]


def _instead(record):
    """That the state before training was kept, and what training came to; empty if it was not."""
    if record is None or record.kept != CUT:
        return ""
    gave = f"training gave {record.trained:.4f} and" if math.isfinite(record.trained) else "training"
    return f" before training ({gave} was not kept)"


def _is_number(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def stages_of(view: RunView, *, by_epoch: bool = False) -> list[Stage]:
    """The networks of a run, in order; only those whose widths are on record.

    Args:
        view: The run.
        by_epoch: Whether to list each epoch of finished rounds too; of undone ones, if it is known what these cut.
    """
    rounds = _stages_of_rounds(view)
    if not by_epoch:
        return rounds
    epochs, left = _epochs(view), {stage.number: stage for stage in rounds}
    as_cut = {event["number"] for event in view.directory.rounds() if event.get("kept") == CUT}
    stages = [left[0]]
    for record in view.report.rounds:
        trained = [_of_epoch(view.report, record, event) for event in epochs.get(record.number, [])]
        own = [stage for stage in trained if stage is not None]
        end = left.get(record.number)
        if own and end is not None and record.number not in as_cut:  # the last epoch is what the round left
            end = dataclasses.replace(end, epochs=own[-1].epochs, logs=own.pop().logs)
        stages += [*own, *([end] if end is not None else [])]
    return stages


def _epochs(view) -> dict[int, list[dict]]:
    """The events of epochs, by round, each once: a round that was broken off begins with its first epoch again."""
    of: dict[int, dict[int, dict]] = {}
    for event in view.directory.events():
        if event["event"] == "epoch":
            of.setdefault(event["number"], {})[event["epoch"]] = event
    return {number: [by_epoch[epoch] for epoch in sorted(by_epoch)] for number, by_epoch in of.items()}


def _of_epoch(report, record, event) -> Stage | None:
    """The network of an epoch, cut as its round began; None if its widths are unknown."""
    recorded = {"widths": event.get("widths"), "removed": event.get("removed")}
    if None in recorded.values():
        recorded = {"widths": record.widths, "removed": record.removed} if record.accepted else {}
    if not recorded.get("widths"):
        return None
    until = tuple(other for other in report.rounds if other.number < record.number)
    cut = dataclasses.replace(report, rounds=(*until, dataclasses.replace(record, accepted=True, **recorded)))
    return Stage(record.number, cut, None, None, event["epoch"], event["epochs"], event.get("logs") or {})


def _stages_of_rounds(view) -> list[Stage]:
    report, directory = view.report, view.directory
    files = {event["number"]: event.get("model") for event in directory.rounds()}
    profiles = profiles_by_round(directory)
    numbers = [0, *(record.number for record in report.accepted if record.widths)]
    return [_stage(directory, report, n, files.get(n) if n else model_name(0), profiles.get(n)) for n in numbers]


def _stage(directory, report, number, model, profile):
    until = tuple(record for record in report.rounds if record.number <= number)
    return Stage(number, dataclasses.replace(report, rounds=until), directory.file(model) if model else None, profile)
