"""Goals of a cut, as people type them: "50% of MACs", "256 kB of RAM and 512 kB of flash", or a board."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping

from firekeras.channels.costs import COSTS, Costs
from firekeras.export.boards import Board
from firekeras.plan.goals import ALSO_CALLED, UNITS, Value, is_amount, is_share, unit_of
from firekeras.refusals import SIMILAR, nearest

THIS_BOARD = "this board"
EXPECTED = "“50% of MACs”, “256 kB of RAM”, “512 kB of flash”, “2 ms”, several of them, or a board"
PART = re.compile(
    r"(?P<percent>[\d.]+)\s*%\s*(?P<share>.+)"
    r"|(?P<time>[\d.]+\s*(?:s|ms|us|µs))(?:\s+(?P<timed>.+))?"
    r"|(?P<amount>[\d.]+\s*(?:[kKMG]i?)?(?:[bB]|bytes)?)\s+(?P<cost>.+)"
)
COMMA = re.compile(r"\d,\d")
NUMBER_ALONE = re.compile(r"[\d.]+\s*(%|[kKMG]?i?[bB])?")
BETWEEN = re.compile(r"\s+and\s+|\s*[,;]\s+")
FILLERS = re.compile(r"^(of\s+)?(the\s+)?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a cut is to leave.

    Args:
        text: As it was typed or picked.
        target: As `plan_pruning` takes it: a share or an amount of each measure.
        of_board: Whether it is the RAM and flash of a board.
    """

    text: str
    target: Mapping[str, Value]
    of_board: bool = False


def goal_of(text: str, boards: Iterable[Board] = (), chosen: Board | None = None) -> Goal:
    """The goal that a text stands for.

    Args:
        text: What a person typed.
        boards: The boards that can be named.
        chosen: The board that is chosen: `"this board"`.

    Raises:
        ValueError: If it is none.
    """
    text = text.strip()
    board = _board_named(text, boards, chosen)
    if board is not None:
        return Goal(board.title, {"ram": board.ram, "flash": board.flash}, of_board=True)
    return Goal(text, dict(_part(part, text) for part in BETWEEN.split(text)))


def _board_named(text, boards, chosen):
    if text.lower() == THIS_BOARD:
        if chosen is None:
            raise ValueError("No board is chosen. Choose one beside the goal, or type its name.")
        return chosen
    return next((board for board in boards if text.lower() in (board.name.lower(), board.title.lower())), None)


def _part(part, text):
    """One measure and what is to be left of it."""
    match = PART.fullmatch(part.strip())
    measure = match and NAMES.get(_named(match))
    value = _value(match, measure) if match and measure else None
    if value is None:
        raise ValueError(f"{_why(part.strip(), match, measure)}Expected {EXPECTED}. Received: “{text}”.")
    return measure, value


def _why(part, match, measure):
    """What is wrong with a part of a goal, as a sentence with a space after it; empty if that cannot be guessed."""
    if COMMA.search(part):
        return "Decimals are written with a point, and thousands without a comma. "
    if NUMBER_ALONE.fullmatch(part):
        return f"{part} of what? "
    if not match:
        return ""
    if not measure:
        meant = nearest(ALSO_CALLED.get(_named(match), _named(match)), NAMES, SIMILAR)
        return f"Did you mean {COSTS[NAMES[meant]].title}? " if meant else ""
    if match["percent"]:
        return "A share is above 0%, up to 100%. "
    units, example = UNITS[unit_of(measure)]
    return f"An amount is above 0, with {units}: “{example}”. "


def _named(match):
    """What is measured, in small letters; a time is that of a pass."""
    return FILLERS.sub("", match["share"] or match["cost"] or match["timed"] or "latency").strip().lower()


def _value(match, measure):
    """A share, or an amount as it was typed; None if it is neither."""
    try:
        share = float(match["percent"]) / 100 if match["percent"] else float(match["time"] or match["amount"])
    except ValueError:  # it has a unit
        share = None
    if is_share(share):
        return share
    typed = match["time"] or match["amount"]
    return typed.strip() if typed and is_amount(typed, unit_of(measure)) else None


def _names():
    """What people call each measure, in small letters."""
    titles = {cost.title.lower(): measure for measure, cost in COSTS.items()}
    return {**titles, **{measure.replace("_", " "): measure for measure in COSTS}}


NAMES = _names()


def proposals(costs: Costs, board: Board | None) -> list[str]:
    """Goals that mean something for a network of these costs.

    Args:
        costs: Its `Costs`.
        board: The board that is chosen, or `None`.
    """
    shares = ["75% of MACs", "50% of MACs", "25% of MACs", "50% of parameters"]
    amounts = [f"{size} of {title}" for title, size in (("RAM", _below(costs.ram)), ("flash", _below(costs.flash)))
               if size]  # fmt: skip
    both = [" and ".join(amounts)] if len(amounts) > 1 else []
    times = ["50% of latency", f"{_half(1e3 * costs.latency):g} ms"] if costs.latency else []
    return [*shares, *times, *amounts, *both, *([THIS_BOARD] if board else [])]


def _half(amount):
    """About half of an amount, in one digit, rounded up."""
    power = 10.0 ** math.floor(math.log10(amount / 2))
    return math.ceil(amount / 2 / power) * power


def _below(amount):
    """The next power of two below an amount, in kB or MB; empty if there is none."""
    kilobytes = int(0 if amount is None else (amount - 1) // 1000)
    if kilobytes < 1:
        return ""
    power = 1 << (kilobytes.bit_length() - 1)
    return f"{power} kB" if kilobytes < 1000 else f"{1 << ((kilobytes // 1000).bit_length() - 1)} MB"
