"""Saving and exporting: the pruned model, checked; plans and choices; tables, and numbers for viewers of graphs."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from PySide6 import QtCore

from firekeras.atomic import beside, check_can_write
from firekeras.channels import latency_table
from firekeras.plan import plan_file
from firekeras.plan.planning import PruningPlan
from inspector.children import Scratch, check_arguments, firekeras_command, prune_by_plan_arguments
from inspector.dialogs import why_not_written
from inspector.models import Preferences
from inspector.state import (
    SENSITIVITY,
    Choices,
    Comparison,
    Message,
    Mode,
    ModelWeights,
    Session,
    choices_file,
    criteria,
    exports,
    model_explorer,
    words,
)
from inspector.tasks.task import MODELS, Task


class Saving(Task):
    """Asks for a path, and writes.

    Args:
        session: The `Session`.
        preferences: The `Preferences`, which hold the data of each model.
        parent: The Qt parent.

    Attributes:
        preferences: As above.
        removed: The removed filters, by layer, of models that were saved here.

    Signals:
        saved: The choices were written to a file, or what they led to was, and they are soon made again.
        chosen: `Choices` were read from a file.
        table: The path of a latency table.
        ranked: A criterion to rank by, that of the choices.
    """

    saved = QtCore.Signal()
    chosen = QtCore.Signal(object)
    table = QtCore.Signal(object)
    ranked = QtCore.Signal(str)

    def __init__(self, session: Session, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self.preferences = preferences
        self.removed: dict[Path, dict] = {}

    def _ask(self, title, ending, kinds, then):
        """Opens a dialog for a new file, and passes its path to `then`."""
        folder = self.session.need_document().path.resolve().parent
        self.ask_for_file(title, folder / f"{self._stem()}{ending}", kinds, then)

    def _stem(self):
        name = self.session.need_document().name
        if self.session.of_run:  # the export is of this network, not of the result of the run
            return f"{name}-round-000"
        return name.removesuffix(".keras").removesuffix(".fire.h5")

    def cut_is_saved(self):
        """A model or a plan was written: nothing is lost with the choices, if a share or a goal is all there is."""
        choices = self.session.choices
        if choices == Choices(ratio=choices.ratio, goal=choices.goal):
            self.saved.emit()

    def _is_written(self, path, more=""):
        self.said.emit(Message(f"Saved: {path}{more}"))

    # the pruned model

    def ask_for_model(self):
        """Asks for the path of the pruned model."""
        title = f"Save a cut of {words.FIRST_NETWORK}" if self.session.of_run else "Save the pruned model"
        self._ask(title, "-pruned.keras", MODELS, self.save_model)

    def save_model(self, path: Path):
        """Prunes as previewed, loads the file again to check it, and only then gives it its name."""
        model = self.session.need_model()
        why = why_not_written(path, ".keras", model)
        if why:
            raise ValueError(why)
        check_can_write(path)
        self.check_unchanged()
        plan = self.session.need_measured().plan(self.session.choices)
        if not plan.removed:
            raise ValueError(f"No filter would be removed, so there is nothing to save. {' '.join(plan.notes)}".strip())
        scratch = Scratch()
        plan.save(scratch.path / "plan.json")
        steps = _Save(self, path, plan, scratch, self._not_the_result(), beside(path))
        command = firekeras_command(prune_by_plan_arguments(model, scratch.path / "plan.json", steps.unchecked))
        self.wished.emit(command, f"Saving {path.name}", steps.pruned)

    def _not_the_result(self):
        """A sentence that distinguishes a saved cut from the result of the open run; empty without a run."""
        document = self.session.need_document()
        if document.run is None:
            return ""
        where = f", which is {document.result}" if document.result else ""
        return f" It is a cut of {words.FIRST_NETWORK}, not the result of the run{where}."

    # the rest

    def ask_for_plan(self):
        """Asks for the path of the plan."""
        self._ask("Save the plan", "-plan.json", "Plans (*.json)", self.save_plan)

    def save_plan(self, path: Path):
        """Writes the plan as JSON, for `firekeras prune --plan`."""
        self.session.need_measured().plan(self.session.choices).save(path)
        self.cut_is_saved()
        self._is_written(path, f". `firekeras prune MODEL.keras --plan {path.name}` applies it.")

    def ask_for_table(self):
        """Asks for the path of the table."""
        self._ask("Export the table", ".csv", "Tables (*.csv)", self.save_table)

    def save_table(self, path: Path):
        """Writes the table as CSV."""
        exports.write_table(self.session, path)
        self._is_written(path)

    def ask_for_netron(self):
        """Asks for the path of the attachment for Netron."""
        self._ask("Export for Netron", ".netron.json", "Attachments (*.json)", self.save_netron)

    def save_netron(self, path: Path):
        """Writes an attachment for Netron."""
        exports.write_netron(self.session, path)
        self._is_written(path, ". Open the model in Netron, then drop this file onto it.")

    def ask_for_filters(self):
        """Asks for the path of the scores of all filters."""
        self._ask("Export the filters", "-filters.csv", "Tables (*.csv)", self.save_filters)

    def save_filters(self, path: Path):
        """Writes the score, the rank and the fate of each filter as CSV."""
        exports.write_filters(self.session, path)
        self._is_written(path)

    def ask_for_model_explorer(self):
        """Asks for the path of the node data for Model Explorer."""
        self._ask("Export for Model Explorer", "-nodes.json", "Node data (*.json)", self.save_model_explorer)

    def save_model_explorer(self, path: Path):
        """Writes the node data, and beside it the graph that they belong to, for Model Explorer."""
        graph = path.with_name(f"{path.stem.removesuffix('-nodes')}-graph.json")
        model_explorer.write(self.session, graph, path)
        self._is_written(path, f". Open {graph.name} in Model Explorer, then upload {path.name} as custom node data.")

    # choices

    def ask_for_choices(self):
        """Asks for the path of the caps, the locks and the share of filters to remove."""
        self._ask("Save the choices", "-choices.json", "Choices (*.json)", self.save_choices)

    def save_choices(self, path: Path):
        """Writes the caps, the locks and the share of filters to remove."""
        measured = self.session.measured
        choices_file.save(self.session.choices, path, measured.scores.criterion if measured else None)
        self.saved.emit()
        self._is_written(path)

    def open_json(self, path: Path):
        """Takes choices from a file, shows what a plan removes, or passes a latency table on."""
        opened = self.session.need_opened()
        kind = choices_file.format_of(path)
        if kind == latency_table.FORMAT:
            self.table.emit(path)
            return
        if kind in (plan_file.FORMAT, plan_file.ALSO_CALLED):
            self._show_plan(path)
            return
        if kind != choices_file.FORMAT:
            raise ValueError(_unknown(path))
        choices, criterion = choices_file.load(path, opened.graph.filter_layers)
        if choices.goal is not None:
            self.session.checked_goal(choices.goal)
        if self.session.measured is not None and criterion not in (None, self.session.measured.scores.criterion):
            self.ranked.emit(criterion)
        self.chosen.emit(choices)
        self.saved.emit()
        if self.session.shows_other and self.session.need_measured().preview.num_gone:
            self.session.compare(self.session.comparison, Mode.BEFORE)
        ranking = f" Filters are ranked by {criteria.title(criterion)}." if criterion else ""
        self.said.emit(
            Message(
                f"Opened the choices of {path.name}. Undo (Ctrl+Z) restores yours.{ranking}",
                holds=lambda: self.session.choices == choices,
            )
        )

    def _show_plan(self, path):
        plan, measured = PruningPlan.load(path), self.session.need_measured()
        if plan.widths != measured.graph.widths:
            raise ValueError(f"{path.name} is a plan for another network: its layers have other widths.")
        comparison = Comparison.of_cuts(measured.profile, plan.removed, path.name)
        self.session.compare(comparison, Mode.CUTS)
        self.said.emit(
            Message(
                f"The heatmap shows what {path.name} removes. Ctrl+1 shows your own choices again.",
                holds=lambda: self.session.shows(comparison),
            )
        )


def _unknown(path):
    if path.name.endswith(SENSITIVITY):
        return (
            f"{path.name} is shown with its model, in the column “Spare”: open the model beside which it lies instead."
        )
    return f"{path.name} is neither choices, nor a plan, nor a latency table, as firekeras saves them."


@dataclasses.dataclass(frozen=True)
class _Save:
    """The steps of saving one model: pruned, loaded again, counted, named; until it is checked it is `unchecked`."""

    saving: Saving
    path: Path
    plan: PruningPlan
    scratch: Scratch
    besides: str
    unchecked: Path

    def pruned(self, outcome):
        """Goes on after pruning: loads the file again, unless pruning failed."""
        self.scratch.remove()
        if not self._failed(outcome):
            command = firekeras_command(check_arguments(self.unchecked))
            checked = lambda after: self.saving.in_words(self.checked, after)  # noqa: E731
            self.saving.wished.emit(command, f"Checking {self.path.name}", checked)

    def checked(self, outcome):
        """Goes on after loading: counts the parameters and renames the file, unless loading failed."""
        if self._failed(outcome):
            return
        params = self._counted()
        os.replace(self.unchecked, self.path)
        self.saving.preferences.pass_data_on(self.saving.session.need_model(), self.path)
        self.saving.removed[self.path.resolve()] = self.plan.removed
        self.saving.cut_is_saved()
        self.saving.said.emit(
            Message(
                f"Saved and checked: {self.path}. It loads again, and has the {params} parameters of the preview. It "
                f"is not fine-tuned: its accuracy is lower until you train it.{self.besides}",
                way_out="&Open it",
                then=lambda: self.saving.path.emit(self.path),
            )
        )

    def _counted(self):
        """The number of parameters, which must be the planned number."""
        weights = ModelWeights(self.unchecked)
        params, expected = weights.params, self.plan.costs_after.params
        weights.close()
        if params != expected:
            self.unchecked.unlink()
            self.saving.doing.emit(f"{self.path.name} is not kept.")
            raise ValueError(
                f"{self.path.name} is not kept: it has {params} parameters instead of the planned {expected}."
            )
        return params

    def _failed(self, outcome):
        failed = self.saving.failed(outcome, f"Saving {self.path.name}", "&Save again…", self.saving.ask_for_model)
        if failed:
            self.unchecked.unlink(missing_ok=True)
        return failed
