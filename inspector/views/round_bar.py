"""The rounds of a run: a slider over the networks that it left, and what can be done with each."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.state import Stage
from inspector.widgets import name

TIP = "Which network of the run is shown: the one that it began with, or what a kept round left"


class RoundBar(QtWidgets.QWidget):
    """A slider over the kept rounds; hidden without any.

    Args:
        actions: What can be done with the network that is shown.

    Signals:
        chosen: The number of the round.
    """

    chosen = QtCore.Signal(int)

    def __init__(self, actions, parent=None):
        super().__init__(parent)
        self.slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QtWidgets.QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(1)
        name(self.slider, "Round of the run", TIP)
        self.label = QtWidgets.QLabel("R&ound")
        self.label.setBuddy(self.slider)
        self.figures = QtWidgets.QLabel(wordWrap=True)
        self.figures.setAccessibleName("The network that is shown")
        self.menu = QtWidgets.QMenu("Model", self)
        self.menu.addActions(actions)
        self.button = QtWidgets.QToolButton(popupMode=QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.button.setText("Model")
        self.button.setMenu(self.menu)
        self.button.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        name(self.button, "What to do with the model of this round", "Open it, measure it, export it, show its folder")
        line = QtWidgets.QHBoxLayout()
        for widget in (self.label, self.slider, self.button):
            line.addWidget(widget)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 0)
        layout.setSpacing(0)
        layout.addLayout(line)
        layout.addWidget(self.figures)
        self.stages: list[Stage] = []
        self.slider.valueChanged.connect(lambda place: self.chosen.emit(self.stages[place].number))
        self.hide()

    def show_stages(self, stages: list[Stage], shown: Stage | None):
        """Shows the networks of a run.

        Args:
            stages: In order; fewer than two if there is nothing to choose.
            shown: The one that is shown.
        """
        self.stages = stages
        self.setVisible(len(stages) > 1)
        if shown is None:
            return
        with QtCore.QSignalBlocker(self.slider):
            self.slider.setMaximum(max(0, len(stages) - 1))
            self.slider.setValue([stage.number for stage in stages].index(shown.number))
        self.figures.setText(f"{shown.words}.")

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self.figures.setPalette(QtGui.QGuiApplication.palette())
