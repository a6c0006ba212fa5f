"""The dialog before a run."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtWidgets

from firekeras.channels.costs import SHOWN
from firekeras.cli.defaults import UNCOMPILED
from firekeras.rounds.monitor import KEEPS_ALL
from inspector.children import RunOptions, as_text, compress_arguments
from inspector.dialogs.data_field import DataField
from inspector.dialogs.options_dialog import OptionsDialog
from inspector.dialogs.outputs import why_not_into, why_not_written
from inspector.state import Choices, Data, criteria, data_sources
from inspector.widgets import name

NONE = "None: as long as accuracy holds"
REMAINING = {f"{title} remaining": cost for cost, title in SHOWN.items()}
EVERY_ROUND = ": every round is kept"  # the command line says it as "inf"
AS_COMPILED = "the one that the model was compiled with"
BY_SGD = f"{UNCOMPILED:g}: the model was not compiled, so SGD trains it"
LIMIT = {"images": "Maximum &images", "samples": "Maximum sam&ples"}
RANKINGS = {"FIRE with l1 norms and contributions": "", "FIRE alone": criteria.FIRE}
TEACHING = {"If it is fully trained": None, "Always": True, "Never": False}


class RunDialog(OptionsDialog):
    """Asks how to prune and fine-tune in rounds, and shows the command that does it.

    Signals:
        chosen: `RunOptions`.
    """

    def __init__(
        self,
        model: Path,
        choices: Choices,
        macs_left: float,
        last: Data,
        shape=None,
        *,
        method: str = "",
        table: Path | None = None,
        compiled: bool = True,
        parent=None,
    ):
        super().__init__(f"Run: prune and fine-tune {model.name}", "&Run", parent)
        self.model, self.choices, self.table = model, choices, table
        self.remaining = REMAINING if table is None else {**REMAINING, "latency remaining": "latency"}
        self.samples = data_sources.called(shape)
        self.data = DataField(("digits",), last, shape, labels=True)
        self.run_dir = _line(str(_fresh(model.with_name(f"{model.stem}-run"))), "A new folder for the run")
        self.output = _line(str(_fresh(model.with_name(f"{model.stem}-pruned.keras"))), "The file of the pruned model")
        self.tolerance = _decimal("Accuracy may fall by, in percentage points", 1.0, 0, 100, " points")
        self.target = QtWidgets.QComboBox()
        goal = choices.goal
        self._goals = {goal.text: goal.target} if goal else {}
        self.target.addItems([*self._goals, NONE, *self.remaining])
        self.target.setCurrentText(goal.text if goal else f"{SHOWN['macs']} remaining")
        name(self.target, "Target")
        self.left = _decimal("Fraction remaining, in percent", 100 * macs_left, 1, 100, " %")
        self._rankings = {method: method} if method else RANKINGS
        self.ranking = QtWidgets.QComboBox()
        self.ranking.addItems(list(self._rankings))
        self.ranking.setEnabled(not method)
        name(self.ranking, "Ranking", "By what each round ranks the filters; the criterion above the heatmap decides")
        self.epochs = _whole("Epochs of training in total", 20, 1, 10000)
        self.rate = _decimal(f"Initial learning rate; 0 is {AS_COMPILED if compiled else BY_SGD}", 0, 0, 10, "", 5)
        self.batch = _whole("Samples per batch", 64, 1, 65536)
        self.limit = _whole(f"Maximum {self.samples}; 0 is all", 0, 0, 10**8)
        self.rate.setSpecialValueText("as compiled" if compiled else f"{UNCOMPILED:g}, by SGD")
        self.limit.setSpecialValueText("all")
        self.distill = QtWidgets.QComboBox()
        self.distill.addItems(list(TEACHING))
        title = "Whether training also follows the outputs of the original model"
        name(self.distill, title, title)
        self.reason = QtWidgets.QLabel(wordWrap=True)
        self.reason.setAccessibleName("Why the run cannot start")
        self.command = QtWidgets.QPlainTextEdit(readOnly=True)
        self.command.setAccessibleName("The command line of this run")
        self.command.setTabChangesFocus(True)
        self.command.setFixedHeight(self.command.fontMetrics().lineSpacing() * 4 + 12)
        self._lay_out()
        self._watch()
        self._show_command()

    def _lay_out(self):
        form = QtWidgets.QFormLayout(self)
        form.addRow(self.data.label, self.data)
        stop, goal = QtWidgets.QLabel("&Target"), QtWidgets.QHBoxLayout()
        stop.setBuddy(self.target)
        goal.addWidget(self.target, 1)
        goal.addWidget(self.left)
        form.addRow("&Accuracy may fall by", self.tolerance)
        form.addRow(stop, goal)
        for label, widget in (
            ("Ran&king", self.ranking),
            ("&Epochs in total", self.epochs),
            ("&Learning rate", self.rate),
            ("&Batch size", self.batch),
            (LIMIT[self.samples], self.limit),
            ("&Distil from the original model", self.distill),
            ("R&un folder", self.run_dir),
            ("Save pruned &model as", self.output),
            ("&Command", self.command),
        ):
            form.addRow(label, widget)
        form.addRow(self.reason)
        form.addRow(self.buttons)

    def _watch(self):
        self.data.changed.connect(self._show_command)
        for choice in (self.target, self.ranking, self.distill):
            choice.currentIndexChanged.connect(self._show_command)
        for box in (self.tolerance, self.left, self.epochs, self.rate, self.batch, self.limit):
            box.valueChanged.connect(self._show_command)
        for line in (self.run_dir, self.output):
            line.textChanged.connect(self._show_command)

    def _show_command(self):
        keeps_all = self.tolerance.value() >= 100 * KEEPS_ALL
        self.tolerance.setSuffix(f" points{EVERY_ROUND if keeps_all else ''}")
        self.left.setVisible(self.target.currentText() in self.remaining)
        self.command.setPlainText(as_text(compress_arguments(self.model, self.choices, self.options())))
        obstacle = _why_not(Path(self.run_dir.text().strip()), Path(self.output.text().strip()), self.model)
        self.reason.setText(obstacle)
        self.set_complete(self.data.check() and not obstacle)

    def _target(self):
        chosen = self.target.currentText()
        if chosen in self.remaining:
            return {self.remaining[chosen]: round(self.left.value() / 100, 6)}
        return self._goals.get(chosen, {})

    def options(self) -> RunOptions:
        """What is chosen."""
        return RunOptions(
            self.data.chosen,
            Path(self.run_dir.text().strip()),
            Path(self.output.text().strip()),
            tolerance=round(self.tolerance.value() / 100, 6),
            target=self._target(),
            epochs=self.epochs.value(),
            learning_rate=self.rate.value(),
            batch_size=self.batch.value(),
            limit=self.limit.value(),
            distill=TEACHING[self.distill.currentText()],
            method=self._rankings[self.ranking.currentText()],
            table=self.table,
        )


def _why_not(run_dir, output, model):
    """Why a run cannot write where it is told to, as a sentence; empty if nothing is known against it."""
    why = why_not_written(output, ".keras", model)
    if why:
        return why
    if output.exists():
        return f"{output.name} exists already. Choose another name."
    if not run_dir.name:
        return "Choose a new folder for the run."
    if run_dir.exists() and not (run_dir.is_dir() and not any(run_dir.iterdir())):
        return f"{run_dir} exists already. Choose a new folder for the run."
    return why_not_into(run_dir.parent)


def _line(text, title):
    line = QtWidgets.QLineEdit(text)
    name(line, title, title)
    return line


def _decimal(title, value, least, most, suffix, decimals=2):
    box = QtWidgets.QDoubleSpinBox(decimals=decimals, minimum=least, maximum=most, suffix=suffix)
    box.setValue(value)
    return _named(box, title)


def _whole(title, value, least, most):
    return _named(QtWidgets.QSpinBox(minimum=least, maximum=most, value=value), title)


def _named(box, title):
    name(box, title, title)
    return box


def _fresh(path: Path) -> Path:
    """The path, or if it exists the first numbered one that does not."""
    tried = path
    number = 2
    while tried.exists():
        tried = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return tried
