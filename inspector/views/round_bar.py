"""The rounds or the epochs of a run: a slider over its networks, and what can be done with each."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.state import Stage
from inspector.widgets import name

TIP = "The network to show: the first one of the run, or the one after a round or an epoch"
ASIDE = "Below is your own cut: move the slider, or press Ctrl+5, for this one."
STEPS = ("Rounds", "Epochs")
STEPS_TIP = "Move through the rounds that were kept, or through all epochs of training"


class RoundBar(QtWidgets.QWidget):
    """A slider over the kept rounds; hidden without any.

    Args:
        actions: What can be done with the network that is shown.

    Signals:
        chosen: The number of the round, and that of the epoch; 0 for what the round left.
        stepped: Whether the slider is to step over epochs.
    """

    chosen = QtCore.Signal(int, int)
    stepped = QtCore.Signal(bool)

    def __init__(self, actions, parent=None):
        super().__init__(parent)
        self.slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QtWidgets.QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(1)
        name(self.slider, "Round of the run", TIP)
        self.label = QtWidgets.QLabel("R&ound")
        self.label.setBuddy(self.slider)
        self.steps = QtWidgets.QComboBox()
        self.steps.addItems(STEPS)
        name(self.steps, "Steps of the slider", STEPS_TIP)
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
        for widget in (self.label, self.steps, self.slider, self.button):
            line.addWidget(widget)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 0)
        layout.setSpacing(0)
        layout.addLayout(line)
        layout.addWidget(self.figures)
        self.stages: list[Stage] = []
        self._words, self._aside = "", False
        self.slider.valueChanged.connect(lambda _: self._choose())
        self.slider.actionTriggered.connect(self._choose_again)
        self.slider.sliderReleased.connect(self._choose_again)
        self.steps.activated.connect(lambda place: self.stepped.emit(STEPS[place] == STEPS[1]))
        self.hide()

    def _choose(self):
        self.chosen.emit(*self.stages[self.slider.value()].key)

    def _choose_again(self, *_):
        """Chooses the network at hand if it is pointed at although it is not shown."""
        if self.stages and self._aside and self.slider.sliderPosition() == self.slider.value():
            self._choose()

    def show_steps(self, has_epochs: bool, by_epoch: bool):
        """Shows what the slider steps over, with a choice if the run has epochs on record."""
        self.label.setVisible(not has_epochs)
        self.steps.setVisible(has_epochs)
        self.steps.setCurrentIndex(int(by_epoch))

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
            self.slider.setValue([stage.key for stage in stages].index(shown.key))
        self._words = f"{shown.words}."
        self._show_words()

    def set_aside(self, aside: bool):
        """Says that something else is shown than the network at hand."""
        self._aside = aside
        self._show_words()

    def _show_words(self):
        self.figures.setText(f"{self._words} {ASIDE}" if self._words and self._aside else self._words)

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange:
            self.figures.setPalette(QtGui.QGuiApplication.palette())
