"""The layers of a model that has not been measured yet: a child process with Keras writes their graph to a file."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6 import QtCore

from firekeras.channels.graph import ChannelGraph
from inspector.children.commands import structure_arguments
from inspector.children.job import Outcome, firekeras_command
from inspector.children.scratch import Scratch
from inspector.children.work import Work


class Structure(Work):
    """Reads one model at a time, in parallel with all other work; nothing waits for it.

    Signals:
        arrived: The `ChannelGraph` of the model.
        failed: Why there is no graph, as a sentence.
    """

    arrived = QtCore.Signal(object)
    failed = QtCore.Signal(str)

    def read(self, model):
        """Begins to read a model, instead of the previous one."""
        self.abort_and_wait()
        scratch = Scratch()
        target = scratch.path / "graph.json"
        command = firekeras_command(structure_arguments(model, target))
        self.start(command, f"Reading {Path(model).name}", lambda outcome: self._report(outcome, target, scratch))

    def _report(self, outcome: Outcome, target: Path, scratch: Scratch):
        graph = ChannelGraph.from_dict(json.loads(target.read_text(encoding="utf-8"))) if outcome.ok else None
        scratch.remove()
        if graph is not None:
            self.arrived.emit(graph)
        elif not outcome.aborted:
            self.failed.emit(outcome.words)
