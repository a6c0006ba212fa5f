"""The position of each filter in the heatmap: a row per layer, from the filters that stay to those that go first."""

from __future__ import annotations

import collections
import dataclasses
import math

import numpy as np

PADDING = -1
MOST_COLUMNS = 2048  # a wider picture than any screen shows nothing more


@dataclasses.dataclass(frozen=True)
class Cells:
    """A grid of filters, each by its index over all layers.

    Args:
        grid: `(layers, columns)`; `PADDING` in cells without a filter.
        starts: The index of each layer's first filter, and the number of all filters at the end, `(layers + 1,)`.
        order: The filters of each layer in the order of its row, one layer after another, `(filters,)`.
        stretched: Whether each row fills all columns.
    """

    grid: np.ndarray
    starts: np.ndarray
    order: np.ndarray
    stretched: bool

    @classmethod
    def of(cls, starts, order, *, stretched: bool) -> Cells:
        """The grid for an order: rows as wide as their layers, or all of the same width."""
        widths = np.diff(starts)
        columns = min(MOST_COLUMNS, int(widths.max(initial=1))) if stretched else int(widths.max(initial=1))
        at = np.arange(columns)[None, :]
        if stretched:
            at = at * widths[:, None] // columns
        inside = at < widths[:, None]
        numbers = np.where(inside, np.minimum(starts[:-1, None] + at, max(0, order.size - 1)), 0)
        return cls(np.where(inside, order[numbers], PADDING), starts, order, stretched)

    @property
    def columns(self) -> int:
        """The number of columns of the grid."""
        return self.grid.shape[1]

    def width(self, row: int) -> int:
        """The number of filters in a row."""
        return int(self.starts[row + 1] - self.starts[row])

    def filter_at(self, row: int, x: float) -> int | None:
        """The filter of a row's layer at a column, or `None`."""
        if not (0 <= row < len(self.grid) and 0 <= x < self.columns):
            return None
        number = int(self.grid[row, int(x)])
        return None if number == PADDING else number - int(self.starts[row])

    def position(self, row: int, filter: int) -> int:
        """The position of a filter in its row, from 0 on the left."""
        start, end = int(self.starts[row]), int(self.starts[row + 1])
        return int(np.flatnonzero(self.order[start:end] == start + filter)[0])

    def filter_in(self, row: int, position: int) -> int:
        """The filter at a position in its row; positions beyond the ends count as the ends."""
        position = min(max(0, position), self.width(row) - 1)
        return int(self.order[self.starts[row] + position] - self.starts[row])

    def left_edge(self, row: int, position: float) -> float:
        """The column at which a position in a row begins."""
        return position * self.columns / self.width(row) if self.stretched else float(position)

    def share_right_of(self, row: int, x: float) -> float:
        """The share of a row's filters to the right of a column, from 0 to 1."""
        places = x * self.width(row) / self.columns if self.stretched else x
        return min(1.0, max(0.0, 1 - round(places) / self.width(row)))


def going_order(starts, places, fire) -> np.ndarray:
    """Filters in the order of their rows: on the left those without a rank, by FIRE; on the right those that go first.

    Args:
        starts: As in `Cells`.
        places: The rank of each filter in the order of removal, from 1; 0 for none.
        fire: The score of each filter, NaN for none.
    """
    layer = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    waiting = np.where(places > 0, -places, -np.inf)
    return np.lexsort((np.arange(places.size), np.nan_to_num(fire, nan=-1.0), waiting, layer))


def stretches(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, first columns and columns after the last, of the unbroken stretches of true cells."""
    edges = np.diff(np.pad(marked.astype("int8"), ((0, 0), (1, 1))), axis=1)
    rows, begins = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    return rows, begins, ends


def room_beside(found) -> list[float]:
    """The columns that lines at the beginnings of stretches would hide: of stretches, or of what stays before them.

    They are the fewest in the whole row, since the line of one stretch among several would look like the cut of the
    row. A row's only stretch always has room for its line.

    Args:
        found: Triples of `stretches`, row by row.
    """
    number = collections.Counter(row for row, _, _ in found)
    before = [(-1, 0, 0), *found]
    fewest = dict.fromkeys(number, math.inf)
    for (row, begin, end), (last, _, until) in zip(found, before, strict=False):
        if number[row] > 1:
            fewest[row] = min(fewest[row], end - begin, begin - until if last == row else math.inf)
    return [fewest[row] for row, _, _ in found]


def bands(groups) -> list[tuple[int, list[int]]]:
    """For groups of rows, each a sorted list, (lane, rows): groups that overlap are in different lanes."""
    ends: list[int] = []
    placed = []
    for rows in groups:
        lane = next((number for number, end in enumerate(ends) if end < rows[0]), len(ends))
        ends[lane:] = [rows[-1], *ends[lane + 1 :]]
        placed.append((lane, rows))
    return placed
