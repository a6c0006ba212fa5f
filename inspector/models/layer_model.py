"""The layers as a table model, with a column for each `Column`."""

from __future__ import annotations

from PySide6 import QtCore, QtGui

from inspector.models.columns import CHANGING, CONSTANT, Column, is_locked, neighbours
from inspector.models.editing import Editor
from inspector.state import CHOICES, DOCUMENT, PICTURE, Session, words
from inspector.widgets import BANDS, theme

ROLES = QtCore.Qt.ItemDataRole
SORT = ROLES.UserRole
NEVER = {ROLES.FontRole, ROLES.BackgroundRole}
RIGHTWARD = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
REDRAWN = neighbours(CHANGING)  # when choices change; the rest is not


def _patch(colour):
    """A small bar of a colour, framed, that keeps its colour in selected rows too."""
    patch = QtGui.QPixmap(8, 14)
    patch.fill(QtGui.QColor("white"))
    painter = QtGui.QPainter(patch)
    painter.fillRect(1, 1, 6, 12, QtGui.QColor(*colour))
    painter.end()
    icon = QtGui.QIcon(patch)
    icon.addPixmap(patch, QtGui.QIcon.Mode.Selected)
    return icon


class LayerModel(QtCore.QAbstractTableModel):
    """A row per layer with filters."""

    def __init__(self, session: Session, editor: Editor, parent=None):
        super().__init__(parent)
        self.session, self.editor = session, editor
        self._rows = list(session.rows)
        self._constant: list[dict] = []
        self._states: list[tuple] = []
        session.listen(DOCUMENT, self._reset)
        for what in (CHOICES, PICTURE):
            session.listen(what, self._show_choices)

    def _reset(self):
        self.beginResetModel()
        self._rows = list(self.session.rows)
        self._constant = [{column: column.about.text(self.session, row) for column in CONSTANT} for row in self._rows]
        self._states = [self._state(row) for row in self._rows]
        self.endResetModel()

    def _state(self, row):
        """Updates the parts of a row that depend on choices."""
        return tuple(column.about.sorted_by(self.session, row) for column in CHANGING)

    def _show_choices(self):
        states = [self._state(row) for row in self._rows]
        changed = [number for number, pair in enumerate(zip(states, self._states, strict=True)) if pair[0] != pair[1]]
        self._states = states
        if changed:
            for first, last in REDRAWN:
                self.dataChanged.emit(self.index(changed[0], first), self.index(changed[-1], last))

    def rowCount(self, parent=QtCore.QModelIndex()):  # noqa: N802, B008 (Qt's name and default)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent=QtCore.QModelIndex()):  # noqa: N802, B008
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section, orientation, role=ROLES.DisplayRole):  # noqa: N802
        if orientation != QtCore.Qt.Orientation.Horizontal or not 0 <= section < len(Column):
            return None
        about = Column(section).about
        if role == ROLES.DisplayRole and section == Column.FIRE:
            return "FIRE" if self.session.measured is None or self.session.ranks_by_fire else "Score"
        return {ROLES.DisplayRole: about.title, ROLES.ToolTipRole: about.tip, ROLES.StatusTipRole: about.tip}.get(role)

    def flags(self, index):
        flags = super().flags(index)
        if not index.isValid() or self._is_fixed(index):
            return flags
        about = Column(index.column()).about
        if about.edit is not None:
            return flags | QtCore.Qt.ItemFlag.ItemIsEditable
        return flags | QtCore.Qt.ItemFlag.ItemIsUserCheckable if about.tick is not None else flags

    def _is_fixed(self, index):
        """Whether a layer must stay, so nothing can be chosen for it."""
        return bool(self._rows[index.row()].locked)

    def data(self, index, role=ROLES.DisplayRole):
        if role in NEVER or not index.isValid():  # each cell is asked seven times to be drawn: the usual comes first
            return None
        column = Column(index.column())
        if role == ROLES.TextAlignmentRole:
            return RIGHTWARD if column.about.right else None
        if role == ROLES.DisplayRole and not column.about.changes:
            return self._constant[index.row()][column]
        return self._about(self._rows[index.row()], column.about, role)

    def _about(self, row, about, role):
        if role == ROLES.DisplayRole:
            return None if about.tick else about.text(self.session, row)
        if role in (SORT, ROLES.EditRole):
            return about.sorted_by(self.session, row)
        if role == ROLES.CheckStateRole and about.tick is not None:
            return QtCore.Qt.CheckState.Checked if is_locked(self.session, row) else QtCore.Qt.CheckState.Unchecked
        return self._manner(row, about, role)

    def _manner(self, row, about, role):
        if role in (ROLES.ToolTipRole, ROLES.StatusTipRole):
            own = about.explains(self.session, row) if about.explains is not None else ""
            return own or words.why_layer(self.session, row.name)
        if role == ROLES.AccessibleTextRole:
            return about.read_aloud(self.session, row)
        if role == ROLES.ForegroundRole and row.locked and is_locked(self.session, row):
            return QtGui.QColor(*theme.current().dim)
        if role == ROLES.DecorationRole and about.marked and row.group >= 0:
            return _patch(BANDS[self._band(row.group) % len(BANDS)])
        return None

    def _band(self, group):
        groups = self.session.need_opened().graph.groups
        return [number for number, layers in enumerate(groups) if len(layers) > 1].index(group)

    def setData(self, index, value, role=ROLES.EditRole):  # noqa: N802
        if not index.isValid() or self._is_fixed(index):
            return False
        name, about = self._rows[index.row()].name, Column(index.column()).about
        if role == ROLES.EditRole and about.edit is not None:
            about.edit(self.editor, name, value)
            return True
        if role == ROLES.CheckStateRole and about.tick is not None:
            about.tick(self.editor, name, QtCore.Qt.CheckState(value) == QtCore.Qt.CheckState.Checked)
            return True
        return False

    def layer(self, index) -> str:
        """The name of the layer in a row."""
        return self._rows[index.row()].name

    def row_of(self, layer: str) -> int:
        """The row of a layer."""
        return self.session.need_opened().row_of(layer)
