"""Plans as JSON files: written whole or not at all; damaged ones are refused with the reason."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np

from firekeras.atomic import write_text
from firekeras.channels.costs import Costs, LayerCosts
from firekeras.paths import existing_file

FORMAT, VERSION = "firekeras.plan", 2
ALSO_CALLED = "firekeras.plan.planning"  # by one release
WITHOUT_BALANCE = 1  # the version whose plans all ranked by the scores alone
FIELDS = (
    "removed",
    "widths",
    "costs_before",
    "costs_after",
    "criterion",
    "verdicts",
    "sentences",
    "scores",
    "ranks",
    "ranked",
    "notes",
    "balance",
)


def save(plan, path):
    """Writes a plan."""
    write_text(path, json.dumps({"format": FORMAT, "version": VERSION, **_to_dict(plan)}))


def _to_dict(plan):
    def lists(arrays):
        return {name: array.tolist() for name, array in arrays.items()}

    return {
        "removed": lists(plan.removed),
        "widths": plan.widths,
        "costs_before": dataclasses.asdict(plan.costs_before),
        "costs_after": dataclasses.asdict(plan.costs_after),
        "criterion": plan.criterion,
        "verdicts": lists(plan.verdicts),
        "sentences": plan.sentences,
        "scores": {name: [None if math.isnan(s) else s for s in a.tolist()] for name, a in plan.scores.items()},
        "ranks": lists(plan.ranks),
        "ranked": plan.ranked,
        "notes": plan.notes,
        "balance": plan.balance,
    }


def load(path) -> dict:
    """Reads the fields of a plan."""
    existing_file(path)
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a pruning plan, or is damaged: {error}.") from error
    if not isinstance(data, dict) or data.pop("format", None) not in (FORMAT, ALSO_CALLED):
        raise ValueError(f'{path} is not a pruning plan: expected JSON with "format": {FORMAT!r}.')
    version = data.pop("version", None)
    if version not in (WITHOUT_BALANCE, VERSION):
        raise ValueError(f"{path} is a plan of another version; this firekeras reads version {VERSION}.")
    if version == WITHOUT_BALANCE:
        data = {"balance": 0.0, **data}
    missing = [name for name in FIELDS if data.get(name) is None]
    if missing or set(data) - set(FIELDS):
        raise ValueError(f"{path} is not a whole pruning plan: it lacks {missing}, of the fields {FIELDS}.")
    try:
        return _from_dict(data)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is not a whole pruning plan: {error}.") from error


def _from_dict(data):
    def arrays(key, dtype):
        return {name: np.array(values, dtype) for name, values in data[key].items()}

    return {
        **data,
        **{key: arrays(key, "int64") for key in ("removed", "verdicts", "ranks")},
        "scores": arrays("scores", "float64"),
        **{key: _costs(data[key]) for key in ("costs_before", "costs_after")},
    }


def _costs(data):
    by_layer = {name: LayerCosts(**c) for name, c in data["by_layer"].items()}
    return Costs(**{**data, "by_layer": by_layer, "uncounted": tuple(data.get("uncounted", ()))})
