"""Choices as a JSON file: the share of filters to remove, caps, locks and limits, and what ranks filters."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from typing import Any

import msgspec

from firekeras.atomic import write_text
from firekeras.plan.goals import checked_target
from firekeras.refusals import suggestion
from firekeras.strict_json import Positive, Share, read
from inspector.state import criteria
from inspector.state.choices import Choices
from inspector.state.goals import Goal

FORMAT = "firekeras.choices"
ADVICE = "Save the choices again."


class _Goal(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    target: dict[str, float | str]
    of_board: bool


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    ratio: Share
    caps: dict[str, Share]
    locked: list[str]
    round_to: Positive
    min_keep: Share
    goal: _Goal | None = None
    criterion: str | None = None


class _Head(msgspec.Struct):
    format: Any = None


def save(choices: Choices, path, criterion: str | None = None):
    """Writes choices, completely or not at all.

    Args:
        choices: The choices.
        path: The file.
        criterion: What ranks filters; `None` if nothing does yet.
    """
    fields = {**dataclasses.asdict(choices), "locked": sorted(choices.locked), "criterion": criterion}
    write_text(path, json.dumps({"format": FORMAT, **fields}, indent=1) + "\n")


def format_of(path) -> Any:
    """What a file says that it holds: `FORMAT` for choices.

    Raises:
        ValueError: If it is not JSON.
    """
    return read(path, _Head, "a file of choices, a plan or a latency table", ADVICE).format


def load(path, layers: Collection[str]) -> tuple[Choices, str | None]:
    """Reads choices for a network, and what ranks its filters; `None` if the file does not say.

    Args:
        path: The file.
        layers: The names of the layers that have filters.

    Raises:
        ValueError: If it is not a file of choices, is damaged, or names other layers or an unknown criterion.
    """
    file = read(path, _File, "a file of choices", ADVICE)
    strange = next((name for name in [*file.caps, *file.locked] if name not in layers), None)
    if strange is not None:
        raise ValueError(f"{path} is of another network: there is no layer {strange!r}.{suggestion(strange, layers)}")
    numbers = min(file.ratio, 0.99), file.caps, frozenset(file.locked), file.round_to, file.min_keep
    return Choices(*numbers, _goal(file.goal, path) if file.goal else None), _criterion(file.criterion, path)


def _criterion(name, path):
    if name not in (None, *criteria.names()):
        raise ValueError(
            f"{path} ranks filters by {name!r}, which is no criterion here: {', '.join(criteria.names())}."
        )
    return name


def _goal(goal, path):
    try:
        return Goal(goal.text, checked_target(goal.target), goal.of_board)
    except ValueError as error:
        raise ValueError(f"{path} is not a file of choices: {error}") from error
