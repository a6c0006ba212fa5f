"""The heatmap: FIRE of the whole network, a row per layer, with the filters that would go hatched at once."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6 import QtCore, QtGui, QtWidgets

from inspector.models import Editor
from inspector.state import (
    CELL,
    CHOICES,
    DOCUMENT,
    PADDING,
    PICTURE,
    WHOLE,
    Mode,
    Session,
    bands,
    criteria,
    heatmap_image,
    obstacles,
    scale_of,
    stretches,
    words,
)
from inspector.views.heatmap_box import HeatmapBox
from inspector.views.heatmap_items import CapMarks, GoneCells, PointedAt
from inspector.views.legend import Legend
from inspector.views.name_axis import NameAxis
from inspector.widgets import name, theme

AS_THEY_ARE = (0, 255)  # pyqtgraph would stretch the contrast otherwise
LETTERS = 11  # of a choice beside the legend; the list below it is as wide as it needs
STEP = 0.05  # by which a key changes a cap
HELP = "Arrow keys move; plus and minus change the cap; L locks; Enter shows the filter; the mouse wheel zooms"
NO_LAYER = "Click a layer or filter first, or use the arrow keys."


class HeatmapView(pg.PlotWidget):
    """Shows a session's filters; clicks, drags and keys go back to it.

    Signals:
        said: A line for the status bar.
        activated: Enter was pressed on a filter.
    """

    said = QtCore.Signal(str)
    activated = QtCore.Signal()
    menu_wanted = QtCore.Signal(object)

    def __init__(self, session: Session, editor: Editor, parent=None):
        self.session, self.editor = session, editor
        self.box, self.names = HeatmapBox(self._edges), NameAxis(theme.current())
        super().__init__(parent, viewBox=self.box, axisItems={"left": self.names})
        self._add_items()
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        name(self, "Heatmap of FIRE, filters by layer", HELP)
        self._connect()
        self.take_theme()

    def _add_items(self):
        plot = self.getPlotItem()
        plot.hideAxis("bottom")
        plot.hideButtons()
        self.image = pg.ImageItem(axisOrder="row-major")
        self.gone, self.caps, self.pointed = GoneCells(), CapMarks(), PointedAt()
        self._found: set[int] | None = None
        self._selected: list[int] = []
        self._shown: list[int] = []
        self._line_of: dict[int, int] = {}
        self.divider = pg.InfiniteLine(0, movable=True, pen=pg.mkPen(theme.CUT, width=3))
        for item in (self.image, self.gone, self.caps, self.pointed, self.divider):
            self.box.addItem(item, ignoreBounds=True)
        self.divider.setVisible(False)

    def _connect(self):
        session = self.session
        session.listen(DOCUMENT, self._show_document)
        session.listen(PICTURE, self._show_document)
        session.listen(CHOICES, self._show_choices)
        session.listen(CELL, self._show_cell)
        self.box.pressed.connect(self._point)
        self.box.dragged.connect(self._drag)
        self.box.menu_wanted.connect(self._ask_for_menu)
        self.scene().sigMouseMoved.connect(self._hover)
        self.divider.sigPositionChanged.connect(self._show_image)

    # what is shown

    def take_theme(self):
        """Takes the colours of the application's palette."""
        current = theme.current()
        self.setBackground(current.background)
        self.names.take_theme(current)
        if self.session.measured is not None:
            self._show_image()
            self._show_cell()

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        if event is not None:  # pyqtgraph calls it before there are names
            self.names.fit(self.width())

    def _show_document(self):
        session, measured = self.session, self.session.measured
        if measured is None:
            return
        cells = measured.cells
        self._shown = [row for row in range(len(session.rows)) if not self._found or row in self._found]
        self._line_of = {row: line for line, row in enumerate(self._shown)}
        self._show_names()
        for item in (self.gone, self.caps, self.pointed):
            item.cover(cells.columns, len(self._shown))
        self.divider.setVisible(session.mode is Mode.SPLIT)
        if session.mode is Mode.SPLIT and not 0 < self.divider.value() < cells.columns:
            self.divider.setValue(cells.columns / 2)
        self.box.setLimits(xMin=0, xMax=cells.columns, yMin=0, yMax=len(self._shown), minYRange=1, minXRange=1)
        self.show_whole()
        self._show_image()
        self._show_choices()
        self._show_cell()
        self.show_selected(self._selected)

    def _show_names(self):
        rows, measured = self.session.rows, self.session.need_measured()
        locked = [line for line, row in enumerate(self._shown) if rows[row].locked]
        groups = [[measured.row_of(name) for name in group] for group in measured.graph.groups if len(group) > 1]
        lanes = [(lane, self._lines(members)) for lane, members in bands(groups)]
        self.names.show_layers([rows[row].name for row in self._shown], locked, lanes)

    def _lines(self, rows):
        """Where rows are shown, without those that are not."""
        return [self._line_of[row] for row in rows if row in self._line_of]

    def show_found(self, rows: set[int] | None):
        """Shows only these rows; all if there are none, or `None`."""
        if rows != self._found:
            self._found = rows
            self._show_document()

    def show_selected(self, rows: list[int]):
        """Frames the selected rows."""
        self._selected = rows
        self.pointed.show_selected(self._lines(rows) if len(rows) > 1 else [], theme.current().focus)

    def show_whole(self):
        """Shows all rows and columns."""
        cells = self.session.need_measured().cells
        self.box.setRange(QtCore.QRectF(0, 0, cells.columns, len(self._shown)), padding=0)

    def _show_image(self):
        current, session = theme.current(), self.session
        session.split = self.divider.value()
        picture = heatmap_image(session, session.mode, session.split, current.background, current.unscored)
        self.image.setImage(picture[self._shown], levels=AS_THEY_ARE)

    def _show_choices(self):
        session, measured = self.session, self.session.measured
        if measured is None:
            return
        whole = session.mode in WHOLE
        grid = measured.cells.grid
        marked = stretches((session.hatched[grid] & (grid != PADDING))[self._shown])
        self.gone.show_runs(*marked, cut=not words.is_done(session))
        self.gone.setVisible(whole)
        if not whole and session.comparison is None:
            self._show_image()
        caps = session.choices.layer_caps
        rows = [(measured.row_of(name), share) for name, share in caps.items()]
        shown = [(row, share) for row, share in rows if row in self._line_of]
        marks = [(self._line_of[row], _cap_column(measured.cells, row, share)) for row, share in shown]
        self.caps.show_marks(marks)

    def _show_cell(self):
        session, measured = self.session, self.session.measured
        row = -1 if measured is None or session.layer is None else measured.row_of(session.layer)
        if measured is None or row not in self._line_of:
            self.names.show_current(-1)
            self.pointed.show_cell(None, None, (0, 0, 0))
            return
        cells, line = measured.cells, self._line_of[row]
        self.names.show_current(line)
        end = cells.left_edge(row, cells.width(row))
        cell = None if session.filter is None else _cell_rect(cells, row, session.filter, line)
        self.pointed.show_cell(QtCore.QRectF(0, line, end, 1), cell, theme.current().focus)
        self._say_cell()

    def _say_cell(self):
        line = words.cell(self.session)
        self.setAccessibleDescription(line)
        self.said.emit(line)

    # the mouse

    def _edges(self, line):
        """The columns of a row that can be dragged: the first filter that goes, and the cap."""
        session, measured = self.session, self.session.measured
        if measured is None or not 0 <= line < len(self._shown) or measured.rows[self._shown[line]].locked:
            return []
        row = self._shown[line]
        name = measured.rows[row].name
        edges = [measured.cells.left_edge(row, measured.preview.widths[name])]
        if name in session.choices.caps:
            edges.append(_cap_column(measured.cells, row, session.choices.caps[name]))
        return edges

    def _drag(self, line, column, last):
        row = self._shown[line]
        layer = self.session.rows[row].name
        self.editor.set_caps([layer], self.session.need_measured().cells.share_right_of(row, column))
        self.said.emit(words.of_cap(self.session, layer))
        if last:
            self.editor.end_gesture()

    def _cell_at(self, line, column):
        measured = self.session.measured
        if measured is None or not 0 <= line < len(self._shown):
            return None, None
        row = self._shown[line]
        return measured.rows[row].name, measured.cells.filter_at(row, column)

    def _point(self, line, column):
        layer, filter = self._cell_at(line, column)
        if layer is not None:
            self.session.point_at(layer, filter)

    def _ask_for_menu(self, line, column, place):
        self._point(line, column)
        self.menu_wanted.emit(place.toPoint())

    def _hover(self, place):
        at = self.box.mapSceneToView(place)
        inside, on_names = (item.sceneBoundingRect().contains(place) for item in (self.box, self.names))
        line = int(at.y()) if inside or on_names else -1
        layer, filter = self._cell_at(line, at.x())
        self.names.show_hovered(-1 if layer is None else line)
        self.setToolTip(layer if on_names and layer else "")
        if layer is not None and filter is not None:
            self.said.emit(words.readout(self.session, layer, filter))

    # the keyboard

    def keyPressEvent(self, event):  # noqa: N802 (Qt's name)
        if self.session.measured is None or not self._on_key(event.key()):
            super().keyPressEvent(event)

    def _on_key(self, key):
        keys = QtCore.Qt.Key
        moves = {keys.Key_Left: (0, -1), keys.Key_Right: (0, 1), keys.Key_Up: (-1, 0), keys.Key_Down: (1, 0)}
        jumps = {keys.Key_Home: -(1 << 30), keys.Key_End: 1 << 30, keys.Key_PageUp: -8, keys.Key_PageDown: 8}
        if key in moves:
            self._move(*moves[key])
        elif key in jumps:
            self._move(0, jumps[key])
        elif key in (keys.Key_Plus, keys.Key_Minus):
            by = STEP if key == keys.Key_Plus else -STEP
            self._change(lambda layer: self._change_cap(layer, by))
        elif key == keys.Key_L:
            self._change(self._lock)
        elif key in (keys.Key_Return, keys.Key_Enter):
            self.activated.emit()
        else:
            return False
        return True

    def _move(self, down, right):
        session, measured = self.session, self.session.need_measured()
        cells = measured.cells
        if session.layer is None:
            first = self._shown[0]
            session.point_at(measured.rows[first].name, cells.filter_in(first, 0))
            return
        old = measured.row_of(session.layer)
        line = self._line_of.get(old, 0) + down
        row = self._shown[min(max(0, line), len(self._shown) - 1)]
        place = 0 if session.filter is None else cells.position(old, session.filter)
        if cells.stretched and down:
            place = place * cells.width(row) // cells.width(old)
        session.point_at(measured.rows[row].name, cells.filter_in(row, place + right))

    def _change(self, change):
        """Changes the layer that is pointed at, and reports what it now keeps, or why it cannot be changed."""
        session, layer = self.session, self.session.layer
        if layer is None:
            self.said.emit(NO_LAYER)
            return
        if not session.need_opened().row(layer).locked:
            change(layer)
        self.said.emit(words.why_layer(session, layer))

    def _lock(self, layer):
        self.editor.set_locks([layer], layer not in self.session.choices.locked)

    def _change_cap(self, layer, by):
        cap = min(1.0, max(0.0, round(self.session.choices.caps.get(layer, 1.0) + by, 2)))
        self.editor.set_caps([layer], cap)

    def focusInEvent(self, event):  # noqa: N802 (Qt's name)
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event):  # noqa: N802 (Qt's name)
        super().focusOutEvent(event)
        self.viewport().update()

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        super().paintEvent(event)
        if self.hasFocus():
            painter = QtGui.QPainter(self.viewport())
            painter.setPen(QtGui.QPen(self.palette().color(QtGui.QPalette.ColorRole.Highlight), 3))
            painter.drawRect(self.viewport().rect().adjusted(1, 1, -2, -2))
            painter.end()

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self.take_theme()


def _cap_column(cells, row, share):
    return cells.left_edge(row, cells.width(row) * (1 - share))


def _cell_rect(cells, row, filter, line):
    place = cells.position(row, filter)
    left, right = cells.left_edge(row, place), cells.left_edge(row, place + 1)
    return QtCore.QRectF(left, line, right - left, 1)


class HeatmapPanel(QtWidgets.QWidget):
    """The heatmap with its title, its choice of pictures and of criteria, and its legend.

    Signals:
        ranked: The name of a criterion that was chosen.
    """

    ranked = QtCore.Signal(str)

    def __init__(self, view: HeatmapView, parent=None):
        super().__init__(parent)
        self.view, self.legend = view, Legend()
        self.mode = QtWidgets.QComboBox()
        self.modes = QtGui.QStandardItemModel(self)
        for mode in Mode:
            self.modes.appendRow(QtGui.QStandardItem(mode.value))
        self.mode.setModel(self.modes)
        tip = "Before the cut, after it, the difference, both beside a movable line, or removed filters hatched"
        name(self.mode, "What the heatmap shows", tip)
        self.mode.activated.connect(self._choose)
        top = QtWidgets.QHBoxLayout()
        top.setSpacing(8)
        self.criterion = self._make_criterion()
        chosen = QtWidgets.QVBoxLayout()
        chosen.setSpacing(2)
        for box in (self.mode, self.criterion):
            box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(LETTERS)
            box.view().setMinimumWidth(box.view().sizeHintForColumn(0) + 24)
            chosen.addWidget(box)
        top.addWidget(self.legend, 1)
        top.addLayout(chosen)
        self._column = layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(view, 1)
        for what in (PICTURE, DOCUMENT, CHOICES):
            view.session.listen(what, self._show_mode)

    def put_above(self, widget: QtWidgets.QWidget):
        """Puts a widget above the legend."""
        self._column.insertWidget(0, widget)

    def _make_criterion(self):
        box = QtWidgets.QComboBox()
        for number, criterion in enumerate(criteria.names()):
            box.addItem(criteria.title(criterion), criterion)
            box.setItemData(number, criteria.tip(criterion), QtCore.Qt.ItemDataRole.ToolTipRole)
        name(box, "What filters are ranked by", "FIRE, or another criterion; each says which filters it removes first")
        box.activated.connect(lambda number: self.ranked.emit(box.itemData(number)))
        return box

    def show_criterion(self):
        """Shows what filters are ranked by."""
        measured = self.view.session.measured
        self.criterion.setEnabled(measured is not None)
        if measured is not None:
            self.criterion.setCurrentIndex(self.criterion.findData(measured.scores.criterion))
            self.criterion.setToolTip(criteria.tip(measured.scores.criterion))

    def _choose(self, index):
        self.view.session.compare(self.view.session.comparison, list(Mode)[index])

    def _show_mode(self):
        mode = self.view.session.mode
        for number, each in enumerate(Mode):
            obstacle = obstacles.no_picture(self.view.session, each)
            self.modes.item(number).setEnabled(not obstacle)
            self.modes.item(number).setToolTip(f"Not now: {obstacle}." if obstacle else "")
        self.mode.setCurrentIndex(list(Mode).index(mode))
        session = self.view.session
        self.legend.show_mode(
            mode,
            scale_of(session) if session.measured is not None else (0.0, 1.0),
            score=words.score_name(session),
            done=words.is_done(session),
            coupled=any(row.group >= 0 for row in session.rows),
        )
        self.show_criterion()
