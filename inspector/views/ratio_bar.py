"""The ratio to remove, and the savings."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from firekeras.report.tables import short_number
from inspector.models import Editor
from inspector.state import CHOICES, DOCUMENT, PICTURE, Session, change, obstacles, percent, remarks, words
from inspector.views.figure_label import ACCURACY_FIGURE, LATENCY_FIGURE, FigureLabel
from inspector.widgets import CUT, UndoKeys

MOST = 99.0  # percent
TIP = "The share of the removable filters to remove in one cut, ranked over all layers together"
NOTHING, PLANNING = "Nothing is open", "Planning a cut that reaches the goal… Ctrl+. ends it"
EXACT = "Exact: these are counted for the network after the cut, not estimated."
SLOW = 250  # milliseconds after which a plan is worth a word
UNKNOWN, IN_PYTHON = "Measure FIRE (F5) to preview a cut", "Measure FIRE in Python to preview a cut"


class RatioBar(QtWidgets.QWidget):
    """A slider, a box for exact numbers, and the costs that follow."""

    def __init__(self, session: Session, editor: Editor, parent=None):
        super().__init__(parent)
        self.session, self.editor = session, editor
        self.slider = LimitedSlider(QtCore.Qt.Orientation.Horizontal)
        self.slider.setMaximum(round(MOST * 10))
        self.slider.setPageStep(50)
        self.box = QtWidgets.QDoubleSpinBox(decimals=1, maximum=MOST, singleStep=1, suffix=" %")
        self.box.setKeyboardTracking(False)
        for control, name in ((self.slider, "Filters to remove"), (self.box, "Filters to remove, in percent")):
            control.setAccessibleName(name)
        UndoKeys(self.box, self.box.lineEdit())
        label = QtWidgets.QLabel("F&ilters to remove")
        label.setBuddy(self.slider)
        self.costs = QtWidgets.QLabel()
        self.costs.setAccessibleName("Costs before and after")
        self.latency, self.accuracy = (FigureLabel(session, each) for each in (LATENCY_FIGURE, ACCURACY_FIGURE))
        self.most = QtWidgets.QLabel()
        self.most.setAccessibleName("The most that caps and limits allow")
        self._slow = QtCore.QTimer(self, singleShot=True, interval=SLOW)
        self._slow.timeout.connect(self._say_planning)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        choice = QtWidgets.QGridLayout()
        choice.setVerticalSpacing(0)
        choice.addWidget(label, 0, 0)
        choice.addWidget(self.slider, 1, 0)
        choice.addWidget(self.box, 0, 1, 2, 1)
        layout.addLayout(choice, 1)
        figures = QtWidgets.QVBoxLayout()
        figures.setSpacing(0)
        for figure in (self.most, self.costs, self.latency, self.accuracy):
            figures.addWidget(figure)
        layout.addLayout(figures)
        for control in (self.slider, self.box):
            control.installEventFilter(self)
        self.slider.valueChanged.connect(lambda value: editor.set_ratio(value / 1000))
        self.slider.sliderReleased.connect(editor.end_gesture)
        self.box.valueChanged.connect(lambda value: editor.set_ratio(value / 100))
        for what in (CHOICES, PICTURE):
            session.listen(what, self._show)
        session.listen(DOCUMENT, self._show_document)
        self._show_document()

    def eventFilter(self, watched, event):  # noqa: N802 (Qt's name)
        """Each press of a key or button begins a new change; holding it down continues the change."""
        if _is_pressed(event):
            self.editor.end_gesture()
        return super().eventFilter(watched, event)

    def take_focus(self):
        """Moves the focus to the number, ready to be typed over."""
        self.box.setFocus()
        self.box.selectAll()

    def _show_document(self):
        measured = self.session.measured is not None
        for control in (self.slider, self.box):
            control.setEnabled(measured)
            control.setStatusTip(TIP if measured else f"{TIP}. Not now: nothing is measured yet")
            control.setToolTip(control.statusTip())
        self._show()

    def _show(self):
        percent = 100 * self.session.ratio
        with QtCore.QSignalBlocker(self.slider), QtCore.QSignalBlocker(self.box):
            self.slider.setValue(round(10 * percent))
            self.box.setValue(percent)
        self.costs.setText(self._costs())
        graph = self.session.opened.graph if self.session.opened else None
        self.costs.setToolTip("\n".join([EXACT, *remarks.joined(graph.notes if graph else ())]))
        self._show_most()

    def _show_most(self):
        """Marks the most that caps and limits allow, and says it if more was asked for; or what is odd about a goal."""
        measured, choices = self.session.measured, self.session.choices
        most = measured.planner.most(choices) if measured else 1.0
        self.slider.mark(most)
        of_goal = words.out_of_reach(self.session) or words.met_already(self.session)
        self.most.setVisible(bool(of_goal) or (choices.goal is None and choices.ratio > most))
        self.most.setText(of_goal or f"Caps and limits allow {most:.1%} at most")
        self.most.setToolTip(words.why_out_of_reach(self.session))
        if not self.session.pending:
            self._slow.stop()
        elif not self._slow.isActive():
            self._slow.start()

    def _say_planning(self):
        """Says that the figures are still those of the cut before; quick plans need no word."""
        self.most.setText(PLANNING)
        self.most.setToolTip("")
        self.most.show()

    def _costs(self):
        opened, measured = self.session.opened, self.session.measured
        if opened is None:
            return NOTHING if self.session.document is None else self._unknown()
        before = opened.costs
        if measured is None:
            return f"MACs {short_number(before.macs)}   params {short_number(before.params)}\n{self._unknown()}"
        after = self.session.cut.costs
        costs = f"{_change('MACs', before.macs, after.macs)}   {_change('params', before.params, after.params)}"
        return f"{self._of_what()}{costs}"

    def _unknown(self):
        return IN_PYTHON if obstacles.several_inputs(self.session) else UNKNOWN

    def _of_what(self):
        """Which network the figures belong to, if it is not obvious."""
        which = words.of_what(self.session)
        return f"{which}:\n" if which else ""


class LimitedSlider(QtWidgets.QSlider):
    """A slider with a mark at the most that is allowed; what lies beyond is hatched."""

    allowed = 1.0

    def mark(self, most: float):
        """Marks a share, from 0 to 1; 1 for no mark."""
        self.allowed = most
        self.update()

    def mark_at(self) -> int:
        """The place of the mark, in pixels from the left: where the middle of the handle stands at that value."""
        option = QtWidgets.QStyleOptionSlider()
        self.initStyleOption(option)
        pixel = self.style().pixelMetric
        handle = pixel(QtWidgets.QStyle.PixelMetric.PM_SliderLength, option, self)
        value = min(self.maximum(), round(1000 * self.allowed))
        room = self.width() - handle
        return handle // 2 + self.style().sliderPositionFromValue(self.minimum(), self.maximum(), value, room)

    def paintEvent(self, event):  # noqa: N802 (Qt's name)
        super().paintEvent(event)
        if 1000 * self.allowed < self.maximum() and self.isEnabled():
            painter = QtGui.QPainter(self)
            beyond = QtCore.QRect(self.mark_at(), self.height() // 2 - 3, self.width() - self.mark_at(), 6)
            painter.fillRect(beyond, QtGui.QBrush(QtGui.QColor(*CUT), QtCore.Qt.BrushStyle.BDiagPattern))
            painter.setPen(QtGui.QPen(QtGui.QColor(*CUT), 2))
            painter.drawLine(self.mark_at(), 1, self.mark_at(), self.height() - 2)
            painter.end()


def _is_pressed(event):
    kinds = QtCore.QEvent.Type
    if event.type() in (kinds.KeyPress, kinds.KeyRelease):
        return not event.isAutoRepeat()
    return event.type() == kinds.MouseButtonPress


def _change(name, before, after):
    share = f" ({percent(change(before, after))})" if before else ""
    return f"{name} {short_number(before)} → {short_number(after)}{share}"
