"""Tables that fit a terminal: they leave out columns, or go on below, rather than break words and numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Column, Table
from rich.text import Text

LEAST = 16  # characters for a column of sentences
AROUND = 3  # characters beside the text of a column: two of padding, and a gap


class FittingTable(Table):
    """A table whose first column is left-aligned, and whose other columns are right-aligned numbers.

    Args:
        title: The title.
        columns: The titles of the columns.
        sentences: The column that holds sentences, which are broken between words. Defaults to none.
        spare: Columns that are left out if there is no room for them, the first one first.
        goes_on: Whether columns for which there is no room follow in a further table instead.
    """

    def __init__(self, title: str, columns: Sequence[str], *, sentences: str = "", spare=(), goes_on: bool = False):
        super().__init__(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        self.sentences, self.spare, self.goes_on = sentences, tuple(spare), goes_on
        for number, column in enumerate(columns):
            justify = "right" if number and column != sentences else "left"
            self.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]

    def __rich_console__(self, console, options):
        room = options.max_width
        parts = self._in_parts(room) if self.goes_on else [self._without_spare(room)]
        for part in parts:
            yield from Table.__rich_console__(self._with(part, room), console, options)
        missing = [str(column.header) for column in self.columns if not any(column in part for part in parts)]
        if missing:
            yield Text(f"Not shown, for lack of room: {', '.join(missing)}", style="dim")

    def _without_spare(self, room) -> list[Column]:
        shown = list(self.columns)
        for header in self.spare:
            if self._width(shown) <= room:
                break
            shown = [column for column in shown if column.header != header]
        return shown

    def _in_parts(self, room) -> list[list[Column]]:
        """The columns by table, each with the first column again."""
        first, *others = self.columns
        parts = [[first]]
        for column in others:
            if len(parts[-1]) > 1 and self._width([*parts[-1], column]) > room:
                parts.append([first])
            parts[-1].append(column)
        return parts

    def _with(self, columns: Iterable[Column], room) -> Table:
        """This table with some of its columns, which are not broken if there is room for them."""
        part, columns = copy.copy(self), list(columns)
        whole = self._width(columns) <= room
        part.columns = [copy.copy(column) for column in columns]
        for number, column in enumerate(part.columns):
            column._index = number
            column.no_wrap = column.header != self.sentences and (whole or number > 0)
            column.min_width = self._width_of(column) if column.header == self.sentences else None
        return part

    def _width(self, columns: Iterable[Column]) -> int:
        return sum(self._width_of(column) + AROUND for column in columns) + 1

    def _width_of(self, column) -> int:
        whole = max(map(cell_len, _lines(column)))
        return min(whole, LEAST) if column.header == self.sentences else whole


def _lines(column) -> Iterator[str]:
    for cell in (column.header, *column.cells):
        yield from str(cell).split("\n")
