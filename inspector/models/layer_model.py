"""The layers as a table model: what is measured, the caps, which can be edited, and what would be left."""

from __future__ import annotations

import enum
import math

from PySide6 import QtCore, QtGui

from firekeras.report.tables import short_number
from inspector.models.editing import Editor
from inspector.state import CHOICES, DOCUMENT, Session, change, percent, words
from inspector.widgets import BANDS, theme

SORT = QtCore.Qt.ItemDataRole.UserRole
DISPLAY = QtCore.Qt.ItemDataRole.DisplayRole
ALIGNMENT = QtCore.Qt.ItemDataRole.TextAlignmentRole
NEVER = {QtCore.Qt.ItemDataRole.FontRole, QtCore.Qt.ItemDataRole.BackgroundRole}
RIGHTWARD = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter


class Column(enum.IntEnum):
    """The columns, from the left."""

    LAYER = 0
    FIRE = 1
    CAP = 2
    LOCK = 3
    AFTER = 4
    MACS = 5
    MACS_CHANGE = 6
    PARAMS = 7
    PARAMS_CHANGE = 8
    MACS_AFTER = 9
    PARAMS_AFTER = 10
    FILTERS = 11
    SHAPE = 12
    KIND = 13


COLUMNS = len(Column)
TITLES = {
    Column.LAYER: ("Layer", "Its name; a coloured square marks layers that lose filters together"),
    Column.FIRE: ("FIRE", "Mean FIRE of its filters: how often their ReLU gives zero, 0 to 1"),
    Column.LOCK: ("Lock", "A locked layer loses nothing"),
    Column.CAP: ("Cap", "At most this share of its filters may go; edit it with F2, or a double click"),
    Column.AFTER: ("After", "How many filters stay"),
    Column.FILTERS: ("Filters", "How many filters it has"),
    Column.MACS: ("MACs", "Multiply-accumulates of one sample"),
    Column.PARAMS: ("Params", "Its own parameters"),
    Column.SHAPE: ("Output", "Shape of its output"),
    Column.KIND: ("Type", "Its class"),
    Column.MACS_AFTER: (
        "MACs after",
        "Multiply-accumulates of what stays; fewer too where a layer before it loses filters",
    ),
    Column.PARAMS_AFTER: ("Params after", "Parameters of what stays"),
    Column.MACS_CHANGE: ("Δ MACs", "By how much its multiply-accumulates change, exactly"),
    Column.PARAMS_CHANGE: ("Δ Params", "By how much its parameters change, exactly"),
}
SPOKEN = {Column.MACS_CHANGE: "Change of MACs", Column.PARAMS_CHANGE: "Change of parameters"}
CHANGING = (  # from, to: the rest is not redrawn
    (Column.CAP, Column.AFTER),
    (Column.MACS_CHANGE, Column.MACS_CHANGE),
    (Column.PARAMS_CHANGE, Column.PARAMS_AFTER),
)
ONLY_IN = {QtCore.Qt.ItemDataRole.CheckStateRole: Column.LOCK, QtCore.Qt.ItemDataRole.DecorationRole: Column.LAYER}
COSTS_AFTER = {Column.MACS_AFTER: "macs", Column.PARAMS_AFTER: "params"}
CHANGES = {Column.MACS_CHANGE: "macs", Column.PARAMS_CHANGE: "params"}
CONSTANT = frozenset(Column) - {Column.CAP, Column.LOCK, Column.AFTER, *COSTS_AFTER, *CHANGES}
RIGHT = {Column.FIRE, Column.CAP, Column.AFTER, Column.FILTERS, Column.MACS, Column.PARAMS, *COSTS_AFTER, *CHANGES}


def _patch(colour):
    patch = QtGui.QPixmap(6, 12)
    patch.fill(QtGui.QColor(*colour))
    return patch


class LayerModel(QtCore.QAbstractTableModel):
    """A row per layer with filters."""

    def __init__(self, session: Session, editor: Editor, parent=None):
        super().__init__(parent)
        self.session, self.editor = session, editor
        self._rows = list(session.rows)
        self._constant: list[dict] = []
        self._states: list[tuple] = []
        session.listen(DOCUMENT, self._reset)
        session.listen(CHOICES, self._show_choices)

    def _reset(self):
        self.beginResetModel()
        self._rows = list(self.session.rows)
        self._constant = [{column: self._shown(row, column) for column in CONSTANT} for row in self._rows]
        self._states = [self._state(row) for row in self._rows]
        self.endResetModel()

    def _state(self, row):
        """What of a row depends on choices."""
        choices = self.session.choices
        costs = [self._cost_after(row, cost) for cost in COSTS_AFTER.values()]
        return self._after(row), *costs, choices.caps.get(row.name), row.name in choices.locked

    def _after(self, row):
        """How many filters stay; `None` where that cannot be said yet."""
        return self.session.measured.preview.widths[row.name] if self.session.measured else None

    def _cost_after(self, row, cost):
        """A cost of what stays; -1 where that cannot be said yet."""
        own = self.session.measured.preview.costs.by_layer.get(row.name) if self.session.measured else None
        return getattr(own, cost) if own else -1

    def _change(self, row, cost):
        """By which share a cost changes; `None` where that cannot be said."""
        after = self._cost_after(row, cost)
        return None if after < 0 else change(getattr(row, cost), after)

    def _show_choices(self):
        states = [self._state(row) for row in self._rows]
        changed = [number for number, pair in enumerate(zip(states, self._states, strict=True)) if pair[0] != pair[1]]
        self._states = states
        if changed:
            for first, last in CHANGING:
                self.dataChanged.emit(self.index(changed[0], first), self.index(changed[-1], last))

    def rowCount(self, parent=QtCore.QModelIndex()):  # noqa: N802, B008 (Qt's name and default)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent=QtCore.QModelIndex()):  # noqa: N802, B008
        return 0 if parent.isValid() else COLUMNS

    def headerData(self, section, orientation, role=QtCore.Qt.ItemDataRole.DisplayRole):  # noqa: N802
        if orientation != QtCore.Qt.Orientation.Horizontal or not 0 <= section < len(Column):
            return None
        title, tip = TITLES[Column(section)]
        roles = QtCore.Qt.ItemDataRole
        return {roles.DisplayRole: title, roles.ToolTipRole: tip, roles.StatusTipRole: tip}.get(role)

    def flags(self, index):
        flags = super().flags(index)
        if not index.isValid() or self._is_fixed(index):
            return flags
        if index.column() == Column.CAP:
            return flags | QtCore.Qt.ItemFlag.ItemIsEditable
        if index.column() == Column.LOCK:
            return flags | QtCore.Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def _is_fixed(self, index):
        """Whether nothing can be chosen for a layer: it must stay."""
        return bool(self._rows[index.row()].locked)

    def data(self, index, role=QtCore.Qt.ItemDataRole.DisplayRole):
        if role in NEVER or not index.isValid():  # each cell is asked seven times to be drawn: the usual comes first
            return None
        column = index.column()
        if role == ALIGNMENT:
            return RIGHTWARD if column in RIGHT else None
        if column != ONLY_IN.get(role, column):
            return None
        if role == DISPLAY and column in CONSTANT:
            return self._constant[index.row()][column]
        return self._told(self._rows[index.row()], Column(column), role)

    def _told(self, row, column, role):
        roles = QtCore.Qt.ItemDataRole
        if role in (DISPLAY, SORT, roles.EditRole):
            return self._shown(row, column) if role == DISPLAY else self._value(row, column)
        if role == roles.CheckStateRole:
            return QtCore.Qt.CheckState.Checked if self._is_locked(row) else QtCore.Qt.CheckState.Unchecked
        return self._manner(row, column, role)

    def _manner(self, row, column, role):
        roles = QtCore.Qt.ItemDataRole
        if role in (roles.ToolTipRole, roles.StatusTipRole):
            return words.why_layer(self.session, row.name)
        if role == roles.AccessibleTextRole:
            return f"{SPOKEN.get(column, TITLES[column][0])} of {row.name}: {self._spoken(row, column)}"
        if role == roles.ForegroundRole and row.locked:
            return QtGui.QColor(*theme.current().dim)
        if role == roles.DecorationRole and row.group >= 0:
            return _patch(BANDS[self._band(row.group) % len(BANDS)])
        return None

    def _band(self, group):
        groups = [number for number, one in enumerate(self.session.need_opened().graph.groups) if len(one) > 1]
        return groups.index(group)

    def _is_locked(self, row):
        return bool(row.locked) or row.name in self.session.choices.locked

    def _value(self, row, column):
        """What it is sorted by, and edited as."""
        if column == Column.CAP:
            return round(100 * self.session.choices.caps.get(row.name, 1.0))
        if column in COSTS_AFTER:
            return self._cost_after(row, COSTS_AFTER[column])
        if column in CHANGES:
            share = self._change(row, CHANGES[column])
            return 1.0 if share is None else share
        values = {
            Column.LAYER: self.session.need_opened().row_of(row.name),
            Column.FIRE: -1.0 if math.isnan(row.fire) else row.fire,
            Column.LOCK: int(self._is_locked(row)),
            Column.AFTER: -1 if self._after(row) is None else self._after(row),
            Column.FILTERS: row.filters,
            Column.MACS: row.macs,
            Column.PARAMS: row.params,
            Column.SHAPE: row.shape,
            Column.KIND: row.kind,
        }
        return values[column]

    def _shown(self, row, column):
        if column == Column.LOCK:
            return None
        if column == Column.CAP:
            cap = self.session.choices.caps.get(row.name)
            return "" if cap is None or row.locked else f"{cap:.0%}"
        if column == Column.AFTER and self._after(row) is None:
            return ""
        if column in COSTS_AFTER:
            cost = self._cost_after(row, COSTS_AFTER[column])
            return "" if cost < 0 else short_number(cost)
        if column in CHANGES:
            return percent(self._change(row, CHANGES[column]))
        shown = {
            Column.LAYER: row.name,
            Column.FIRE: "-" if math.isnan(row.fire) else f"{row.fire:.2f}",
            Column.MACS: short_number(row.macs),
            Column.PARAMS: short_number(row.params),
        }
        return shown.get(column, str(self._value(row, column)))

    def _spoken(self, row, column):
        if column == Column.LOCK:
            return "locked" if self._is_locked(row) else "free"
        return self._shown(row, column) or "none"

    def setData(self, index, value, role=QtCore.Qt.ItemDataRole.EditRole):  # noqa: N802
        if not index.isValid() or self._is_fixed(index):
            return False
        name = self._rows[index.row()].name
        if role == QtCore.Qt.ItemDataRole.EditRole and index.column() == Column.CAP:
            self.editor.end_gesture()  # each cap that is typed is undone by itself
            self.editor.set_caps([name], float(value) / 100)
            return True
        if role == QtCore.Qt.ItemDataRole.CheckStateRole and index.column() == Column.LOCK:
            self.editor.set_locks([name], QtCore.Qt.CheckState(value) == QtCore.Qt.CheckState.Checked)
            return True
        return False

    def layer(self, index) -> str:
        """The name of the layer in a row."""
        return self._rows[index.row()].name

    def row_of(self, layer: str) -> int:
        """The row of a layer."""
        return self.session.need_opened().row_of(layer)
