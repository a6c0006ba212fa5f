"""The totals below the table: rows that stay in sight, under the very columns that they sum."""

from __future__ import annotations

import dataclasses

from PySide6 import QtCore, QtWidgets

from firekeras.report.tables import short_number
from inspector.layer_model import RIGHT, Column
from inspector.session import CHOICES, DOCUMENT, Session


@dataclasses.dataclass(frozen=True)
class Total:
    """Sums over layers, before the cut or after it.

    Args:
        title: What is summed.
        filters, macs, params: The sums.
    """

    title: str
    filters: int
    macs: int
    params: int


def totals(session: Session) -> list[Total]:
    """The rows: all layers, and convolutions by themselves; each followed by what is left, where that is known."""
    if session.graph is None:
        return []
    convs = [name for name in session.graph.filter_layers if session.graph.layers[name].is_conv]
    found = []
    for ending, widths, costs in _states(session):
        found.append(Total(f"All{ending}", sum(widths.values()), costs.macs, costs.params))
        params = sum(costs.by_layer[name].params for name in convs if name in costs.by_layer)
        found.append(Total(f"Conv{ending}", sum(widths[name] for name in convs), costs.conv_macs, params))
    return sorted(found, key=lambda total: not total.title.startswith("All"))


def _states(session):
    """What the network is before and, where it is measured, after: (what titles end in, widths, costs)."""
    states = [("", session.graph.widths, session.costs)]
    return [*states, (", after", session.preview.widths, session.preview.costs)] if session.preview else states


class TotalsModel(QtCore.QAbstractTableModel):
    """The totals, with the columns of the table of layers."""

    def __init__(self, session: Session, parent=None):
        super().__init__(parent)
        self.session = session
        self._totals: list[Total] = []
        for what in (DOCUMENT, CHOICES):
            session.listen(what, self._show)

    def _show(self):
        found = totals(self.session)
        if len(found) != len(self._totals):
            self.beginResetModel()
            self._totals = found
            self.endResetModel()
        elif found != self._totals:
            self._totals = found
            self.dataChanged.emit(self.index(0, 0), self.index(len(found) - 1, len(Column) - 1))

    def rowCount(self, parent=QtCore.QModelIndex()):  # noqa: N802, B008 (Qt's name and default)
        return 0 if parent.isValid() else len(self._totals)

    def columnCount(self, parent=QtCore.QModelIndex()):  # noqa: N802, B008
        return 0 if parent.isValid() else len(Column)

    def flags(self, index):
        return QtCore.Qt.ItemFlag.ItemIsEnabled if index.isValid() else QtCore.Qt.ItemFlag.NoItemFlags

    def data(self, index, role=QtCore.Qt.ItemDataRole.DisplayRole):
        if not index.isValid():
            return None
        roles, column, total = QtCore.Qt.ItemDataRole, Column(index.column()), self._totals[index.row()]
        if role == roles.DisplayRole:
            return _shown(total, column)
        if role in (roles.ToolTipRole, roles.StatusTipRole, roles.AccessibleTextRole):
            return f"{total.title}: {total.filters} filters, {total.macs:,} MACs, {total.params:,} parameters"
        if role == roles.TextAlignmentRole and column in RIGHT:
            return QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
        return None


def _shown(total, column):
    after = total.title.endswith("after")
    shown = {
        Column.LAYER: total.title,
        Column.AFTER: str(total.filters) if after else "",
        Column.FILTERS: "" if after else str(total.filters),
        Column.MACS: short_number(total.macs),
        Column.PARAMS: short_number(total.params),
        Column.MACS_AFTER: short_number(total.macs) if after else "",
        Column.PARAMS_AFTER: short_number(total.params) if after else "",
    }
    return shown.get(column, "")


class TotalsView(QtWidgets.QTableView):
    """Follows the columns of a table: their widths, their order, and how far they are scrolled.

    Args:
        session: The `Session`.
        table: The view whose columns these are.
    """

    def __init__(self, session: Session, table: QtWidgets.QTableView):
        super().__init__()
        self.setModel(TotalsModel(session, self))
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Totals")
        self.horizontalHeader().hide()
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(table.verticalHeader().defaultSectionSize())
        for bar in (self.setHorizontalScrollBarPolicy, self.setVerticalScrollBarPolicy):
            bar(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._follow(table)
        self.model().modelReset.connect(self._fit)
        self._fit()

    def _follow(self, table):
        header, own = table.horizontalHeader(), self.horizontalHeader()
        for column in Column:
            self.setColumnWidth(column, table.columnWidth(column))
        header.sectionResized.connect(
            lambda column, _before, width: self.setColumnWidth(column, width) if width else None
        )
        header.sectionMoved.connect(lambda _column, before, after: own.moveSection(before, after))
        for view in (table, self):
            view.setHorizontalScrollMode(view.ScrollMode.ScrollPerPixel)
        far, near = table.horizontalScrollBar(), self.horizontalScrollBar()
        far.valueChanged.connect(near.setValue)
        near.rangeChanged.connect(lambda: near.setValue(far.value()))  # it may learn later how far it can go

    def _fit(self):
        """As high as its rows, and not there without any."""
        rows = self.model().rowCount()
        self.setFixedHeight(rows * self.verticalHeader().defaultSectionSize() + 2 * self.frameWidth())
        self.setVisible(bool(rows))
