"""The layers of a model that is not measured yet: a child with Keras reads them, and leaves their graph in a file."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6 import QtCore

from firekeras.channels.graph import ChannelGraph
from inspector.children.commands import structure_arguments
from inspector.children.job import Job, firekeras_command
from inspector.children.scratch import Scratch


class Structure(QtCore.QObject):
    """Reads one model at a time, beside all other work; nothing has to wait for it.

    Signals:
        arrived: The `ChannelGraph` of the model.
        failed: Why there is none, as a sentence.
    """

    arrived = QtCore.Signal(object)
    failed = QtCore.Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.job: Job | None = None

    def read(self, model):
        """Begins with a model, in place of the one before."""
        self.leave()
        scratch = Scratch()
        target = scratch.path / "graph.json"
        job = self.job = Job(firekeras_command(structure_arguments(model, target)), f"Reading {Path(model).name}", self)
        job.ended.connect(lambda outcome: self._ended(job, outcome, target, scratch))
        job.start()

    def leave(self):
        """Wants nothing any more, and returns when nothing runs."""
        if self.job is not None:
            self.job.abort_and_wait()

    def _ended(self, job, outcome, target, scratch):
        graph = ChannelGraph.from_dict(json.loads(target.read_text(encoding="utf-8"))) if outcome.ok else None
        scratch.remove()
        job.deleteLater()
        self.job = None
        if graph is not None:
            self.arrived.emit(graph)
        elif not outcome.aborted:
            self.failed.emit(outcome.words)
