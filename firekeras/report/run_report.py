"""The state of a run, finished or still running, from its settings and events alone. Imports no Keras."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.text import Text

from firekeras.channels.costs import SHOWN, Costs
from firekeras.refusals import printable
from firekeras.report import tables
from firekeras.rounds.figures import RoundFigures
from firekeras.rounds.lines import as_number, needed, read
from firekeras.rounds.monitor import within_tolerance, worst_accepted
from firekeras.rounds.ownership import is_free, owner_of
from firekeras.rounds.run_directory import PROFILE, RunDirectory
from firekeras.rounds.schema import FIT
from firekeras.scores.profile import FireProfile

BROKEN_OFF = "other rounds"
ENDS = {"stop": "finished", "interrupted": "interrupted", "error": "error"}


@dataclasses.dataclass(kw_only=True)
class Round(RoundFigures):
    """A finished round, as recorded in its event.

    Args:
        **figures: As in `RoundFigures`.
        widths: How many filters each layer had at the end; empty if unknown.
        removed: The filters that each layer had lost by then, as indices in the first network.
    """

    widths: dict[str, int] = dataclasses.field(default_factory=dict)
    removed: dict[str, list[int]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, event: Mapping) -> Round:
        """The round that a "round" event describes."""
        return read(cls, event, notes=[printable(note) for note in event.get("notes") or ()])


@dataclasses.dataclass(frozen=True)
class Progress:
    """A round that has begun and has not ended.

    Args:
        number: The number of the round.
        epoch: The last epoch of fine-tuning that has ended; 0 for none.
        epochs: How many epochs there will be; 0 if not known yet.
        accuracy_after_cut: The monitored metric before fine-tuning; NaN if it was not a number.
    """

    number: int
    epoch: int = 0
    epochs: int = 0
    accuracy_after_cut: float = math.nan


@dataclasses.dataclass(frozen=True)
class RunReport:
    """A run so far.

    Args:
        model: The name of the model.
        monitor: The name of the metric that decides.
        tolerance: How much worse than the baseline the metric may be: absolute points, or a share of the baseline if
            lower is better; NaN if there is no limit.
        baseline: The metric of the model that the run began with; NaN if it was not a number.
        costs_before: The `Costs` of that model.
        widths_before: How many filters each of its layers has.
        state: `"running"`, `"finished"`, `"interrupted"` or `"error"`, by the last event; `"killed"` if that says
            running and nobody is at work on it.
        reason: Why the run is over, as a sentence; empty while it is not.
        last_event: The time of the last event, in UTC; empty if there is none.
        rounds: The finished rounds, by number.
        progress: The round that has not ended yet, or None.
        remarks: Notes on the run as a whole.
        seconds: How the run spent its time, by part; empty if unknown.
        judged_on: How many samples the metric is measured on; 0 if unknown.

    Example:
    >>> from firekeras.report.run_report import RunReport
    >>> from firekeras.rounds.run_directory import RunDirectory
    >>> directory = RunDirectory.open("runs/a")
    >>> run = RunReport.of(directory.settings, directory.events())
    >>> run.state, run.costs_after.macs < run.costs_before.macs
    ('finished', True)
    """

    model: str
    monitor: str
    tolerance: float
    baseline: float
    costs_before: Costs
    widths_before: dict[str, int]
    state: str
    reason: str
    last_event: str
    rounds: tuple[Round, ...]
    progress: Progress | None
    remarks: tuple[str, ...] = ()
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    judged_on: int = 0

    @classmethod
    def of(cls, settings: Mapping, events: Sequence[Mapping], *, abandoned: bool = False) -> RunReport:
        """The report of a run directory.

        Args:
            settings: The contents of `run.json`.
            events: The lines of `events.jsonl`, parsed, in order; unknown kinds are ignored.
            abandoned: Whether nobody is at work on it, for certain: `firekeras.rounds.ownership.is_free`. Defaults to
                False.

        Raises:
            ValueError: If something is missing that every run has.
        """
        fields = {
            key: needed(settings, key) for key in ("model", "monitor", "tolerance", "baseline", "costs", "widths")
        }
        state, reason = _state(events)
        state = "killed" if abandoned and state == "running" else state
        return cls(
            model=printable(fields["model"]),
            monitor=printable(fields["monitor"] or "metric"),
            tolerance=as_number(_newest(events, "tolerance", fields["tolerance"])),
            baseline=as_number(fields["baseline"]),
            costs_before=_costs(fields["costs"]),
            widths_before=dict(fields["widths"]),
            state=state,
            reason=reason,
            last_event=moment(events[-1].get("time", "")) if events else "",
            rounds=_rounds(events),
            progress=_progress(events),
            remarks=_remarks(events),
            seconds=_seconds(events),
            judged_on=settings.get("judged_on") or 0,
        )

    @property
    def accepted(self) -> tuple[Round, ...]:
        """The rounds that stayed within the tolerance."""
        return tuple(record for record in self.rounds if record.accepted)

    @property
    def undone(self) -> tuple[Round, ...]:
        """The rounds that were undone."""
        return tuple(record for record in self.rounds if not record.accepted)

    @property
    def accuracy(self) -> float:
        """The monitored metric of the best model: that of the last accepted round, else the first model."""
        return self.accepted[-1].accuracy if self.accepted else self.baseline

    @property
    def costs_after(self) -> Costs:
        """The `Costs` of the best model."""
        return _costs(dataclasses.asdict(self.accepted[-1])) if self.accepted else self.costs_before

    @property
    def widths_after(self) -> dict[str, int]:
        """How many filters each layer of the best model has."""
        widths = [record.widths for record in self.accepted if record.widths]
        return {**self.widths_before, **(widths[-1] if widths else {})}

    @property
    def removed(self) -> dict[str, list[int]]:
        """The filters that each layer has lost, as indices in the first network; empty if unknown."""
        return self.accepted[-1].removed if self.accepted else {}

    @property
    def limit(self) -> float:
        """The worst metric that is still accepted."""
        return worst_accepted(self.baseline, self.tolerance, self.monitor)

    @property
    def within_tolerance(self) -> bool:
        """Whether the best model's metric is at most the tolerance worse than the baseline."""
        return within_tolerance(self.accuracy, self.baseline, self.tolerance, self.monitor)

    @property
    def status(self) -> str:
        """One line: how far the run has come, or why it is over."""
        unsure = " (a run that was killed looks the same)" if self.state == "running" else ""
        return f"{self.status_if_alive}{unsure}"

    @property
    def status_if_alive(self) -> str:
        """Like `status`, for callers that know the process is alive."""
        if self.state in ("running", "killed"):
            return f"{self.state}: {self._doing()}; last event {self.last_event or 'none'}"
        return f"{self.state}: {self.reason}" if self.reason else self.state

    def _doing(self):
        if self.progress is None:
            return "planning and cutting"
        epochs = f", epoch {self.progress.epoch} of {self.progress.epochs} done" if self.progress.epochs else ""
        return f"fine-tuning in round {self.progress.number}{epochs}"

    @property
    def tally(self) -> str:
        """One line: how many rounds were kept and undone, and how long the run took: the sum of its parts, if known."""
        seconds = sum(self.seconds.values()) if self.seconds else sum(map(_lasted, self.rounds))
        took = datetime.timedelta(seconds=round(seconds))
        return f"rounds: {len(self.rounds)}, kept {len(self.accepted)}, undone {len(self.undone)}; took {took}"

    @property
    def notes(self) -> list[str]:
        """The notes on the run, then those on its rounds."""
        return [*self.remarks, *self._of_rounds()]

    def _of_rounds(self):
        return [f"Round {record.number}: {note}" for record in self.rounds for note in record.notes]

    @property
    def time_spent(self) -> str:
        """One line: how the run spent its time; empty if unknown."""
        return tables.time_line(self.seconds)

    def comparison(self) -> list[tuple[str, str, str, str]]:
        """Rows of (title, before, after, change): the metric, conv MACs, MACs and parameters."""
        on = f" on {self.judged_on:,} validation samples" if self.judged_on else ""
        metric = tables.metric_row(f"{self.monitor}{on}", self.baseline, self.accuracy)
        return [metric, *tables.cost_rows(self.costs_before, self.costs_after)]


def show_run(folder: str | Path, html: str | Path | None = None) -> list:
    """The tables and lines that a terminal shows of a run; also writes an HTML page if it is given a path.

    Args:
        folder: The folder of the run.
        html: The path of the page, `NAME.html`. Defaults to None: no page.

    Raises:
        ValueError: If there is no run in the folder, it is damaged, or the page cannot be written.
    """
    from firekeras.report.html_report import write_html

    directory = RunDirectory.open(folder)
    abandoned = is_free(directory.path)  # before its events are read: a run that ends in between is finished
    events = directory.events()
    if html is not None:
        write_html(directory.settings, events, _last_profile(directory), html, abandoned=abandoned)
    report = RunReport.of(directory.settings, events, abandoned=abandoned)
    owner = owner_of(directory.path) if report.state == "running" else None
    return run_tables(report, owner, _continued_by(directory) if report.state == "killed" else "")


def _continued_by(directory) -> str:
    """How a run is continued: on the command line, or in Python if it was begun there; empty if it cannot be."""
    if directory.settings.get("within") == FIT:
        return ""
    if directory.settings.get("source"):
        return f"firekeras compress --resume {directory.path}"
    return f"compress(..., run_dir={str(directory.path)!r}, resume=True)"


def _last_profile(directory) -> FireProfile | None:
    path = directory.file(PROFILE)
    return FireProfile.load(path) if path else None


def run_tables(run: RunReport, owner: str | None = None, continued_by: str = "") -> list:
    """The tables and lines that a terminal shows of a run: its state, each round, and before and after.

    Args:
        run: The run.
        owner: Who is at work on it. Defaults to None: unknown.
        continued_by: What continues it. Defaults to empty: not said.
    """
    status = f"{run.status_if_alive}, in {owner}" if owner else run.status
    status += f". Continue it: {continued_by}" if continued_by else ""
    rounds = [tables.rounds_table(run.rounds, run.costs_before.conv_macs, run.monitor)] if run.rounds else []
    heading = Text("\n".join([f"{run.model}, {status}", run.tally, *filter(None, [run.time_spent]), ""]))
    return [heading, *rounds, *map(Text, run.notes), tables.comparison_table(run.comparison())]


def moment(time) -> str:
    """The time of an event (ISO 8601, UTC), to the second."""
    return f"{printable(time)[:19].replace('T', ' ')} UTC" if time else ""


def _costs(fields) -> Costs:
    uncounted = tuple(map(printable, fields.get("uncounted") or ()))
    known = {cost: fields.get(cost) for cost in SHOWN}  # runs of earlier releases have fewer
    needs = {cost: int(needed(fields, cost)) for cost in ("conv_macs", "macs", "params")}
    return Costs(**{**known, **needs}, by_layer={}, uncounted=uncounted, latency=fields.get("latency"))


def _newest(events, key, otherwise):
    """The value of a setting when the run began or was last continued."""
    values = [event[key] for event in events if event.get("event") in ("start", "resume") and key in event]
    return values[-1] if values else otherwise


def _remarks(events):
    notes = (printable(event.get("text", "")) for event in events if event.get("event") == "note")
    return tuple(dict.fromkeys(notes))


def _seconds(events):
    """The seconds by part, summed over all times that the run came to an end; empty if it never did.

    Of a time that was interrupted only the rounds are on record, as a part of their own.
    """
    spent: dict[str, float] = defaultdict(float)
    rounds = broken_off = 0.0  # of the time in progress; of those that did not come to their end
    for event in events:
        if event.get("event") == "round":
            rounds += _lasted(Round.of(event))
        elif event.get("event") in ("start", "resume"):
            broken_off, rounds = broken_off + rounds, 0.0
        elif event.get("event") == "stop" and event.get("seconds"):
            rounds = 0.0
            for part, seconds in event["seconds"].items():
                spent[printable(part)] += as_number(seconds)
    if spent and broken_off + rounds:
        spent[BROKEN_OFF] = broken_off + rounds
    return dict(spent)


def _lasted(record):
    return record.seconds if math.isfinite(record.seconds) else 0.0


def _state(events):
    """The state by the last event, and the reason that it gives."""
    last = events[-1] if events else {}
    state = ENDS.get(last.get("event", ""), "running")
    return state, printable(last.get("reason") or last.get("message") or "")


def _rounds(events):
    """The rounds by number; if a resumed run repeated a round, the later one counts."""
    rounds = [Round.of(event) for event in events if event.get("event") == "round"]
    by_number = {record.number: record for record in rounds}
    return tuple(by_number[number] for number in sorted(by_number))


def _progress(events):
    """The round that is in progress, or None."""
    progress = None
    for event in events:
        if event.get("event") == "cut":
            progress = Progress(needed(event, "number"), accuracy_after_cut=as_number(event.get("accuracy_after_cut")))
        elif event.get("event") == "epoch":
            begun = progress or Progress(needed(event, "number"))
            progress = dataclasses.replace(begun, epoch=needed(event, "epoch"), epochs=needed(event, "epochs"))
        elif event.get("event") in ("round", "resume", "stop"):
            progress = None
    return progress
