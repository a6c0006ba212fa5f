"""Measuring FIRE, and predicting it."""

from __future__ import annotations

import sys

from PySide6 import QtCore

from inspector.children import MeasureOptions, Scratch, firekeras_command, measure_arguments, predicting
from inspector.dialogs import MeasureDialog
from inspector.models import Preferences
from inspector.state import Message, Session, beside_model, criteria, open_document, words
from inspector.tasks.task import Task

PREDICTED = "predicted.npz"


class Measuring(Task):
    """Asks for data, measures, and opens the result.

    Args:
        session: The `Session`.
        preferences: The `Preferences`, which hold the data that were used last.
        parent: The Qt parent.

    Signals:
        predicted: The predictions of detectors for each layer, a dict of arrays `(filters,)`.
        ranked: A criterion to rank by.
    """

    predicted = QtCore.Signal(object)
    ranked = QtCore.Signal(str)

    def __init__(self, session: Session, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._preferences = preferences

    def ask(self):
        """Opens the dialog."""
        model = self.session.need_model()
        dialog = MeasureDialog(model.name, self._preferences.data_of(model), self.session.input_shape)
        dialog.chosen.connect(self.start)
        self.asked.emit(dialog)

    def start(self, options: MeasureOptions):
        """Measures the open model, and puts the profile beside it."""
        model = self.session.need_model()
        command = firekeras_command(measure_arguments(model, beside_model(model), options))
        over = lambda outcome: self._measured(outcome, model, options.data)  # noqa: E731
        self.wished.emit(command, f"Measuring {model.name}", over)

    def _measured(self, outcome, model, data):
        if self.failed(outcome, f"Measuring {model.name}", "&Measure again…", self.ask):
            return
        self._preferences.set_data_of(model, data)
        if self.session.need_document().model == model:
            ranked = self.session.measured.scores.criterion if self.session.measured else criteria.FIRE
            run = self.session.need_document().run
            self.document.emit(open_document(run.path if run else model))
            if ranked != criteria.FIRE:  # what a person chose holds on
                self.ranked.emit(ranked)
        without = words.without_score(self.session)
        way_out = "&Rank them by l1 norms" if without else ""
        self.said.emit(
            Message(
                " ".join([f"Measured, and saved as {beside_model(model)}.{without}", *outcome.warnings]),
                way_out=way_out,
                then=lambda: self.ranked.emit(criteria.FILLED),
            )
        )

    def predict(self):
        """Predicts each filter's FIRE with detectors that were trained on the other filters."""
        scratch = Scratch()
        target = scratch.path / PREDICTED
        profile = self.session.need_measured().profile
        source = self.session.need_document().profile_path
        command = [sys.executable, "-m", "inspector.children.predicting", source, target]
        self.wished.emit(command, "Predicting FIRE", lambda outcome: self._predicted(outcome, profile, scratch))

    def _predicted(self, outcome, profile, scratch):
        failed = self.failed(outcome, "Predicting FIRE", "&Predict again", self.predict)
        measured = self.session.measured
        if not failed and measured is not None and measured.profile is profile:
            self.predicted.emit(predicting.read(scratch.path / PREDICTED, profile))
            self.said.emit(
                Message("“Values” now also shows the FIRE that a detector predicts from the weights of a filter.")
            )
        scratch.remove()
