"""The totals below the table: rows that stay visible below the columns that they sum."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from inspector.models import RIGHTWARD, Column
from inspector.state import CHOICES, DOCUMENT, PICTURE, Session, Total, totals_of


class TotalsModel(QtCore.QAbstractTableModel):
    """The totals, with the columns of the table of layers."""

    def __init__(self, session: Session, parent=None):
        super().__init__(parent)
        self.session = session
        self._totals: list[Total] = []
        for what in (DOCUMENT, CHOICES, PICTURE):
            session.listen(what, self._show)

    def _show(self):
        sums = totals_of(self.session)
        if len(sums) != len(self._totals):
            self.beginResetModel()
            self._totals = sums
            self.endResetModel()
        elif sums != self._totals:
            self._totals = sums
            self.dataChanged.emit(self.index(0, 0), self.index(len(sums) - 1, len(Column) - 1))

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
            return column.about.total(total)
        if role in (roles.ToolTipRole, roles.StatusTipRole, roles.AccessibleTextRole):
            return f"{total.title}: {total.filters} filters, {total.macs:,} MACs, {total.params:,} parameters"
        if role == roles.TextAlignmentRole and column.about.right:
            return RIGHTWARD
        return None


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
        own.setMinimumSectionSize(header.minimumSectionSize())
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
        """Makes the view as high as its rows, and hides it if there are none."""
        rows = self.model().rowCount()
        self.setFixedHeight(rows * self.verticalHeader().defaultSectionSize() + 2 * self.frameWidth())
        self.setVisible(bool(rows))
