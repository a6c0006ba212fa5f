"""Latency of the previewed plan: a child cuts the model as chosen, another times both in turns."""

from __future__ import annotations

import importlib.util
import os

from PySide6 import QtCore

from firekeras.latency import Latency
from inspector.children import Scratch, firekeras_command, prune_by_plan_arguments, report_arguments
from inspector.state import Timed


class Timing(QtCore.QObject):
    """Times what is previewed.

    Args:
        window: The main window.
    """

    def __init__(self, window):
        super().__init__(window)
        self.window, self.session = window, window.session
        self._stages: list[dict] = []
        window.work.told.connect(self._heard)

    def start(self):
        """Cuts the open model as previewed, times it beside the model, and leaves no file behind.

        Both are timed in LiteRT where it is installed, since much of what Keras takes is Python's.
        """
        session, scratch = self.session, Scratch()
        model, plan = session.need_document().model, session.need_measured().plan(session.choices)
        cut = _Cut(session.choices, plan, model, scratch)
        plan.save(cut.plan_path)
        command = firekeras_command(prune_by_plan_arguments(model, cut.plan_path, cut.path))
        self.window.start(command, f"Cutting {model.name}, to time it", lambda outcome: self._is_cut(outcome, cut))

    def _is_cut(self, outcome, cut):
        if not self._failed(outcome, cut):
            self._time(cut, litert_is_here())

    def _time(self, cut, in_litert):
        def is_over(outcome):
            if in_litert and not (outcome.ok or outcome.aborted):
                self._time(cut, False)  # not all that Keras computes can be exported
            else:
                self.window.in_words(self._is_timed, outcome, cut)

        self._stages = []
        command = firekeras_command(report_arguments([cut.model, cut.path], in_litert))
        self.window.start(command, f"Timing {cut.model.name} in {'LiteRT' if in_litert else 'Keras'}", is_over)

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
        self.window.statusBar().showMessage(timed.words)
        self.window.run_panel.show_run(self.window.running.view, f"{cut.model.name}: {timed.words}.\n\n{timed.details}")

    def _failed(self, outcome, cut):
        failed = self.window.failed(outcome, f"Timing {cut.model.name}", ("&Time it again", self.window.do_time))
        if failed:
            cut.scratch.remove()
        return failed


def litert_is_here() -> bool:
    """Whether a child can export to LiteRT, and run that."""
    return os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow" and bool(
        importlib.util.find_spec("ai_edge_litert")
    )


class _Cut:
    """A cut that is made to be timed."""

    def __init__(self, choices, plan, model, scratch):
        self.choices, self.plan, self.model, self.scratch = choices, plan, model, scratch
        self.plan_path, self.path = scratch.path / "plan.json", scratch.path / "pruned.keras"

    def check(self, costs):
        """Raises `ValueError` where what was timed is not what is previewed."""
        expected = self.plan.costs_after
        if (costs["macs"], costs["params"]) != (expected.macs, expected.params):
            raise ValueError(
                f"The latency is not shown: the cut model has {costs['macs']} MACs and {costs['params']} parameters, "
                f"and not the {expected.macs} and {expected.params} that were previewed."
            )
