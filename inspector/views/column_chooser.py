"""The choice of visible columns: made in a menu, and remembered."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.models import Column

HIDDEN_AT_FIRST = ",".join(column.name for column in Column if column.about.hidden)


class ColumnChooser(QtCore.QObject):
    """Shows and hides the same columns in several views.

    Args:
        views: Tables with the columns of `Column`.

    Attributes:
        actions: The `QAction` that shows and hides each column that can be hidden.
    """

    def __init__(self, views, parent=None):
        super().__init__(parent)
        self._views, self._measured, self._sensed = views, False, False
        self.actions = {column: self._action(column) for column in Column if column != Column.LAYER}
        header = views[0].horizontalHeader()
        header.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.ActionsContextMenu)
        header.addActions(list(self.actions.values()))
        self.hide(HIDDEN_AT_FIRST)

    def _action(self, column):
        action = QtGui.QAction(column.about.title, self, checkable=True, checked=True)
        action.setObjectName(f"column {column.name}")
        action.setStatusTip(f"Show or hide this column. {column.about.tip}")
        action.toggled.connect(self._show)
        return action

    @property
    def hidden(self) -> str:
        """The names of the hidden columns, separated by commas."""
        return ",".join(column.name for column, action in self.actions.items() if not action.isChecked())

    def hide(self, names: str):
        """Hides these columns, and shows the others.

        Args:
            names: As in `hidden`; unknown names are ignored.
        """
        unwanted = names.split(",")
        for column, action in self.actions.items():
            action.setChecked(column.name not in unwanted)
        self._show()

    def show_measured(self, measured: bool, *, sensed: bool):
        """Shows the columns that need a measurement, of FIRE or of sensitivity, or leaves their space to the others."""
        if (measured, sensed) != (self._measured, self._sensed):
            self._measured, self._sensed = measured, sensed
            self._show()

    def _show(self):
        for column, action in self.actions.items():
            known = (self._measured or not column.about.measured) and (self._sensed or not column.about.sensed)
            action.setEnabled(known)
            for view in self._views:
                view.setColumnHidden(column, not (known and action.isChecked()))

    def menu(self, parent) -> QtWidgets.QMenu:
        """The choice of columns as a menu."""
        menu = QtWidgets.QMenu("Columns of the &table", parent)
        menu.addActions(list(self.actions.values()))
        return menu
