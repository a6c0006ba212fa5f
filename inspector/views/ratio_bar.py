"""The ratio to remove, and the savings."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from firekeras.report.tables import short_number
from inspector.models import Editor
from inspector.state import CHOICES, DOCUMENT, PICTURE, Session, words
from inspector.views.latency_label import LatencyLabel

MOST = 99.0  # percent
TIP = "The share of the removable filters that go in one cut, ranked over all layers together"
NOTHING = "Nothing is open"
UNKNOWN = "Measure FIRE (F5) to see what a ratio leaves"


class RatioBar(QtWidgets.QWidget):
    """A slider, a box for exact numbers, and the costs that follow."""

    def __init__(self, session: Session, editor: Editor, parent=None):
        super().__init__(parent)
        self.session, self.editor = session, editor
        self.slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self.slider.setMaximum(round(MOST * 10))
        self.slider.setPageStep(50)
        self.box = QtWidgets.QDoubleSpinBox(decimals=1, maximum=MOST, singleStep=1, suffix=" %")
        self.box.setKeyboardTracking(False)
        for control, name in ((self.slider, "Ratio slider"), (self.box, "Ratio in percent")):
            control.setAccessibleName(name)
        label = QtWidgets.QLabel("R&atio")
        label.setBuddy(self.slider)
        self.costs = QtWidgets.QLabel()
        self.costs.setAccessibleName("Costs before and after")
        self.costs.setToolTip("Exact: counted for the network after the cut. Only accuracy is unknown before a run.")
        self.latency = LatencyLabel(session)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 2)
        for widget, stretch in ((label, 0), (self.slider, 1), (self.box, 0)):
            layout.addWidget(widget, stretch)
        figures = QtWidgets.QVBoxLayout()
        figures.setSpacing(0)
        for figure in (self.costs, self.latency):
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

    def _show_document(self):
        measured = self.session.measured is not None
        for control in (self.slider, self.box):
            control.setEnabled(measured)
            control.setStatusTip(TIP if measured else f"{TIP}. Not now: nothing is measured yet")
            control.setToolTip(control.statusTip())
        self.latency.setVisible(measured)
        self._show()

    def _show(self):
        percent = 100 * self.session.choices.ratio
        with QtCore.QSignalBlocker(self.slider), QtCore.QSignalBlocker(self.box):
            self.slider.setValue(round(10 * percent))
            self.box.setValue(percent)
        self.costs.setText(self._costs())

    def _costs(self):
        opened, measured = self.session.opened, self.session.measured
        if opened is None:
            return NOTHING if self.session.document is None else UNKNOWN
        before = opened.costs
        if measured is None:
            return f"MACs {short_number(before.macs)}   params {short_number(before.params)}\n{UNKNOWN}"
        after = self.session.cut.costs
        costs = f"{_change('MACs', before.macs, after.macs)}   {_change('params', before.params, after.params)}"
        return f"{self._of_what()}{costs}"

    def _of_what(self):
        """Which network the figures belong to, if it is not obvious."""
        which = words.of_what(self.session)
        return f"{which}:\n" if which else ""


def _is_pressed(event):
    kinds = QtCore.QEvent.Type
    if event.type() in (kinds.KeyPress, kinds.KeyRelease):
        return not event.isAutoRepeat()
    return event.type() == kinds.MouseButtonPress


def _change(name, before, after):
    share = f" ({(after - before) / before:+.1%})" if before else ""
    return f"{name} {short_number(before)} → {short_number(after)}{share}"
