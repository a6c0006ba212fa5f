"""Ranking by other criteria: at once if the profile knows them, else by a child process, on data if need be."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6 import QtCore

from firekeras.scores.profile import FilterScores
from inspector.children import Scratch, scoring
from inspector.dialogs import DataDialog
from inspector.models import Preferences
from inspector.state import Message, Session, criteria, data_sources, obstacles
from inspector.tasks.task import Task

SCORES = "scores.json"


class Scoring(Task):
    """Ranks the filters of the open network by a criterion.

    Args:
        session: The `Session`.
        preferences: The `Preferences`, which hold the data that were used last.
        parent: The Qt parent.

    Signals:
        unchanged: Filters are ranked as before.
    """

    unchanged = QtCore.Signal()

    def __init__(self, session: Session, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._preferences = preferences
        self._known: dict[tuple[Path | None, str], FilterScores] = {}
        self._shown_at_once = 0  # how often: a later choice counts, not what arrives later

    def rank_by(self, name: str):
        """Ranks by a criterion: now, or once it is computed."""
        why = obstacles.no_fire(self.session) if name in (criteria.FIRE, criteria.APOZ) else ""
        if why:
            raise ValueError(f"Filters cannot be ranked by {criteria.title(name)}: {why}. Choose another criterion.")
        if name in criteria.FROM_0_TO_1 and self.session.lacks_fire:
            name_of = self.session.need_document().name
            raise ValueError(f"Filters cannot be ranked by FIRE yet: {name_of} is not measured. Measure it (F5) first.")
        measured, model = self.session.need_measured(), self.session.need_document().model
        scores = criteria.known_at_once(name, measured.profile) or self._known.get((model, name))
        if scores is not None:
            self._shown_at_once += 1
            self.session.rank_by(None if scores is measured.profile else scores)
        elif criteria.needs_data(name):
            self._check_reach(name)
            self._ask_for_data(name)
        else:
            names = [name, *(other for other in criteria.of_weights() if other != name)]
            self._compute(names)

    def _check_reach(self, name):
        several = obstacles.several_outputs(self.session) if name in criteria.LABELLED else ""
        why = obstacles.several_inputs(self.session) or several
        if why:
            raise ValueError(f"Filters cannot be ranked by {name} here: {why}.")

    def _ask_for_data(self, name):
        model = self.session.need_model()
        last, shape, labels = self._preferences.data_of(model), self.session.input_shape, name in criteria.LABELLED
        dialog = DataDialog(f"Score filters by {name}", "&Score", last, shape, labels=labels)
        dialog.chosen.connect(lambda data: self._compute([name], data))
        dialog.rejected.connect(self.unchanged)
        self.asked.emit(dialog)

    def _compute(self, names, data=data_sources.NO_DATA):
        model, profile, scratch = self.session.need_model(), self.session.need_measured().profile, Scratch()
        target = scratch.path / SCORES
        child = [sys.executable, "-m", "inspector.children.scoring"]
        command = [*child, model, target, data.source, data.values, *names]
        before = self._shown_at_once
        then = lambda outcome: self._computed(  # noqa: E731
            outcome, names, model, data, profile, scratch, overtaken=before != self._shown_at_once
        )
        self.wished.emit(command, f"Scoring by {names[0]}", then)

    def _computed(self, outcome, names, model, data, profile, scratch, *, overtaken):
        again = lambda: self.rank_by(names[0])  # noqa: E731
        failed = self.failed(outcome, f"Scoring by {names[0]}", "&Score again", again)
        scores, refused = ({}, {}) if failed else scoring.read(scratch.path / SCORES, profile.l1)
        scratch.remove()
        self._known.update({(model, name): values for name, values in scores.items()})
        if names[0] in scores and data.source:
            self._preferences.set_data_of(model, data)
        measured = self.session.measured
        if names[0] in scores and measured is not None and measured.profile is profile and not overtaken:
            self.session.rank_by(scores[names[0]])
            return
        if names[0] in refused:
            self.doing.emit(f"Scoring by {names[0]}: failed.")
            ranked = measured.scores if measured is not None else None
            self.said.emit(Message(refused[names[0]], error=True, holds=lambda: self._ranks_by(ranked)))
        self.unchanged.emit()

    def _ranks_by(self, scores):
        return self.session.measured is not None and self.session.measured.scores is scores
