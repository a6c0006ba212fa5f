"""The table of layers: sorted, filtered and edited; its selection is linked to the heatmap."""

from __future__ import annotations

import math

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.models import SORT, Column, Editor, LayerModel
from inspector.state import CELL, DOCUMENT, PICTURE, Session, words
from inspector.views.column_chooser import ColumnChooser
from inspector.views.totals_view import TotalsView
from inspector.widgets import CheckBoxDelegate, UndoKeys, name, short_names

SCORED = "with a score"  # no type has a space
SHORTEST, WIDEST = 112, 444  # pixels: of names, and of the table, before columns are pushed out of sight
LONGEST = 176  # pixels: of names, before the table takes more room from the heatmap
ROOMY = 1200  # pixels of a window that has room for names too
EDGE = 2  # pixels around it
VAST = 1400  # pixels of one that has room for parameters and their change as well
MARGIN = 24  # pixels of a cell beside its text: the mark of its group, its edges, and what the style adds
NOTHING_SELECTED = "No layer is selected. Select rows of the table, or click a layer in the heatmap."


class CapDelegate(QtWidgets.QStyledItemDelegate):
    """Edits a cap as whole percent; 100 is no cap."""

    def createEditor(self, parent, option, index):  # noqa: N802 (Qt's name)
        box = QtWidgets.QSpinBox(parent)
        box.setRange(0, 100)
        box.setSingleStep(5)
        box.setSuffix(" %")
        box.setAccessibleName("Cap in percent; 100 is no cap")
        return box

    def setEditorData(self, editor, index):  # noqa: N802 (Qt's name)
        editor.setValue(int(index.data(QtCore.Qt.ItemDataRole.EditRole)))
        if not index.data(QtCore.Qt.ItemDataRole.DisplayRole):
            editor.clear()  # if nothing is typed, there is still no cap
        else:
            editor.selectAll()

    def updateEditorGeometry(self, editor, option, index):  # noqa: N802 (Qt's name)
        place = option.rect
        place.setWidth(max(place.width(), editor.sizeHint().width()))
        editor.setGeometry(place)

    def setModelData(self, editor, model, index):  # noqa: N802 (Qt's name)
        editor.interpretText()
        model.setData(index, editor.value())


class NameDelegate(QtWidgets.QStyledItemDelegate):
    """Shows names of layers as short as the column needs; tips and screen readers have the whole ones.

    Attributes:
        shown: What is shown, by name.
    """

    def __init__(self, parent=None):
        super().__init__(parent)
        self.shown: dict[str, str] = {}

    def initStyleOption(self, option, index):  # noqa: N802 (Qt's name)
        super().initStyleOption(option, index)
        option.text = self.shown.get(option.text, option.text)


class Found(QtCore.QSortFilterProxyModel):
    """The layers whose name or type contains a text, and that are of a kind."""

    _wanted = _kind = ""

    def __init__(self, session: Session, parent=None):
        super().__init__(parent)
        self._session = session

    def find(self, text: str, kind: str):
        """Shows only these layers.

        Args:
            text: What their name or type contains.
            kind: Their type; `SCORED` for those with a score, empty for all.
        """
        self._wanted, self._kind = text.lower(), kind
        self.setFilterFixedString(text)  # filters again

    def filterAcceptsRow(self, row, parent):  # noqa: N802 (Qt's name)
        own = self._session.rows[row]
        if self._kind and self._kind != own.kind and (self._kind != SCORED or math.isnan(own.fire)):
            return False
        texts = [self.sourceModel().index(row, column, parent).data() for column in (Column.LAYER, Column.KIND)]
        return any(self._wanted in text.lower() for text in texts)


class LayerTable(QtWidgets.QWidget):
    """A filter box, the table, and the totals.

    Signals:
        said: A line for the status bar.
        found: The rows that the box finds, a set; `None` if it is empty.
        selection: The selected rows, a list.
        wanted: The table needs more room than it has, or less than before: see `room`.
    """

    said = QtCore.Signal(str)
    found = QtCore.Signal(object)
    selection = QtCore.Signal(object)
    wanted = QtCore.Signal()

    def __init__(self, session: Session, editor: Editor, parent=None):
        super().__init__(parent)
        self.session = session
        self._fitting = self._chosen = False
        self._asked_for = 0  # pixels, last time
        self.model = LayerModel(session, editor, self)
        self.proxy = Found(session, self)
        self.proxy.setSortRole(SORT)
        self.proxy.setSourceModel(self.model)
        self.finder, self.kinds = self._make_finder(), self._make_kinds()
        self.view = self._make_view()
        self.names = NameDelegate(self.view)
        self.view.setItemDelegateForColumn(Column.LAYER, self.names)
        self.view.installEventFilter(self)
        self.edits = SelectionBar(self, editor)
        self.totals = TotalsView(session, self.view)
        self.columns = ColumnChooser([self.view, self.totals], self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        layout.setSpacing(2)
        finding = QtWidgets.QHBoxLayout()
        finding.addWidget(self.finder, 1)
        finding.addWidget(self.kinds)
        layout.addLayout(finding)
        layout.addWidget(self.view, 1)
        layout.addLayout(self._beside_scroll_bar(self.totals))
        layout.addWidget(self.edits)
        session.listen(CELL, self._follow)
        session.listen(DOCUMENT, self._show_what_is_known)
        session.listen(PICTURE, self._show_picture)
        self.view.horizontalHeader().sectionResized.connect(self._resized)
        self._show_what_is_known()

    def _make_finder(self):
        finder = QtWidgets.QLineEdit(clearButtonEnabled=True, placeholderText="Find layers (Ctrl+F)")
        finder.setAccessibleName("Find layers by name or type")
        finder.setStatusTip("Show only layers whose name or type contains this text")
        finder.textChanged.connect(self._find)
        finder.installEventFilter(self)
        return finder

    def _make_kinds(self):
        kinds = QtWidgets.QComboBox()
        name(kinds, "Types of layers to show", "Show only layers of this type, or only those that have a score")
        kinds.activated.connect(lambda: self._find(self.finder.text()))
        return kinds

    def _show_kinds(self):
        """Offers the types that there are, and keeps the chosen one if it still is."""
        chosen = self.kinds.currentData()
        self.kinds.clear()
        self.kinds.addItem("All layers", "")
        if self.session.measured is not None:
            self.kinds.addItem("With a score", SCORED)
        for kind in dict.fromkeys(row.kind for row in self.session.rows):
            self.kinds.addItem(kind, kind)
        self.kinds.setCurrentIndex(max(0, self.kinds.findData(chosen)))

    def _find(self, text):
        self.proxy.find(text, self.kinds.currentData() or "")
        self._tell_found()
        nothing = bool(text and self.model.rowCount() and not self.proxy.rowCount())
        self.said.emit(f"No layer's name or type contains “{text}”." if nothing else words.cell(self.session))

    def _tell_found(self):
        rows = {self.proxy.mapToSource(self.proxy.index(row, 0)).row() for row in range(self.proxy.rowCount())}
        self.found.emit(rows if self.finder.text() or self.kinds.currentData() else None)

    def _make_view(self):
        view = QtWidgets.QTableView(sortingEnabled=True)
        view.setAlternatingRowColors(True)
        view.setWordWrap(False)  # a name with a slash would be broken there, and the rest of it lost
        view.setModel(self.proxy)
        view.setSelectionBehavior(view.SelectionBehavior.SelectRows)
        view.setTabKeyNavigation(False)  # the tab key leaves the table; arrows move in it
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(view.fontMetrics().height() + 5)
        view.horizontalHeader().setSectionsMovable(True)
        view.horizontalHeader().setHighlightSections(False)  # bold titles would not fit
        view.horizontalHeader().setMinimumSectionSize(18)
        view.setAccessibleName("Layers")
        view.setStatusTip("F2 edits a cap; several rows can be selected")
        view.setIconSize(QtCore.QSize(8, 14))
        view.sortByColumn(Column.LAYER, QtCore.Qt.SortOrder.AscendingOrder)
        for column in Column:
            _show_column(view, column)
        view.selectionModel().currentRowChanged.connect(self._point)
        view.selectionModel().selectionChanged.connect(self._tell_selection)
        return view

    def _beside_scroll_bar(self, widget):
        """A widget as wide as the columns of the table, so columns line up: its scroll bar is always visible."""
        self.view.setVerticalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        line = QtWidgets.QHBoxLayout()
        line.setSpacing(0)
        line.addWidget(widget)
        line.addSpacing(self.view.verticalScrollBar().sizeHint().width())
        return line

    def _show_what_is_known(self):
        self.edits.setEnabled(self.session.opened is not None)
        self._show_columns()
        for column in Column:
            if column != Column.LAYER and not self.view.isColumnHidden(column):
                self.view.setColumnWidth(column, max(column.about.width, self._needed(column)))
        self.keep_in_sight()
        self._show_kinds()
        self._find(self.finder.text())

    def _needed(self, column):
        """The width that the numbers of a column need."""
        views = (self.totals, self.view) if column == Column.FIRE else (self.totals,)
        return max(view.sizeHintForColumn(column) for view in views)

    def _width(self, last):
        """The width of the columns up to one, without that of names; and of the edges and the scroll bar."""
        shown = [column for column in Column if Column.LAYER < column <= last and not self.view.isColumnHidden(column)]
        edges = 2 * self.view.frameWidth() + self.view.verticalScrollBar().sizeHint().width()
        return edges + sum(self.view.columnWidth(column) for column in shown)

    def keep_in_sight(self):
        """Keeps changes of costs in sight, as far as a window of 1024 pixels has room for them; a wide one has."""
        wide = self._is_wide()
        needed = min(LONGEST if wide else SHORTEST, self._whole_names()) + self._width(self._last())
        self._need((needed if wide else min(needed, WIDEST)) if self.session.measured else 0)
        self._share_room()

    def _need(self, needed):
        """Asks for room, but insists only on what a small window has: it could not be made small otherwise."""
        before, width = self._asked_for, self.view.width()
        self._asked_for = needed
        self.view.setMinimumWidth(min(needed, WIDEST))
        if width < needed > before or needed < width <= before:  # else a person has made the table wider or narrower
            self.wanted.emit()

    @property
    def room(self) -> int:
        """The width that shows all that is to be seen without scrolling, in pixels."""
        return self._asked_for + 2 * EDGE

    def _share_room(self):
        """Gives names the room that other columns leave them, unless their width was chosen by hand."""
        if self._chosen:
            return
        rest, all_of_it = (self.view.width() - self._width(last) for last in (self._last(), Column.FILTERS))
        room = max(all_of_it, LONGEST) if self._is_wide() else all_of_it
        least = min(SHORTEST, self._whole_names())
        usual = max(least, min(room, self._whole_names()))
        self._fitting = True
        self.view.setColumnWidth(Column.LAYER, max(least, min(usual, rest)))
        self._fitting = False
        self._elide(Column.LAYER)

    def _last(self):
        """The last column that is to be seen without scrolling."""
        return Column.PARAMS_CHANGE if self.window().width() >= VAST else Column.MACS_CHANGE

    def _is_wide(self):
        """Whether the window has room for names."""
        return self.window().width() >= ROOMY

    def _whole_names(self):
        """The width that whole names need; at least the usual one."""
        metrics = QtGui.QFontMetricsF(self.view.font())
        longest = max((metrics.horizontalAdvance(row.name) for row in self.session.rows), default=0.0)
        return max(Column.LAYER.about.width, math.ceil(longest) + MARGIN)

    def _resized(self, column, *_):
        self._chosen |= column == Column.LAYER and not self._fitting
        self._elide(column)

    def _show_picture(self):
        self._show_columns()
        self.keep_in_sight()

    def _show_columns(self):
        self.columns.show_measured(self.session.measured is not None, sensed=self.session.sensitivity is not None)

    def _elide(self, column):
        """Shortens names of layers where that keeps them apart."""
        if column == Column.LAYER:
            room = self.view.columnWidth(Column.LAYER) - MARGIN
            names = [row.name for row in self.session.rows]
            self.names.shown = short_names(names, QtGui.QFontMetricsF(self.view.font()), room) if names else {}
            self.view.viewport().update()

    def selected(self) -> list[str]:
        """The layers whose rows are selected and can be changed."""
        rows = [self.proxy.mapToSource(index) for index in self.view.selectionModel().selectedRows()]
        names = [self.model.layer(index) for index in rows]
        return [name for name in names if not self.session.need_opened().row(name).locked]

    def to_change(self) -> list[str]:
        """Like `selected`; says why if there are none."""
        names = self.selected()
        if not names:
            rows = self.view.selectionModel().selectedRows()
            self.said.emit(self._why_fixed(rows[0]) if rows else NOTHING_SELECTED)
        return names

    def _why_fixed(self, index):
        return words.why_layer(self.session, self.model.layer(self.proxy.mapToSource(index)))

    def eventFilter(self, watched, event):  # noqa: N802 (Qt's name)
        """Explains why a layer cannot be changed when a key would change it; Esc shows all layers again."""
        if watched is self.finder:
            return self._is_cleared(event) or super().eventFilter(watched, event)
        if event.type() == QtCore.QEvent.Type.Resize:
            self._share_room()
        keys = (QtCore.Qt.Key.Key_Space, QtCore.Qt.Key.Key_F2)
        if event.type() == QtCore.QEvent.Type.KeyPress and event.key() in keys:
            return self._is_changed(event.key()) or super().eventFilter(watched, event)
        return super().eventFilter(watched, event)

    def _is_changed(self, key):
        """Whether a key changes the layer at hand from a column in which Qt would do nothing."""
        index = self.view.currentIndex()
        if not index.isValid():
            return False
        if self.session.rows[self.proxy.mapToSource(index).row()].locked:
            self.said.emit(self._why_fixed(index))
            return False
        cap = key == QtCore.Qt.Key.Key_F2
        if index.column() == (Column.CAP if cap else Column.LOCK):
            return False
        if not cap:
            self.lock_selected()
            return True
        own = index.siblingAtColumn(Column.CAP)
        self.view.selectionModel().setCurrentIndex(own, QtCore.QItemSelectionModel.SelectionFlag.NoUpdate)
        self.view.edit(own)
        return True

    def _is_cleared(self, event):
        """Whether it is Esc in the box that finds layers, which clears it before it stops a run."""
        kinds = (QtCore.QEvent.Type.ShortcutOverride, QtCore.QEvent.Type.KeyPress)
        if event.type() not in kinds or event.key() != QtCore.Qt.Key.Key_Escape or not self.finder.text():
            return False
        event.accept()
        if event.type() == QtCore.QEvent.Type.KeyPress:
            self.finder.clear()
        return True

    def lock_selected(self):
        """Locks the selected layers; if all of them are locked, unlocks them."""
        names = self.to_change()
        if names:
            self.edits.editor.set_locks(names, not set(names) <= self.session.choices.locked)

    def _point(self, current, _previous):
        if current.isValid():
            layer = self.model.layer(self.proxy.mapToSource(current))
            if layer != self.session.layer:
                self.session.point_at(layer)

    def _tell_selection(self, *_):
        rows = self.view.selectionModel().selectedRows()
        self.selection.emit([self.proxy.mapToSource(index).row() for index in rows])

    def _follow(self):
        if self.session.layer is None:
            return
        index = self.proxy.mapFromSource(self.model.index(self.model.row_of(self.session.layer), 0))
        if index.isValid() and index.row() != self.view.currentIndex().row():
            index = index.siblingAtColumn(max(0, self.view.currentIndex().column()))
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index)


def _show_column(view, column):
    view.setColumnWidth(column, column.about.width)
    if column.about.edit is not None:
        view.setItemDelegateForColumn(column, CapDelegate(view))
    if column.about.tick is not None:
        view.setItemDelegateForColumn(column, CheckBoxDelegate(view))


class SelectionBar(QtWidgets.QWidget):
    """Caps and locks for all selected layers at once."""

    def __init__(self, table: LayerTable, editor: Editor):
        super().__init__(table)
        self.table, self.editor = table, editor
        self.share = QtWidgets.QSpinBox(maximum=100, value=50, singleStep=5, suffix=" %")
        self.share.setAccessibleName("Cap for the selected layers, in percent")
        self.share.setStatusTip("At most this share of the filters of each selected layer may be removed")
        UndoKeys(self.share, self.share.lineEdit())
        label = QtWidgets.QLabel("Cap &selected at")
        label.setBuddy(self.share)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(label)
        layout.addWidget(self.share)
        self.cap = self._button("A&pply", "Cap the selected layers", self.cap_selected)
        self.free = self._button("Remove cap", "Remove the caps of the selected layers", self.free_selected)
        self.lock = self._button("&Lock", "Lock or unlock the selected layers", table.lock_selected)
        for button in (self.cap, self.free, self.lock):
            layout.addWidget(button)

    @staticmethod
    def _button(text, tip, slot):
        button = QtWidgets.QPushButton(text)
        button.setAccessibleName(tip)
        button.setStatusTip(f"{tip}; layers that lose filters together change together")
        button.setMinimumWidth(max(40, button.fontMetrics().horizontalAdvance(text) + 10))
        button.clicked.connect(slot)
        return button

    def cap_selected(self):
        """Gives each selected layer the cap in the box."""
        self._cap(self.share.value() / 100)

    def free_selected(self):
        """Removes the caps of the selected layers."""
        self._cap(None)

    def _cap(self, share):
        names = self.table.to_change()
        if names:
            self.editor.set_caps(names, share)
            self.editor.end_gesture()
