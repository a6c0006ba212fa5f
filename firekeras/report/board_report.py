"""Whether networks fit boards, and how much is missing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from firekeras.export.boards import Board
from firekeras.report.fitting import FittingTable
from firekeras.report.tables import short_number

REMAINDER = (
    "RAM is what the tensors take (the head of the arena of LiteRT for Microcontrollers), flash the file. The arena's "
    "tail, the stack and the program take more of both."
)


def needs_of(stage) -> dict[str, int | None]:
    """What a `Stage` needs of a board: a `.keras` file as int8, an exported file as it is; None if unknown."""
    costs = stage.costs
    return {"ram": costs and costs.ram, "flash": stage.size if is_exported(stage) else costs and costs.flash}


def is_exported(stage) -> bool:
    """Whether a `Stage` is what a device reads, rather than a `.keras` file."""
    return stage.path.suffix not in (".keras", ".h5", ".hdf5")


def board_table(stages: Sequence, board: Board) -> Table:
    """What each file needs of a board, and what is left or missing.

    Args:
        stages: `Stage`s.
        board: The `Board`.
    """
    title = f"{board.title}: {short_number(board.ram, 'B')} RAM, {short_number(board.flash, 'B')} flash"
    table = FittingTable(title, ["", "RAM", "flash", ""])
    for stage in stages:
        needs = needs_of(stage)
        table.add_row(stage.path.name, *(_need(needs[part]) for part in ("ram", "flash")), _verdict(needs, board))
    return table


def _need(amount):
    return "-" if amount is None else short_number(amount, "B")


def missing(needs: dict[str, int | None], board: Board) -> dict[str, int]:
    """How many bytes are missing of RAM and of flash, without those of which enough is there or nothing is known."""
    return {
        part: amount - getattr(board, part)
        for part, amount in needs.items()
        if amount is not None and amount > getattr(board, part)
    }


def _verdict(needs, board):
    lacks = missing(needs, board)
    titles = {"ram": "RAM", "flash": "flash"}
    if lacks:
        return ", ".join(f"{short_number(amount, 'B')} {titles[part]} missing" for part, amount in lacks.items())
    unknown = [titles[part] for part, amount in needs.items() if amount is None]
    return f"{' and '.join(unknown)} unknown" if unknown else "fits"
