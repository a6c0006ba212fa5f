"""A run, in progress or over: its state, accuracy and MACs by round, and its output."""

from __future__ import annotations

import math
import time

import pyqtgraph as pg
from PySide6 import QtCore, QtGui, QtWidgets

from inspector.children import Pace
from inspector.state import RunView, remarks
from inspector.widgets import action_button, name, theme

BELOW_AXIS = 52  # pixels: the ticks and the title of the axis of rounds, and edges
AXIS_WIDTH = 64  # pixels: a label beside ticks of three decimals
LOG_LINES = 5000
FRAMES = {chr(code) for code in range(0x2800, 0x2900)}
NO_RUN = "No run is open. Run (Ctrl+R) prunes and fine-tunes in rounds."
NAMES = ("baseline", "tolerance")  # of lines
BESIDE_NAMES, MOST_FOR_NAMES = 16, 0.55  # pixels, and the largest share of a chart
LEFT = 0.08  # of a chart, before round 0
PADDING = 0.35  # of each chart around what is drawn, for the names of lines at its edges


class RunPanel(QtWidgets.QWidget):
    """Shows a `RunView`; its buttons are the window's actions."""

    def __init__(self, actions, parent=None):
        super().__init__(parent)
        self.status = QtWidgets.QLabel(NO_RUN, wordWrap=True)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setAccessibleName("Progress")
        self.bar.hide()
        self._pace = Pace()
        self.chart = RunChart()
        self.chart.hide()
        self.log = QtWidgets.QPlainTextEdit(readOnly=True, maximumBlockCount=LOG_LINES)
        self.log.setAccessibleName("Log")
        self.log.setStatusTip("The output of the process")
        self.log.setTabChangesFocus(True)
        self.log.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.log.setPlaceholderText("Output appears here")
        self._following, self._bar = True, self.log.verticalScrollBar()
        self._bar.actionTriggered.connect(self._note_scrolling)
        left = QtWidgets.QVBoxLayout()
        left.addWidget(_scrolled(self.status, "Status of the run"), 1)
        left.addWidget(self.bar)
        buttons = QtWidgets.QGridLayout()
        for number, action in enumerate(actions):
            button = action_button(action)
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
            buttons.addWidget(button, number // 2, number % 2)
        left.addLayout(buttons)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(left, 3)
        layout.addWidget(self.chart, 4)
        layout.addWidget(self.log, 3)

    def say(self, line: str):
        """Adds a line to the log; a frame of a spinner replaces the one before it."""
        last = self.log.document().lastBlock()
        if _is_frame(line) and _is_frame(last.text()):
            cursor = QtGui.QTextCursor(last)
            cursor.select(QtGui.QTextCursor.SelectionType.BlockUnderCursor)
            cursor.removeSelectedText()
        self.log.appendPlainText(line)
        self._follow()

    def say_once(self, text: str):
        """Adds a text to the log unless that holds it already, in lines of any length."""
        if " ".join(text.split()) not in " ".join(self.log.toPlainText().split()):
            self.say(text)

    def _follow(self):
        """Keeps the last line in sight, unless a person has scrolled to others; once it is known how high lines are."""
        if self._following and not self.log.textCursor().hasSelection():
            QtCore.QTimer.singleShot(0, self.log, self._show_end)

    def _show_end(self):
        """Goes to the end by the cursor: the scroll bar only knows of lines that were drawn."""
        self.log.moveCursor(QtGui.QTextCursor.MoveOperation.End)
        self.log.ensureCursorVisible()

    def _note_scrolling(self, *_):
        QtCore.QTimer.singleShot(0, self.log, self._ask_where)

    def _ask_where(self):
        self._following = self._bar.value() >= self._bar.maximum()

    def showEvent(self, event):  # noqa: N802 (Qt's name)
        super().showEvent(event)
        self._follow()

    def show_progress(self, done: int, of: int):
        """Shows progress; 0 of 0 if it is unknown."""
        self.bar.setMaximum(of)
        self.bar.setValue(done)
        left = self._pace.left(done, of, time.monotonic())
        self.bar.setFormat(f"{done} of {of} (%p%), {left}" if left else "%v of %m (%p%)")
        self.bar.setAccessibleDescription(self.bar.text())
        self.bar.show()

    def hide_progress(self):
        """Shows that nothing is in progress."""
        self._pace = Pace()
        self.bar.hide()

    def show_run(self, run: RunView | None, doing: str = "", alive: bool = False):
        """Shows a run.

        Args:
            run: The `RunView`, or `None`.
            doing: A text on the current activity, shown above the run.
            alive: Whether it is known to be running.
        """
        if run is None:
            self.status.setText(doing)
            self.chart.clear_run()
            self.chart.hide()
            return
        report = run.report
        lines = [run.status(alive=alive), run.tally, *filter(None, [report.time_spent])]
        lines += [f"{name}: {before} → {after} ({change})" for name, before, after, change in report.comparison()]
        lines += remarks.joined(report.remarks)
        self.status.setText("\n".join([doing, *lines] if doing else lines))
        self.chart.show_report(report)
        self.chart.show()

    def take_theme(self):
        """Takes the colours of the application's palette."""
        self.chart.take_theme()


def _is_frame(line):
    """Whether a line begins with a sign of braille, as frames of spinners do."""
    return line[:1] in FRAMES


def _scrolled(label, title) -> QtWidgets.QScrollArea:
    """A label that may be longer than its space."""
    area = QtWidgets.QScrollArea(widgetResizable=True)
    area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
    label.setAlignment(QtCore.Qt.AlignmentFlag.AlignTop)
    area.setWidget(label)
    area.setAccessibleName(title)
    return area


class RoundAxis(pg.AxisItem):
    """Places ticks at whole rounds only, from 0 to the last one."""

    last = 0

    def end_at(self, last: int):
        """Draws again, with ticks up to another round."""
        self.last, self.picture = last, None
        self.update()

    def tickSpacing(self, minVal, maxVal, size):  # noqa: N802, N803 (pyqtgraph's names)
        return [level for level in super().tickSpacing(minVal, maxVal, size) if level[0] >= 1] or [(1, 0)]

    def tickValues(self, minVal, maxVal, size):  # noqa: N802, N803 (pyqtgraph's names)
        levels = super().tickValues(minVal, maxVal, size)
        return [(spacing, [at for at in values if 0 <= at <= self.last]) for spacing, values in levels]


class AmountAxis(pg.AxisItem):
    """Places no ticks below 0 if no value is, though there is room for names."""

    least = 0.0

    def tickValues(self, minVal, maxVal, size):  # noqa: N802, N803 (pyqtgraph's names)
        levels = super().tickValues(minVal, maxVal, size)
        return [(spacing, [at for at in values if at >= min(0.0, self.least)]) for spacing, values in levels]


def _with_room(values) -> tuple[float, float]:
    """The ends of an axis around some values, with room for names."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    room = PADDING * ((high - low) or abs(high) or 1.0)
    return low - room, high + room


class RunChart(pg.GraphicsLayoutWidget):
    """The metric by round with its limit, and the MACs that are left."""

    _report = None

    def __init__(self, parent=None):
        super().__init__(parent)
        name(self, "Accuracy and MACs by round")
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(240, 150)
        self.metric, self.macs = (self._plot(k) for k in range(2))
        self.macs.setXLink(self.metric)
        for plot in (self.metric, self.macs):
            plot.hideButtons()
            plot.setDefaultPadding(PADDING)
            plot.getAxis("left").setWidth(AXIS_WIDTH)
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
            plot.setMouseEnabled(x=False, y=False)
            plot.setLabel("bottom", "round")
        self._marked = None
        self.take_theme()

    def _plot(self, column):
        axes = {"bottom": RoundAxis("bottom"), "left": AmountAxis("left")}
        return self.addPlot(0, column, enableMenu=False, axisItems=axes)

    def mark(self, number: int | None):
        """Marks the round that the heatmap shows; `None` for none."""
        self._marked = number
        if self._report is not None:
            self.show_report(self._report)

    def take_theme(self):
        """Takes the colours of the application's palette."""
        current = theme.current()
        self.setBackground(current.background)
        for plot in (self.metric, self.macs):
            theme.style_plot(plot, current)
        if self._report is not None:
            self.show_report(self._report)

    def clear_run(self):
        """Shows nothing."""
        self._report = None
        self.metric.clear()
        self.macs.clear()

    def show_report(self, report):
        """Draws a `RunReport`."""
        self._report = report
        self.metric.clear()
        self.macs.clear()
        current = theme.current()
        self._name_axes(report)
        self._lines(report, current)
        kept = [(0, report.baseline, 1.0), *((r.number, r.accuracy, self._left(report, r)) for r in report.accepted)]
        undone = [(r.number, r.accuracy, self._left(report, r)) for r in report.undone]
        if self._marked is not None:
            for plot in (self.metric, self.macs):
                mark = pg.InfiniteLine(self._marked, angle=90, pen=pg.mkPen(current.focus, width=2))
                mark.setZValue(-1)  # behind the names of lines
                plot.addItem(mark)
        line, last = pg.mkPen(current.text, width=2), max(number for number, *_ in (*kept, *undone))
        for plot, field in ((self.metric, 1), (self.macs, 2)):
            self._points(plot, kept, field, pen=line, symbol="o", symbolBrush=current.text)
            self._points(plot, undone, field, pen=None, symbol="x", symbolBrush=theme.CUT)
            plot.getAxis("bottom").end_at(last)
            drawn = [each[field] for each in (*kept, *undone)]
            values = [*drawn, *((report.baseline, report.limit) if field == 1 else ())]
            plot.getAxis("left").least = min(filter(math.isfinite, values), default=0.0)
            plot.setYRange(*_with_room(values), padding=0)

        self._fit_rounds()

    def _fit_rounds(self):
        """Leaves room for the names of lines on the right of the last round."""
        last = max(1, self.metric.getAxis("bottom").last)
        names = max(map(QtGui.QFontMetricsF(self.font()).horizontalAdvance, NAMES)) + BESIDE_NAMES
        right = min(MOST_FOR_NAMES, names / max(1.0, self.metric.vb.width()))
        span = last / (1 - LEFT - right)
        self.metric.setXRange(-LEFT * span, last + right * span, padding=0)  # the other chart is linked

    def _name_axes(self, report):
        """Names the axes; long names lose their beginning, since their last words say most."""
        metrics = QtGui.QFontMetricsF(self.font())
        for plot, title in ((self.metric, report.monitor), (self.macs, "MACs remaining")):
            axis, room = plot.getAxis("left"), self.height() - BELOW_AXIS
            axis.setLabel(metrics.elidedText(title, QtCore.Qt.TextElideMode.ElideLeft, room))
            axis.resizeEvent()  # which puts the text into the middle

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        if self._report is not None:
            self._name_axes(self._report)
            self._fit_rounds()

    def _lines(self, report, current):
        below, above = (1, 0), (1, 1)  # outside of both lines, which may be close together
        under = report.limit > report.baseline  # of a loss, more is worse
        lines = (
            (report.baseline, "DashLine", NAMES[0], below if under else above),
            (report.limit, "DotLine", NAMES[1], above if under else below),
        )
        for value, style, title, side in lines:
            if math.isfinite(value):
                pen = pg.mkPen(current.dim, style=getattr(QtCore.Qt.PenStyle, style))
                label = {"color": current.text, "position": 0.98, "anchors": [side, side]}
                self.metric.addItem(pg.InfiniteLine(value, angle=0, pen=pen, label=title, labelOpts=label))

    @staticmethod
    def _left(report, state):
        return state.macs / report.costs_before.macs if report.costs_before.macs else math.nan

    @staticmethod
    def _points(plot, rounds, field, **look):
        finite = [each for each in rounds if math.isfinite(each[field])]
        if finite:
            plot.plot([each[0] for each in finite], [each[field] for each in finite], symbolSize=8, **look)
