"""What became of a run, from its settings and events alone: finished or still running. No Keras in here."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence

from rich.text import Text

from firekeras.channels.costs import Costs
from firekeras.report import tables
from firekeras.rounds.monitor import worst_accepted
from firekeras.rounds.run_directory import PROFILE, RunDirectory
from firekeras.scores.profile import FireProfile

ENDS = {"stop": "finished", "interrupted": "interrupted", "error": "error"}


@dataclasses.dataclass(frozen=True)
class Round:
    """One finished round, as its event tells it.

    Args:
        number: From 1.
        accepted: Whether the metric stayed within the tolerance; else the round was undone.
        pruning_ratio: Share of the remaining prunable filters that was to go; NaN where not told.
        filters_removed: By this round.
        accuracy_after_cut: The monitored metric right after the cut; NaN where it was none.
        accuracy: The same of the state that was kept.
        conv_macs, macs, params: Of the model this round ended with.
        seconds: How long it took.
        notes: What the plan had to say.
        details: Further figures, such as how well the detector agreed with a measurement.
        widths: For each layer, how many filters it had at the end; empty where not told.
        removed: For each layer that had lost filters by then, which, by their numbers in the first network.
        epochs: How many epochs it trained; None where not told.
    """

    number: int
    accepted: bool
    pruning_ratio: float
    filters_removed: int  # 0 if it only trained the network to the end
    accuracy_after_cut: float
    accuracy: float
    conv_macs: int
    macs: int
    params: int
    seconds: float
    notes: tuple[str, ...]
    details: dict
    widths: dict[str, int]
    removed: dict[str, list[int]]
    epochs: int | None

    @classmethod
    def of(cls, event: Mapping) -> Round:
        """The round that a "round" event tells of."""
        return cls(
            number=int(_told(event, "number")),
            accepted=bool(_told(event, "accepted")),
            pruning_ratio=as_number(event.get("pruning_ratio")),
            filters_removed=int(_told(event, "filters_removed")),
            accuracy_after_cut=as_number(event.get("accuracy_after_cut")),
            accuracy=as_number(_told(event, "accuracy")),
            conv_macs=int(_told(event, "conv_macs")),
            macs=int(_told(event, "macs")),
            params=int(_told(event, "params")),
            seconds=as_number(event.get("seconds")),
            notes=tuple(printable(note) for note in event.get("notes") or ()),
            details=dict(event.get("details") or {}),
            widths=dict(event.get("widths") or {}),
            removed=dict(event.get("removed") or {}),
            epochs=event.get("epochs"),
        )


@dataclasses.dataclass(frozen=True)
class Progress:
    """The round that has begun and not ended.

    Args:
        number: Of the round.
        epoch: The last epoch of fine-tuning that has ended; 0 for none.
        epochs: How many there will be; 0 where not known yet.
        accuracy_after_cut: The monitored metric before fine-tuning; NaN where it was none.
    """

    number: int
    epoch: int = 0
    epochs: int = 0
    accuracy_after_cut: float = math.nan


@dataclasses.dataclass(frozen=True)
class RunReport:
    """A run so far.

    Args:
        model: Its name.
        monitor: The metric that decides.
        tolerance: By how much it may be worse than the baseline: absolute points, a share of the baseline where
            lower is better; NaN if there is no limit.
        baseline: Of the model that the run began with; NaN where it was not a number.
        costs_before: `Costs` of that model.
        widths_before: For each of its layers, how many filters it has.
        state: `"running"`, `"finished"`, `"interrupted"` or `"error"`, by the last event. A run that was
            killed could not write that down: it reads `"running"`.
        reason: Why it is over, in words; empty for others.
        last_event: When the last event was, UTC; empty where there was none.
        rounds: The finished rounds, by number.
        progress: The round that has not ended yet, or None.
        remarks: What there was to say of the run as a whole.
        seconds: How time was spent, by part; empty where not told.

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

    @classmethod
    def of(cls, settings: Mapping, events: Sequence[Mapping]) -> RunReport:
        """The report of a run directory.

        Args:
            settings: What `run.json` holds.
            events: The lines of `events.jsonl`, parsed, in order; of kinds that are not known, none counts.

        Raises:
            ValueError: If something is missing that every run has.
        """
        told = {key: _told(settings, key) for key in ("model", "monitor", "tolerance", "baseline", "costs", "widths")}
        state, reason = _state(events)
        return cls(
            model=printable(told["model"]),
            monitor=printable(told["monitor"] or "metric"),
            tolerance=as_number(_newest(events, "tolerance", told["tolerance"])),
            baseline=as_number(told["baseline"]),
            costs_before=_costs(told["costs"]),
            widths_before=dict(told["widths"]),
            state=state,
            reason=reason,
            last_event=moment(events[-1].get("time", "")) if events else "",
            rounds=_rounds(events),
            progress=_progress(events),
            remarks=_remarks(events),
            seconds=_seconds(events),
        )

    @property
    def accepted(self) -> tuple[Round, ...]:
        """The rounds that stayed within the tolerance."""
        return tuple(one for one in self.rounds if one.accepted)

    @property
    def undone(self) -> tuple[Round, ...]:
        """The rounds that did not."""
        return tuple(one for one in self.rounds if not one.accepted)

    @property
    def accuracy(self) -> float:
        """The monitored metric of the best model: that of the last accepted round, else the first model."""
        return self.accepted[-1].accuracy if self.accepted else self.baseline

    @property
    def costs_after(self) -> Costs:
        """`Costs` of the best model."""
        return _costs(dataclasses.asdict(self.accepted[-1])) if self.accepted else self.costs_before

    @property
    def widths_after(self) -> dict[str, int]:
        """For each layer of the best model, how many filters it has."""
        told = [one.widths for one in self.accepted if one.widths]
        return {**self.widths_before, **(told[-1] if told else {})}

    @property
    def removed(self) -> dict[str, list[int]]:
        """For each layer that has lost filters, which, by their numbers in the first network; empty where not told."""
        return self.accepted[-1].removed if self.accepted else {}

    @property
    def limit(self) -> float:
        """The metric that a round must reach to be accepted."""
        return worst_accepted(self.baseline, self.tolerance, self.monitor)

    @property
    def status(self) -> str:
        """One line: how far the run has come, or why it is over."""
        unsure = " (a run that was killed reads so too)" if self.state == "running" else ""
        return f"{self.status_if_alive}{unsure}"

    @property
    def status_if_alive(self) -> str:
        """The same, for who knows that a run which says so does go on."""
        if self.state == "running":
            return f"running: {self._doing()}; last event {self.last_event or 'none'}"
        return f"{self.state}: {self.reason}" if self.reason else self.state

    def _doing(self):
        if self.progress is None:
            return "planning and cutting"
        epochs = f", epoch {self.progress.epoch} of {self.progress.epochs} done" if self.progress.epochs else ""
        return f"fine-tuning in round {self.progress.number}{epochs}"

    @property
    def tally(self) -> str:
        """One line: how many rounds were kept and undone, and how long they took."""
        seconds = sum(one.seconds for one in self.rounds if math.isfinite(one.seconds))
        took = datetime.timedelta(seconds=round(seconds))
        return f"rounds: {len(self.rounds)}, kept {len(self.accepted)}, undone {len(self.undone)}; took {took}"

    @property
    def notes(self) -> list[str]:
        """What there was to say of the run, then what the rounds had to say."""
        return [*self.remarks, *self._of_rounds()]

    def _of_rounds(self):
        return [f"Round {one.number}: {note}" for one in self.rounds for note in one.notes]

    @property
    def time_spent(self) -> str:
        """One line: how time was spent; empty where not told."""
        return tables.time_line(self.seconds)

    def comparison(self) -> list[tuple[str, str, str, str]]:
        """Rows of what, before, after and change: the metric, conv MACs, MACs and parameters."""
        metric = tables.metric_row(self.monitor, self.baseline, self.accuracy)
        return [metric, *tables.cost_rows(self.costs_before, self.costs_after)]


def show_run(folder, html=None) -> list:
    """What a terminal shows of the run in a folder; writes it as an HTML page too, where that is given a path.

    Raises:
        ValueError: If there is no run in the folder, it is damaged, or the page cannot be written.
    """
    from firekeras.report.html_report import write_html

    directory = RunDirectory.open(folder)
    events = directory.events()
    if html is not None:
        write_html(directory.settings, events, _last_profile(directory), html)
    return run_tables(RunReport.of(directory.settings, events))


def _last_profile(directory) -> FireProfile | None:
    path = directory.path / PROFILE
    return FireProfile.load(path) if path.exists() else None


def run_tables(run: RunReport) -> list:
    """What a terminal shows of a run: its state, each round, and before and after."""
    rounds = [tables.rounds_table(run.rounds, run.costs_before.conv_macs, run.monitor)] if run.rounds else []
    heading = Text("\n".join([f"{run.model}, {run.status}", run.tally, *filter(None, [run.time_spent]), ""]))
    return [heading, *rounds, *map(Text, run.notes), tables.comparison_table(run.comparison())]


def as_number(value) -> float:
    """A number as JSON has it, where null stands for NaN."""
    return math.nan if value is None else float(value)


def moment(time) -> str:
    """A time of ISO 8601 and UTC, as events have it, to the second."""
    return f"{printable(time)[:19].replace('T', ' ')} UTC" if time else ""


def printable(text) -> str:
    """A text on one line without control characters: names come from strangers, and go to terminals."""
    return "".join(one if one.isprintable() else " " for one in str(text))


def _told(given, key):
    if key not in given:
        kind = f"An event {given['event']!r}" if "event" in given else "run.json"
        raise ValueError(f"{kind} lacks {key!r}: the run directory is damaged, or another firekeras wrote it.")
    return given[key]


def _costs(told) -> Costs:
    conv_macs, macs, params = (int(_told(told, key)) for key in ("conv_macs", "macs", "params"))
    uncounted = tuple(map(printable, told.get("uncounted") or ()))
    return Costs(conv_macs, macs, params, by_layer={}, uncounted=uncounted)


def _newest(events, key, otherwise):
    """A setting as the run was begun or last continued with."""
    told = [event[key] for event in events if event.get("event") in ("start", "resume") and key in event]
    return told[-1] if told else otherwise


def _remarks(events):
    told = (printable(event.get("text", "")) for event in events if event.get("event") == "note")
    return tuple(dict.fromkeys(told))


def _seconds(events):
    """By part, of all times that the run came to an end."""
    spent: dict[str, float] = {}
    for event in events:
        if event.get("event") == "stop":
            for part, seconds in (event.get("seconds") or {}).items():
                spent[printable(part)] = spent.get(printable(part), 0.0) + as_number(seconds)
    return spent


def _state(events):
    """The state by the last event, and the reason that it gives."""
    last = events[-1] if events else {}
    state = ENDS.get(last.get("event", ""), "running")
    return state, printable(last.get("reason") or last.get("message") or "")


def _rounds(events):
    """By number; where a resumed run did a round again, what it came to then."""
    told = {one.number: one for one in (Round.of(event) for event in events if event.get("event") == "round")}
    return tuple(told[key] for key in sorted(told))


def _progress(events):
    """The round that was begun since anything ended, or None."""
    progress = None
    for event in events:
        if event.get("event") == "cut":
            progress = Progress(_told(event, "number"), accuracy_after_cut=as_number(event.get("accuracy_after_cut")))
        elif event.get("event") == "epoch":
            begun = progress or Progress(_told(event, "number"))
            progress = dataclasses.replace(begun, epoch=_told(event, "epoch"), epochs=_told(event, "epochs"))
        elif event.get("event") in ("round", "resume", "stop"):
            progress = None
    return progress
