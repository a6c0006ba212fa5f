"""The layers of a model that has not been measured yet: a child process with Keras writes them to a file."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6 import QtCore

from inspector.children import reading
from inspector.children.job import Outcome
from inspector.children.scratch import Scratch
from inspector.children.work import Work


def reading_command(model, target, *, ranked: bool = False) -> list[str]:
    """The command line of the child that reads a model."""
    how = [reading.RANKED] if ranked else []
    return [sys.executable, "-m", "inspector.children.reading", str(model), str(target), *how]


class Structure(Work):
    """Reads one model at a time, in parallel with all other work; nothing waits for it.

    Signals:
        arrived: The `ChannelGraph` of the model.
        unscored: Instead, if filters are ranked without FIRE, its `FireProfile`, which has seen no sample.
        failed: Why there is no graph, as a sentence.
    """

    arrived = QtCore.Signal(object)
    unscored = QtCore.Signal(object)
    failed = QtCore.Signal(str)

    def read(self, model, *, ranked: bool = False):
        """Begins to read a model, instead of the previous one.

        Args:
            model: The model.
            ranked: Whether filters are ranked at once, though FIRE could be measured; by l1 norms.
        """
        self.abort_and_wait()
        scratch = Scratch()
        target = scratch.path / "layers.npz"
        self.start(
            reading_command(model, target, ranked=ranked),
            f"Reading {Path(model).name}",
            lambda outcome: self._report(outcome, target, scratch),
        )

    def _report(self, outcome: Outcome, target: Path, scratch: Scratch):
        graph, profile = reading.read(target) if outcome.ok else (None, None)
        scratch.remove()
        if profile is not None:
            self.unscored.emit(profile)
        elif graph is not None:
            self.arrived.emit(graph)
        elif not outcome.aborted:
            self.failed.emit(outcome.words)
