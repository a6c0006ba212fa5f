"""The totals below the table: rows that stay in sight, under the very columns that they sum."""

from __future__ import annotations

import dataclasses

from PySide6 import QtCore, QtWidgets

from firekeras.report.tables import short_number
from inspector.models import RIGHT, RIGHTWARD, Column
from inspector.state import CHOICES, DOCUMENT, Session, change, percent


@dataclasses.dataclass(frozen=True)
class Total:
    """Sums over layers, before the cut or after it.

    Args:
        title: What is summed.
        filters, macs, params: The sums.
        before: What is left of what; `None` for what there is before the cut.
    """

    title: str
    filters: int
    macs: int
    params: int
    before: Total | None = None


def totals(session: Session) -> list[Total]:
    """The rows: all layers, and convolutions by themselves; each followed by what is left, where that is known."""
    opened, measured = session.opened, session.measured
    if opened is None:
        return []
    convs = [name for name in opened.graph.filter_layers if opened.graph.layers[name].is_conv]
    before = _sums(opened.graph.widths, opened.costs, convs)
    if measured is None:
        return before
    after = _sums(measured.preview.widths, measured.preview.costs, convs)
    left = [dataclasses.replace(b, title=f"{a.title}, after", before=a) for a, b in zip(before, after, strict=True)]
    return [total for pair in zip(before, left, strict=True) for total in pair]


def _left_out(costs):
    """What the MACs do not hold."""
    return f" ({costs.macs_title})" if costs.uncounted else ""


def _sums(widths, costs, convs):
    params = sum(costs.by_layer[name].params for name in convs if name in costs.by_layer)
    return [
        Total("All" + _left_out(costs), sum(widths.values()), costs.macs, costs.params),
        Total("Conv", sum(widths[name] for name in convs), costs.conv_macs, params),
    ]


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
            return RIGHTWARD
        return None


def _shown(total, column):
    macs, params = short_number(total.macs), short_number(total.params)
    shown = {Column.LAYER: total.title, Column.MACS: macs, Column.PARAMS: params}
    if total.before is None:
        return {**shown, Column.FILTERS: str(total.filters)}.get(column, "")
    after = {
        Column.AFTER: str(total.filters),
        Column.MACS_AFTER: macs,
        Column.PARAMS_AFTER: params,
        Column.MACS_CHANGE: percent(change(total.before.macs, total.macs)),
        Column.PARAMS_CHANGE: percent(change(total.before.params, total.params)),
    }
    return {**shown, **after}.get(column, "")


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
