"""The folder in which `fit` records what its callback does: that of a run, with each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from firekeras.keras_models import devices
from firekeras.plan.planning import PruningPlan
from firekeras.rounds.journal import Journal
from firekeras.rounds.records import RoundRecord
from firekeras.rounds.run import Run
from firekeras.rounds.run_directory import RunDirectory
from firekeras.rounds.schema import FIT, cost_fields
from firekeras.rounds.survivors import Survivors
from firekeras.scores.profile import FireProfile


class FitRecord:
    """Writes the files of a run; without a folder, nothing.

    Args:
        path: The folder, new or empty; None for none.
        widths: How many filters each layer of the first network has.

    Raises:
        ValueError: If the folder is not empty, or somebody else is at work in it.
    """

    def __init__(self, path: str | Path | None, widths: Mapping[str, int]):
        self._journal, self._widths, self._survivors = Journal(path), dict(widths), Survivors(widths)
        with self._journal.claimed(resume=False):
            pass

    def begin(self, run: Run, model: keras.Model, epochs: int) -> None:
        """Begins the run, with the network that the rounds begin with."""
        path = self._journal.path
        if path is None:
            return
        settings, table = run.settings, run.settings.latency
        fixed = {"tolerance": settings.tolerance, "target": settings.target, "epochs": epochs}
        description = {
            "within": FIT,
            "backend": keras.backend.backend(),
            "model": model.name,
            "method": run.method.description(),
            "settings": {**settings.to_dict(), "epochs": epochs, "latency": table and table.fingerprint},
            "monitor": run.monitor,
            "baseline": run.baseline,
            "costs": cost_fields(run.costs_before),
            "widths": self._widths,
            **fixed,
        }
        self._journal.directory = devices.by_the_first(lambda: RunDirectory.create(path, description, model))

    @property
    def _directory(self) -> RunDirectory | None:
        return self._journal.directory

    def event(self, event: dict) -> None:
        """Writes an event."""
        if self._directory is not None:
            self._directory.append(event)
            if event["event"] == "round":
                self._directory.publish()

    def epoch(self, number: int, done: int, of: int, logs: Mapping[str, Any], plan: PruningPlan | None) -> None:
        """Writes an epoch, with the widths of the network that it trained, and which filters that lacks.

        Args:
            number: The number of the round.
            done: How many epochs of it have ended.
            of: How many there are.
            logs: The metrics.
            plan: What the round has cut, if anything.
        """
        if self._directory is None:
            return
        cut = Survivors(self._widths)
        for removed in (self._survivors.removed, plan.removed if plan is not None else {}):
            cut.cut(removed)
        self._journal.report("epoch", number=number, epoch=done, epochs=of, logs=dict(logs), **self._shape(cut))

    def round(self, record: RoundRecord, plan: PruningPlan | None, profile: FireProfile | None) -> dict[str, Any]:
        """Writes the files of a finished round; returns what its event says beside the figures."""
        if plan is not None and record.accepted:
            self._survivors.cut(plan.removed)
        return {**self._shape(self._survivors), **self._journal.files_of(record, profile)}

    def _shape(self, survivors) -> dict[str, Any]:
        """How many filters each layer of a network has, and which of the first network it lacks."""
        removed = survivors.removed
        widths = {name: width - len(removed.get(name, ())) for name, width in self._widths.items()}
        return {"widths": widths, "removed": removed}

    def broken_off(self, error: BaseException | None) -> None:
        """Writes that `fit` ended in an error, if that can still be written; None if nobody heard which."""
        self._journal.broken_off(error or RuntimeError("fit ended in an error that callbacks do not hear of"))
        self.end()

    def end(self) -> None:
        """Lets others own the folder; nothing more is written."""
        self._journal.leave()
        self._journal.directory = None
