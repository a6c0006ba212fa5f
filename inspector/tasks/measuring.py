"""Measuring FIRE, and predicting it, from within the window."""

from __future__ import annotations

import sys

from PySide6 import QtCore

from inspector.children import MeasureOptions, Scratch, firekeras_command, measure_arguments, predicting
from inspector.dialogs import MeasureDialog
from inspector.state import beside_model, open_document

PREDICTED = "predicted.npz"


class Measuring(QtCore.QObject):
    """Asks, runs, and opens what came of it.

    Args:
        window: The main window.
    """

    def __init__(self, window):
        super().__init__(window)
        self.window, self.session, self.work = window, window.session, window.work

    def ask(self):
        """Opens the dialog."""
        model = self.session.need_document().model
        dialog = MeasureDialog(model.name, self.window.preferences.text("data"), self.window)
        dialog.chosen.connect(self.start)
        self.window.show_dialog(dialog)

    def start(self, options: MeasureOptions):
        """Measures the open model; the profile is put beside it."""
        model = self.session.need_document().model
        self.window.preferences.set_text("data", options.data)
        output = beside_model(model)
        command = firekeras_command(measure_arguments(model, output, options))
        self.window.start(command, f"Measuring {model.name}", lambda outcome: self._measured(outcome, model))

    def _measured(self, outcome, model):
        if self.window.failed(outcome, f"Measuring {model.name}", ("&Measure again…", self.ask)):
            return
        if self.session.need_document().model == model:
            self.window.show_document(open_document(model), keep_choices=True)
        self.window.banner.say(f"Measured. The profile is {beside_model(model)}.")

    def predict(self):
        """Has detectors predict each filter from the others."""
        scratch = Scratch()
        target = scratch.path / PREDICTED
        profile = self.session.need_measured().profile
        command = [
            sys.executable,
            "-m",
            "inspector.children.predicting",
            self.session.need_document().profile_path,
            target,
        ]
        self.window.start(command, "Predicting FIRE", lambda outcome: self._predicted(outcome, profile, scratch))

    def _predicted(self, outcome, profile, scratch):
        failed = self.window.failed(outcome, "Predicting FIRE", ("&Again", self.predict))
        if not failed and self.session.measured is not None and self.session.measured.profile is profile:
            self.window.panel.show_predictions(predicting.read(scratch.path / PREDICTED, profile))
            self.window.banner.say("Predicted: the numbers of each filter show what a detector makes of its weights.")
        scratch.remove()
