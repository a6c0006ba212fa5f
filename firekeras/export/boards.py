"""Boards with their RAM and flash: common ones, and a user's own, from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firekeras.arguments import short
from firekeras.paths import read_bytes
from firekeras.plan.goals import amount_of
from firekeras.refusals import LONGEST, cause, is_whole, shortened, suggestion
from firekeras.strict_json import LARGEST

COMMON = Path(__file__).with_name("boards.toml")
ENDING, MOST = ".toml", 1 << 20
MOST_DOTS = 200  # in a line: a key of thousands of parts takes gigabytes
EXAMPLE = '[mine]\nram = "256 KiB"\nflash = 1_048_576\ntitle = "My board"\nsource = "its data sheet"'


@dataclasses.dataclass(frozen=True)
class Board:
    """A board.

    Args:
        name: Its short name.
        ram: The RAM of its chip, in bytes.
        flash: Its flash, in bytes.
        title: Its name for people. Defaults to the short one.
        source: Where these sizes are from. Defaults to none.
    """

    name: str
    ram: int
    flash: int
    title: str = ""
    source: str = ""


def boards_of(name: str) -> list[Board]:
    """The boards that a name stands for: one of the common ones, or those in a TOML file.

    Args:
        name: `"raspberry-pi-pico"`, or a path that ends in `.toml`.

    Raises:
        ValueError: If there is no such board or file, or a board in it lacks its sizes.

    Example:
    >>> from firekeras.export.boards import boards_of
    >>> boards_of("raspberry-pi-pico")[0].ram
    270336
    """
    if name.endswith(ENDING):
        return list(read_boards(Path(name)).values())
    known = read_boards(COMMON)
    if name not in known:
        hint = suggestion(name, known)
        raise ValueError(
            f"There is no board named {name!r}. Expected one of {', '.join(known)}, or a file of your own, NAME.toml."
            f"{hint}"
        )
    return [known[name]]


def read_boards(path: Path) -> dict[str, Board]:
    """The boards in a TOML file, by name: a table each, with `ram` and `flash`.

    Raises:
        ValueError: If it is none, or a board lacks its sizes.
    """
    tables = _tables(path, read_bytes(path, MOST))
    if not tables:
        raise ValueError(f"{path} has no board. Expected, for instance:\n{EXAMPLE}")
    return {name: _board(path, name, table) for name, table in tables.items()}


def _tables(path, data) -> dict[str, Any]:
    try:
        if any(line.count(b".") > MOST_DOTS for line in data.splitlines()):
            raise ValueError(f"a line has more than {MOST_DOTS} dots")
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a TOML file: {cause(error)}. Expected, for instance:\n{EXAMPLE}") from error


def _board(path, name, table: Any) -> Board:
    if len(name) > LONGEST:
        raise ValueError(f"{path}: the name {shortened(name)!r} is too long for a board: at most {LONGEST} characters.")
    if not isinstance(table, Mapping):
        raise ValueError(f"{path}: {name!r} is no board. Expected a table, for instance:\n{EXAMPLE}")
    unknown = set(table) - {"ram", "flash", "title", "source"}
    if unknown:
        raise ValueError(
            f"{path}: board {name!r} has {shortened(min(unknown))!r}. Expected ram, flash, title and source."
        )
    sizes = {key: _bytes(path, name, key, table.get(key)) for key in ("ram", "flash")}
    return Board(name, **sizes, title=str(table.get("title", name)), source=str(table.get("source", "")))


def _bytes(path, name, key, value) -> int:
    amount = value if is_whole(value) else amount_of(value)
    if amount is None or not 1 <= amount <= LARGEST:
        raise ValueError(
            f'{path}: board {name!r} needs {key}, in bytes or as text such as "256 KiB". Received: {short(value)}.'
        )
    return int(amount)
