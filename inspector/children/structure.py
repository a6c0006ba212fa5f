"""The layers of a model that has not been measured yet: a child process with Keras writes their graph to a file."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6 import QtCore

from firekeras.channels.graph import ChannelGraph
from inspector.children.commands import structure_arguments
from inspector.children.job import Job, firekeras_command
from inspector.children.scratch import Scratch


class Structure(QtCore.QObject):
    """Reads one model at a time, in parallel with all other work; nothing waits for it.

    Signals:
        arrived: The `ChannelGraph` of the model.
        failed: Why there is no graph, as a sentence.
    """

    arrived = QtCore.Signal(object)
    failed = QtCore.Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.job: Job | None = None

    def read(self, model):
        """Begins to read a model, instead of the previous one."""
        self.leave()
        scratch = Scratch()
        target = scratch.path / "graph.json"
        job = self.job = Job(firekeras_command(structure_arguments(model, target)), f"Reading {Path(model).name}", self)
        job.ended.connect(lambda outcome: self._ended(job, outcome, target, scratch))
        job.start()

    def leave(self):
        """Stops reading, and returns when nothing runs."""
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
