"""The columns of the table of layers: each is described completely here, and a new one is a new entry."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from collections.abc import Callable
from typing import Any

from firekeras.report.tables import short_number
from inspector.models.editing import Editor
from inspector.state import LayerRow, Session, Total, change, criteria, percent, short_score


def nothing(*_) -> str:
    """The text of a cell that is empty."""
    return ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """The description of a column.

    Args:
        title: The header.
        tip: One line that describes it.
        width: The initial width, in pixels.
        text: A function of a session and a `LayerRow` that returns the text of a cell.
        value: The value that a cell is sorted by and edited as. Defaults to its text.
        spoken: The name for screen readers. Defaults to the title.
        says: The text of a cell for screen readers. Defaults to its text.
        right: Whether cells are aligned to the right, as numbers are.
        changes: Whether cells change with the choices.
        measured: Whether it is known only once FIRE is measured.
        sensed: Whether it is known only once sensitivity is.
        explains: A function of a session and a row that returns the tip of a cell. Defaults to why the layer is cut.
        hidden: Whether it is hidden at first.
        marked: Whether cells show the colour of the layers that lose filters together.
        edit: A function of the `Editor`, the layer's name and the typed number; `None` if cells cannot be edited.
        tick: The same for ticking a cell, with whether it is ticked.
        total: A function of a `Total` that returns the text of its cell.
    """

    title: str
    tip: str
    width: int
    text: Callable[[Session, LayerRow], str]
    value: Callable[[Session, LayerRow], Any] | None = None
    spoken: str = ""
    says: Callable[[Session, LayerRow], str] | None = None
    right: bool = False
    changes: bool = False
    measured: bool = False
    sensed: bool = False
    explains: Callable[[Session, LayerRow], str] | None = None
    hidden: bool = False
    marked: bool = False
    edit: Callable[[Editor, str, Any], None] | None = None
    tick: Callable[[Editor, str, bool], None] | None = None
    total: Callable[[Total], str] = nothing

    def sorted_by(self, session: Session, row: LayerRow) -> Any:
        """The value that a cell is sorted by and edited as."""
        return (self.value or self.text)(session, row)

    def read_aloud(self, session: Session, row: LayerRow) -> str:
        """The text of a cell for screen readers."""
        words = (self.says or self.text)(session, row) or "none"
        return f"{self.spoken or self.title} of {row.name}: {words}"


def is_locked(session: Session, row: LayerRow) -> bool:
    """Whether a layer loses nothing, by choice or because it cannot; none is that lost filters in the shown network."""
    lost = session.shows_other and session.cut.widths[row.name] < row.filters
    return not lost and (bool(row.locked) or row.name in session.choices.locked)


def _number(session, row):
    return session.need_opened().row_of(row.name)


def _cap(session, row):
    return round(100 * session.choices.caps.get(row.name, 1.0))


def _cap_text(session, row):
    cap = session.choices.caps.get(row.name)
    return "" if cap is None or row.locked else f"{cap:.0%}"


def _set_cap(editor, name, percent):
    editor.end_gesture()  # each cap that is typed is undone by itself
    editor.set_caps([name], float(percent) / 100)


def _set_lock(editor, name, locked):
    editor.set_locks([name], locked)


def _lock_in_words(session, row):
    return "locked" if is_locked(session, row) else "free"


def _mean_score(session, row):
    score = session.mean_score(row)
    if math.isnan(score):
        return "-"
    measured = session.measured
    from_0_to_1 = measured is None or measured.scores.criterion in criteria.FROM_0_TO_1
    return f"{score:.2f}" if from_0_to_1 else short_score(score)


def _sortable_score(session, row):
    score = session.mean_score(row)
    return -math.inf if math.isnan(score) else score


def _after(session, row):
    """How many filters stay; -1 if unknown."""
    return session.cut.widths[row.name] if session.measured else -1


def _after_text(session, row):
    after = _after(session, row)
    return "" if after < 0 else str(after)


def _cost_after(session, row, cost):
    """A cost after the cut; `None` if unknown."""
    own = session.cut.costs.by_layer.get(row.name) if session.measured else None
    return getattr(own, cost) if own else None


def _change(session, row, cost):
    """The relative change of a cost; `None` if unknown."""
    after = _cost_after(session, row, cost)
    return None if after is None else change(getattr(row, cost), after)


def _rate(session, row):
    """How much a layer can lose by itself; -1 if unknown."""
    rate = session.sensitivity.rate(row.name) if session.sensitivity else None
    return -1.0 if rate is None else rate


def _rate_text(session, row):
    rate = _rate(session, row)
    return "" if rate < 0 else f"{rate:.0%}"


def _sensitivity_in_words(session, row):
    return session.sensitivity.words(row.name) if session.sensitivity else ""


def _cost(title, tip, width, cost):
    """A column of a cost of each layer."""
    return About(
        title=title,
        tip=tip,
        width=width,
        text=lambda session, row: short_number(getattr(row, cost)),
        value=lambda session, row: getattr(row, cost),
        right=True,
        total=lambda total: short_number(getattr(total, cost)),
    )


def _cost_change(title, spoken, tip, width, cost):
    """A column of the change of a cost."""

    def value(session, row):
        share = _change(session, row, cost)
        return 1.0 if share is None else share

    def total(total):
        return "" if total.before is None else percent(change(getattr(total.before, cost), getattr(total, cost)))

    return About(
        title=title,
        tip=tip,
        width=width,
        text=lambda session, row: percent(_change(session, row, cost)),
        value=value,
        spoken=spoken,
        right=True,
        changes=True,
        measured=True,
        total=total,
    )


def _cost_left(title, tip, width, cost):
    """A column of a cost after the cut; hidden at first, since its change says the same in less space."""

    def text(session, row):
        after = _cost_after(session, row, cost)
        return "" if after is None else short_number(after)

    def value(session, row):
        after = _cost_after(session, row, cost)
        return -1 if after is None else after

    return About(
        title=title,
        tip=tip,
        width=width,
        text=text,
        value=value,
        right=True,
        changes=True,
        measured=True,
        hidden=True,
        total=lambda total: "" if total.before is None else short_number(getattr(total, cost)),
    )


class Column(enum.IntEnum):
    """The columns, from the left; each is its number for Qt, and `about` says the rest. Preferences hold the names."""

    about: About

    def __new__(cls, about: About):
        number = len(cls.__members__)
        column = int.__new__(cls, number)
        column._value_ = number
        column.about = about
        return column

    LAYER = About(
        title="Layer",
        tip="Name of the layer; a coloured square marks layers that lose filters together",
        width=96,
        text=lambda session, row: row.name,
        value=_number,
        marked=True,
        total=lambda total: total.title,
    )
    FIRE = About(
        title="FIRE",
        tip="Mean score of its filters, in “After” of those that are left; FIRE is how often ReLUs give zero, 0 to 1",
        width=37,
        text=_mean_score,
        value=_sortable_score,
        right=True,
        changes=True,
        measured=True,
    )
    PEAK = About(
        title="▲",
        tip="▲ marks layers whose filters lie in RAM at its peak: cutting these lowers it",
        width=18,
        text=lambda session, row: "▲" if row.name in session.at_peak else "",
        spoken="RAM peak",
        says=lambda session, row: "its filters lie in RAM at the peak" if row.name in session.at_peak else "",
        changes=True,
    )
    SENSITIVITY = About(
        title="Spare",
        tip="How much of it can go, if nothing else does, before accuracy falls by 2 points, untrained (Shift+F9)",
        width=42,
        text=_rate_text,
        value=_rate,
        spoken="Sensitivity",
        says=_sensitivity_in_words,
        explains=_sensitivity_in_words,
        right=True,
        changes=True,
        sensed=True,
    )
    CAP = About(
        title="Cap",
        tip="At most this share of its filters may be removed; edit it with F2, or a double click",
        width=36,
        text=_cap_text,
        value=_cap,
        right=True,
        changes=True,
        edit=_set_cap,
    )
    LOCK = About(
        title="Lock",
        tip="A locked layer loses no filters",
        width=36,
        text=nothing,
        value=lambda session, row: int(is_locked(session, row)),
        says=_lock_in_words,
        changes=True,
        tick=_set_lock,
    )
    AFTER = About(
        title="After",
        tip="How many filters are kept",
        width=38,
        text=_after_text,
        value=_after,
        right=True,
        changes=True,
        measured=True,
        total=lambda total: "" if total.before is None else str(total.filters),
    )
    MACS = _cost("MACs", "Multiply-accumulates of one sample", 56, "macs")
    MACS_CHANGE = _cost_change("Δ MACs", "Change of MACs", "Exact change of its multiply-accumulates", 54, "macs")
    PARAMS = _cost("Params", "Its own parameters", 58, "params")
    PARAMS_CHANGE = _cost_change("Δ Params", "Change of parameters", "Exact change of its parameters", 62, "params")
    MACS_AFTER = _cost_left(
        "MACs after",
        "Multiply-accumulates after the cut; also fewer if an earlier layer loses filters",
        86,
        "macs",
    )
    PARAMS_AFTER = _cost_left("Params after", "Parameters after the cut", 96, "params")
    FILTERS = About(
        title="Filters",
        tip="How many filters it has",
        width=50,
        text=lambda session, row: str(row.filters),
        value=lambda session, row: row.filters,
        right=True,
        total=lambda total: str(total.filters) if total.before is None else "",
    )
    SHAPE = About(title="Output", tip="Shape of its output", width=96, text=lambda session, row: row.shape)
    KIND = About(title="Type", tip="Its class", width=84, text=lambda session, row: row.kind)


CONSTANT = [column for column in Column if not column.about.changes]
CHANGING = [column for column in Column if column.about.changes]


def neighbours(columns) -> list[tuple[Column, Column]]:
    """Columns, from the left, as stretches (first, last) of columns that lie side by side."""
    stretches = itertools.groupby(enumerate(columns), key=lambda pair: pair[1] - pair[0])
    groups = [[column for _, column in stretch] for _, stretch in stretches]
    return [(group[0], group[-1]) for group in groups]
