"""Targets as people write them: a share of a cost, or an amount of it; one, or several at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from firekeras.channels.costs import COSTS, UNTIMED
from firekeras.refusals import is_number, percent_hint, quotes_hint, suggestion

PREFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
TIME = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(s|ms|us|µs)\s*")
AMOUNT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([kKMG]i?)?\s*([Bb](?:ytes)?)?\s*")
ALSO_CALLED = {"flops": "macs"}
PERCENT = 100  # up to here a number above 1 is meant in percent
WITH_UNIT = re.compile(r"\s*[0-9]*\.?[0-9]+\s*([^\W\d].*?)\s*")
UNITS = {  # of an amount, by the unit of the cost, with an example
    "s": ("s, ms or us", "2 ms"),
    "B": ("B, kB, MB, KiB or MiB", "256 kB"),
    "": ("k, M or G", "1.5 M"),
}
TIMES = {"litert_latency": "latency in LiteRT"}  # measured, never counted

Value = float | str


def amount_of(value: Any, unit: str = "B") -> float | None:
    """The amount that a value stands for: 256000 of 256_000 and of "256 kB"; None if it is a share, or neither.

    Args:
        value: A number, or text; of seconds only text with a unit, such as "2 ms".
        unit: The unit of the cost; text may have it only if the cost does.
    """
    if unit == "s":
        match = TIME.fullmatch(value) if isinstance(value, str) else None
        return float(match[1]) * SECONDS[match[2]] if match else None
    if isinstance(value, str):
        match = AMOUNT.fullmatch(value)
        if match is None or (match[3] and not unit):
            return None
        number, times = float(match[1]), PREFIXES[match[2] or ""]
        return number * times if match[2] or match[3] or number > PERCENT else None
    return float(value) if is_number(value) and value > PERCENT else None


def is_amount(value: Any, unit: str) -> bool:
    """Whether a value stands for an amount above 0."""
    return 0 < (amount_of(value, unit) or 0) < math.inf


def is_share(value: Any) -> bool:
    """Whether a value is a share above 0, up to 1."""
    return is_number(value) and 0 < value <= 1


def checked_target(target: Any, known: Sequence[str] = tuple(COSTS)) -> dict[str, Value]:
    """A target `{measure: share or amount}`, of one or several measures.

    Args:
        target: What a user gave.
        known: The measures that there are. Defaults to the costs.

    Returns:
        The same.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(target, Mapping) or not target:
        raise _refused(target, "", None, known)
    return {measure: _checked(target, measure, value, known) for measure, value in target.items()}


def check_table(target: Mapping[str, Value], table: object) -> None:
    """Raises `ValueError` if a target in latency lacks the table that says how long layers take."""
    if "latency" in target and table is None:
        raise ValueError(f"The latency is unknown: {UNTIMED}")


def goals_of(target: Mapping[str, Value], before: Mapping[str, float]) -> dict[str, float]:
    """The amounts that may be left.

    Args:
        target: From `checked_target`.
        before: The amount of each measure that is there now.
    """
    return {measure: _goal(measure, value, before[measure]) for measure, value in target.items()}


def _goal(measure, value, before):
    if not before:
        raise ValueError(
            f"There are no {title_of(measure)} to save in this network: {measure} is 0. Choose another target, such as "
            "{'macs': 0.5}."
        )
    amount = amount_of(value, unit_of(measure))
    return float(value) * before if amount is None else amount


def unit_of(measure: str) -> str:
    """The unit of a measure."""
    return "s" if measure in TIMES else COSTS[measure].unit if measure in COSTS else ""


def _checked(target, measure, value, known):
    if measure in known and (is_share(value) or is_amount(value, unit_of(measure))):
        return value
    raise _refused(target, measure, value, known)


def _refused(target, measure, value, known):
    named = measure in known and amount_of(value, unit_of(measure)) is None
    unit = _strange_unit(measure, value) if named else None
    if unit:
        return ValueError(f"{unit} Received: {target!r}.")
    return ValueError(
        f"target must be one of {tuple(known)}, or several, each with an amount, such as {{'ram': '256 kB'}}, or with "
        f"a share above 0, up to 1, such as {{'macs': 0.5}}. Received: {target!r}."
        f"{_meant(measure, value, known)}"
    )


def _meant(measure, value, known):
    """What was probably meant by a target that is refused; nothing if that cannot be guessed."""
    return percent_hint(value) or quotes_hint(value) if measure in known else meant_cost(measure, known)


def meant_cost(name: Any, known: Sequence[str] = tuple(COSTS)) -> str:
    """A sentence with the cost that a name probably means, and a space before it; empty if that cannot be guessed."""
    return suggestion(ALSO_CALLED.get(name.lower(), name), known) if isinstance(name, str) else ""


def _strange_unit(measure, value):
    """A sentence for an amount in a unit that the measure does not have; None if that is not what is wrong."""
    match = WITH_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    units, example = UNITS[unit_of(measure)]
    return f"{match[1]!r} is no unit of {measure}: expected {units}, such as '{example}', or a share up to 1."


def title_of(measure: str) -> str:
    """The name of a measure for people: `"int8 RAM"`."""
    return COSTS[measure].title if measure in COSTS else TIMES[measure]


def described(target: Mapping[str, Value]) -> str:
    """A target for people.

    Example:
    >>> from firekeras.plan.goals import described
    >>> described({"ram": "256 kB", "macs": 0.5})
    '256 kB of int8 RAM and 50% of the MACs'
    """
    return " and ".join(f"{_left(measure, value)} {title_of(measure)}" for measure, value in target.items())


def _left(measure, value):
    if is_share(value):
        return f"{100 * value:.4g}% of the"
    return f"{value if isinstance(value, str) else in_words(measure, value)} of"


def in_words(measure: str, amount: float) -> str:
    """An amount of a measure for people: `"31,232 B"`."""
    unit = unit_of(measure)
    return f"{1e3 * amount:.4g} ms" if unit == "s" else f"{amount:,.0f} {unit}".rstrip()
