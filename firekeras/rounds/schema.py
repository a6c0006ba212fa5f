"""What the files of a run hold: the fields of `run.json`, and of each kind of line in `events.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypedDict

from firekeras.strict_json import Count, Positive, convert, parse

if TYPE_CHECKING:
    from firekeras.channels.costs import Costs

FORMAT = 2
ON_REQUEST = "Stopped on request"  # how the reason of a run begins that was asked to stop
FIT = "fit"  # `RunFile`'s `within` for a run that the callback of `fit` records
Number = float | None  # null stands for NaN and infinity
LOST = "Restore the file from a copy, or begin a new run with the newest model."


class CostFields(TypedDict, total=False):
    """The costs of a network."""

    conv_macs: Required[Count]
    macs: Required[Count]
    params: Required[Count]
    ram: Count | None
    flash: Count | None
    latency: Number
    uncounted: list[str]


def cost_fields(costs: Costs) -> dict[str, Any]:
    """The costs of a network as they are written: `CostFields`."""
    return {**costs.totals, "latency": costs.latency, "uncounted": [*costs.uncounted]}


class RunFile(TypedDict, total=False):
    """`run.json`."""

    format: Required[int]
    created: str
    versions: dict[str, str]
    backend: str
    model: Required[str]
    method: dict[str, Any]
    settings: dict[str, Any]
    monitor: Required[str | None]
    tolerance: Required[Number]
    target: dict[str, float | str] | None
    max_rounds: Count
    epochs: Count | None
    baseline: Required[Number]
    costs: Required[CostFields]
    widths: Required[dict[str, Count]]
    source: dict[str, Any] | None
    data: dict[str, str]
    judged_on: Count | None
    weights: str
    within: str


class Event(TypedDict, total=False):
    """Any line."""

    event: Required[str]
    time: str


class Started(Event, total=False):
    """The run begins, or is continued."""

    baseline: Number
    monitor: str | None
    tolerance: Number
    costs: CostFields
    target: dict[str, float | str] | None
    max_rounds: Count
    epochs: Count | None


class Changed(TypedDict, total=False):
    """The settings that a finished run may be continued with."""

    target: dict[str, float | str] | None
    tolerance: Number
    epochs: Count | None
    learning_rate: Number
    schedule: str
    distill: bool | None


class Resumed(Started, total=False):
    """The run is continued."""

    after_round: Count
    leg: bool
    changed: Changed


class Cut(Event, total=False):
    """A network is cut."""

    number: Required[Positive]
    filters_removed: Count
    accuracy_after_cut: Number
    conv_macs: Count
    macs: Count
    params: Count
    ram: Count | None
    flash: Count | None


class Epoch(Event, total=False):
    """An epoch has ended."""

    number: Required[Positive]
    epoch: Required[Count]
    epochs: Required[Count]
    logs: dict[str, Any]
    widths: dict[str, Count]
    removed: dict[str, list[Count]]


class Finished(Event, total=False):
    """A round has ended."""

    number: Required[Positive]
    accepted: Required[bool]
    criterion: str
    filters_removed: Required[Count]
    accuracy_after_cut: Number
    accuracy: Required[Number]
    accuracy_trained: Number
    baseline: Number
    conv_macs: Required[Count]
    macs: Required[Count]
    params: Required[Count]
    ram: Count | None
    flash: Count | None
    latency: Number
    seconds: Number
    notes: list[str]
    pruning_ratio: Number
    details: dict[str, Any]
    epochs: Count | None
    kept: str
    widths: dict[str, Count]
    removed: dict[str, list[Count]]
    state: dict[str, Any]
    model: str | None
    profile: str | None
    weights: str | None


class Note(Event, total=False):
    """A note on the run as a whole."""

    text: str


class Ended(Event, total=False):
    """The run is over, or was broken off."""

    reason: str
    message: str
    seconds: dict[str, Number] | None


KINDS: dict[str, type] = {
    "start": Started,
    "resume": Resumed,
    "cut": Cut,
    "epoch": Epoch,
    "round": Finished,
    "note": Note,
    "stop": Ended,
    "interrupted": Ended,
    "error": Ended,
}


def model_name(number: int) -> str:
    """The name of the model of a round; 0 is the model that the run began with."""
    return f"round-{number:03d}.keras"


def beside_name(number: int) -> str:
    """The name of FIRE of the model of a round, measured after the round and kept beside the model."""
    return f"round-{number:03d}.fire.h5"


def profile_name(number: int) -> str:
    """The name of what a round measured."""
    return f"profile-{number:03d}.fire.h5"


def settings_of(text: bytes, path: Path) -> dict:
    """The contents of `run.json`.

    Args:
        text: The text.
        path: Where it stands, for errors.

    Raises:
        ValueError: If it is damaged, or of another format.
    """
    where, what = str(path), "the settings of a run"
    settings = parse(text, dict[str, Any], where, what, LOST)
    if settings.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of format {settings.get('format')!r}; this firekeras reads runs of format {FORMAT}. "
            f"{_with_another(settings.get('versions'))}"
        )
    convert(settings, RunFile, where, what, LOST)
    return settings


def _with_another(versions):
    wrote = versions.get("firekeras") if isinstance(versions, Mapping) else None
    if isinstance(wrote, str):
        return f"firekeras {wrote[:20]} wrote it: read it with that version, or begin a new run."
    return "Read it with the version that wrote it, or begin a new run."


def event_of(line: bytes, path: Path, number: int) -> dict:
    """A line of `events.jsonl`. Kinds of lines that later versions add are kept as they are.

    Args:
        line: The line.
        path: The file, for errors.
        number: The number of the line, from 1, for errors.

    Raises:
        ValueError: If it is not an event of a run, or names files that are not those of its round.
    """
    where, what = f"{path}, line {number},", "an event of a run"
    event = parse(line, dict[str, Any], where, what, LOST)
    convert(event, Event, where, what, LOST)
    convert(event, KINDS.get(event["event"], Event), where, what, LOST)
    if event["event"] == "round":
        _check_files(event, where)
    return event


def _check_files(event, where):
    for field, name in (("model", model_name), ("profile", profile_name)):
        if event.get(field) not in (None, name(event["number"])):
            raise ValueError(
                f"{where} names the {field} {event[field]!r}. Expected {name(event['number'])!r}, the file of its "
                f"round. {LOST}"
            )
