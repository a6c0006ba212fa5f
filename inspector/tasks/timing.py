"""Latency of the previewed plan: a child cuts the model as chosen, another times both in turns."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from PySide6 import QtCore

from firekeras.export.formats import FORMATS
from firekeras.export.latency import Latency
from firekeras.plan.planning import PruningPlan
from inspector.children import Scratch, Work, firekeras_command, prune_by_plan_arguments, report_arguments
from inspector.state import Choices, Session, Timed
from inspector.tasks.task import Task


class Timing(Task):
    """Times the previewed plan.

    Args:
        session: The `Session`.
        work: The `Work`, whose child reports each stage.
        parent: The Qt parent.
    """

    def __init__(self, session: Session, work: Work, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._stages: list[dict] = []
        work.reported.connect(self._heard)

    def start(self):
        """Cuts the open model as previewed, times it beside the model, and leaves no file behind.

        Both are timed in LiteRT if it is installed, since much of the time in Keras is Python overhead.
        """
        session, model = self.session, self.session.need_model()
        cut = _Cut(session.choices, session.need_measured().plan(session.choices), model, Scratch())
        cut.plan.save(cut.plan_path)
        command = firekeras_command(prune_by_plan_arguments(model, cut.plan_path, cut.path))
        self.wished.emit(command, f"Pruning a copy of {model.name}", lambda outcome: self._is_cut(outcome, cut))

    def _is_cut(self, outcome, cut):
        if not self._failed(outcome, cut):
            self._time(cut, litert_is_here())

    def _time(self, cut, in_litert):
        def is_over(outcome):
            if in_litert and not (outcome.ok or outcome.aborted):
                self._time(cut, False)  # not all that Keras computes can be exported
            else:
                self.in_words(self._is_timed, outcome, cut)

        self._stages = []
        command = firekeras_command(report_arguments([cut.model, cut.path], in_litert))
        self.wished.emit(
            command, f"Measuring latency of {cut.model.name} in {'LiteRT' if in_litert else 'Keras'}", is_over
        )

    def _heard(self, event):
        if event["event"] == "stage":
            self._stages.append(event)

    def _is_timed(self, outcome, cut):
        if self._failed(outcome, cut):
            return
        cut.scratch.remove()
        before, after = self._stages
        cut.check(after["costs"])
        timed = Timed(cut.choices, Latency(**before["latency"]), Latency(**after["latency"]))
        if self.session.need_document().model == cut.model:
            self.session.add_timed(timed)
        self.status.emit(timed.words)
        self.doing.emit(f"{cut.model.name}: {timed.words}.\n\n{timed.details}")

    def _failed(self, outcome, cut):
        failed = self.failed(outcome, f"Measuring latency of {cut.model.name}", "&Measure it again", self.start)
        if failed:
            cut.scratch.remove()
        return failed


def litert_is_here() -> bool:
    """Whether a child process can export to LiteRT and run the file."""
    return FORMATS["litert"].is_here(os.environ.get("KERAS_BACKEND", "tensorflow"))


@dataclasses.dataclass(frozen=True)
class _Cut:
    """A cut model that is only timed."""

    choices: Choices
    plan: PruningPlan
    model: Path
    scratch: Scratch

    @property
    def plan_path(self) -> Path:
        return self.scratch.path / "plan.json"

    @property
    def path(self) -> Path:
        return self.scratch.path / "pruned.keras"

    def check(self, costs):
        """Raises `ValueError` if the timed model is not the previewed one."""
        expected = self.plan.costs_after
        if (costs["macs"], costs["params"]) != (expected.macs, expected.params):
            raise ValueError(
                f"The latency is not shown: the cut model has {costs['macs']} MACs and {costs['params']} parameters, "
                f"not the {expected.macs} and {expected.params} of the preview."
            )
