"""What a cut costs: the accuracy of the previewed one, and how much each layer can lose by itself; both untrained."""

from __future__ import annotations

import sys
from collections.abc import Callable

from PySide6 import QtCore

from inspector.children import JudgingData, Scratch, Work, firekeras_command, sensitivity_arguments
from inspector.dialogs import JudgingDialog
from inspector.models import Preferences
from inspector.state import DOCUMENT, Checked, Message, Sensitivity, Session, beside_sensitivity, criteria, data_sources
from inspector.tasks.task import Task


def checking_command(model, plan, data: JudgingData) -> list[str]:
    """The command line of the child that measures accuracy."""
    return [
        sys.executable,
        "-m",
        "inspector.children.checking",
        *map(str, (model, plan, data.data.source, data.data.values, data.images)),
    ]


class Judging(Task):
    """Judges cuts on data that are chosen once for each model.

    Args:
        session: The `Session`.
        work: The `Work`, whose child reports the accuracy.
        preferences: The `Preferences`, which hold the data of each model.
        parent: The Qt parent.
    """

    def __init__(self, session: Session, work: Work, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._preferences = preferences
        self._reported: dict = {}
        work.reported.connect(self._heard)
        session.listen(DOCUMENT, self._read_sensitivity)

    # the data

    def ask_for_data(self, then: Callable[[], object] | None = None):
        """Opens the dialog for the data, and goes on once they are chosen."""
        model = self.session.need_model()

        def choose(chosen):
            if (chosen.data, chosen.images) != self._preferences.judging(model):
                self.session.forget_checks()
            self._preferences.set_judging(model, chosen.data, chosen.images)
            if then is not None:
                self.in_words(then)

        dialog = JudgingDialog(model.name, self._last(), self.session.input_shape)
        dialog.chosen.connect(choose)
        self.asked.emit(dialog)

    def _last(self):
        model = self.session.need_model()
        data, images = self._preferences.judging(model)
        return JudgingData(data if data.source else self._preferences.data_of(model), images)

    def _with_data(self, then):
        """Goes on with the data of this model if they were chosen and are still there; else asks for them first."""
        data, images = self._preferences.judging(self.session.need_model())
        if data.source and not data_sources.why_not(data.source, self.session.input_shape, labels=True):
            then(JudgingData(data, images))
        else:
            self.ask_for_data(lambda: self._with_data(then))

    # accuracy

    def check(self):
        """Measures the accuracy of the previewed cut, and of the network without it."""
        self._with_data(self._check)

    def _check(self, data):
        self.check_unchanged()
        model, choices = self.session.need_model(), self.session.choices
        plan, scratch = self.session.need_measured().plan(choices), Scratch()
        plan.save(scratch.path / "plan.json")
        self._reported = {}
        command = checking_command(model, scratch.path / "plan.json", data)

        def over(outcome):
            scratch.remove()
            self.in_words(self._is_checked, outcome, model, choices, data)

        self.wished.emit(command, f"Checking accuracy of a cut of {model.name}", over)

    def _heard(self, event):
        if event["event"] == "accuracy":
            self._reported = event

    def _is_checked(self, outcome, model, choices, data):
        if self.failed(outcome, f"Checking accuracy of a cut of {model.name}", "&Other data…", self.ask_for_data):
            return
        self._preferences.set_data_of(model, data.data)
        event = self._reported
        figures = {name: event[name] for name in ("monitor", "before", "after", "images", "note")}
        checked = Checked(choices, data=data.data.source, **figures)
        if self.session.need_document().model == model:
            self.session.add_checked(checked)
        self.status.emit(checked.words)
        self.doing.emit(f"{model.name}: {checked.words}.\n\n{checked.details}")
        if checked.note or outcome.warnings:
            self.said.emit(Message(" ".join(filter(None, [*outcome.warnings, checked.note]))))

    # sensitivity

    def sense(self):
        """Measures how much each layer can lose by itself."""
        self._with_data(self._sense)

    def _sense(self, data):
        self.check_unchanged()
        model = self.session.need_model()
        ranked = self.session.measured.scores.criterion if self.session.measured else criteria.FIRE
        criterion = "l1" if ranked == criteria.FILLED else ranked  # one that scores every layer
        command = firekeras_command(sensitivity_arguments(model, beside_sensitivity(model), data, criterion))
        over = lambda outcome: self._is_sensed(outcome, model, data, criterion)  # noqa: E731
        self.wished.emit(command, f"Measuring sensitivity of {model.name}", over)

    def _is_sensed(self, outcome, model, data, criterion):
        if self.failed(outcome, f"Measuring sensitivity of {model.name}", "&Other data…", self.ask_for_data):
            return
        self._preferences.set_data_of(model, data.data)
        self._read_sensitivity()
        found = self.session.sensitivity
        self.said.emit(
            Message(
                "The column “Spare” shows how much each layer can lose by itself, ranked by "
                f"{criteria.title(criterion)}. {found.uncut if found else ''} The numbers are in "
                f"{beside_sensitivity(model)}. {' '.join(outcome.warnings)}".strip()
            )
        )

    def _read_sensitivity(self):
        """Shows the analysis beside the open model, if there is one."""
        session = self.session
        model = session.document.model if session.document else None
        if model is None or session.opened is None:
            return
        path = beside_sensitivity(model)
        graph = session.opened.graph
        found = self.in_words(lambda: Sensitivity.read(path, graph)) if path.exists() else None
        if found is not None:
            session.show_sensitivity(found)
