"""What leaves the inspector: the pruned model, checked; the plan; the table, the picture, and FIRE for Netron."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6 import QtCore, QtGui, QtSvg, QtWidgets

from firekeras.atomic import whole_file
from inspector.children import Scratch, check_arguments, firekeras_command, prune_by_plan_arguments
from inspector.state import ModelWeights, exports, words


class Saving(QtCore.QObject):
    """Asks where to, and writes.

    Args:
        window: The main window.

    Attributes:
        removed: For models saved here, which filters of which layers are gone.
    """

    def __init__(self, window):
        super().__init__(window)
        self.window, self.session = window, window.session
        self.removed: dict[Path, dict] = {}

    def ask(self, title: str, name: str, kinds: str, then):
        """Opens a dialog for a new file, and gives its path to `then`."""
        dialog = QtWidgets.QFileDialog(self.window, title, str(self._folder()), kinds)
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(kinds[kinds.index("*.") + 2 :].rstrip(")"))
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda path: self.window.in_words(lambda: then(Path(path))))
        self.window.show_dialog(dialog)

    def _folder(self):
        return self.session.need_document().path.resolve().parent

    def _stem(self):
        name = self.session.need_document().name
        if self.session.of_run:  # what is exported is of this network, and not what the run came to
            return f"{name}-round-000"
        return name.removesuffix(".keras").removesuffix(".fire.h5")

    # the pruned model

    def ask_for_model(self):
        """Asks where the pruned model goes."""
        title = f"Save a cut of {words.FIRST_NETWORK}" if self.session.of_run else "Save the pruned model"
        self.ask(title, f"{self._stem()}-pruned.keras", "Keras models (*.keras)", self.save_model)

    def save_model(self, path: Path):
        """Prunes as previewed, loads what was written to check it, and only then gives it its name."""
        model = self.session.need_document().model
        if path.resolve() == model.resolve():
            raise ValueError(f"{path.name} is the model itself, which is never overwritten. Give another name.")
        if not path.parent.is_dir():
            raise ValueError(f"There is no folder {path.parent}. Choose another.")
        plan = self.session.need_measured().plan(self.session.choices)
        if not plan.removed:
            raise ValueError(f"Nothing would go, so that there is nothing to save. {' '.join(plan.notes)}".strip())
        scratch = Scratch()
        plan.save(scratch.path / "plan.json")
        unchecked = path.with_name(f".{os.getpid()}.{path.name}")
        command = firekeras_command(prune_by_plan_arguments(model, scratch.path / "plan.json", unchecked))
        steps = _Save(self.window, path, unchecked, plan, scratch, self, self._not_the_result())
        self.window.start(command, f"Saving {path.name}", steps.pruned)

    def _not_the_result(self):
        """What sets a cut that is saved while a run is open apart from what that run came to."""
        document = self.session.need_document()
        if document.run is None:
            return ""
        where = f", which is {document.result}" if document.result else ""
        return f" It is a cut of {words.FIRST_NETWORK}, and not what the run came to{where}."

    # the rest

    def ask_for_plan(self):
        """Asks where the plan goes."""
        self.ask("Save the plan", f"{self._stem()}-plan.json", "Plans (*.json)", self.save_plan)

    def save_plan(self, path: Path):
        """Writes the plan as JSON, for `firekeras prune --plan`."""
        self.session.need_measured().plan(self.session.choices).save(path)
        self.window.editor.stack.setClean()
        self.window.banner.say(f"Written: {path}. `firekeras prune MODEL.keras --plan {path.name}` does what it says.")

    def ask_for_table(self):
        """Asks where the table goes."""
        self.ask("Export the table", f"{self._stem()}.csv", "Tables (*.csv)", self.save_table)

    def save_table(self, path: Path):
        """Writes the table as CSV."""
        exports.write_table(self.session, path)
        self.window.banner.say(f"Written: {path}")

    def ask_for_netron(self):
        """Asks where the attachment for Netron goes."""
        self.ask("Export for Netron", f"{self._stem()}.netron.json", "Attachments (*.json)", self.save_netron)

    def save_netron(self, path: Path):
        """Writes an attachment for Netron."""
        exports.write_netron(self.session, path)
        self.window.banner.say(f"Written: {path}. Open the model in Netron, then drop this file onto it.")

    def ask_for_png(self):
        """Asks where the picture goes."""
        self.ask("Export the heatmap", f"{self._stem()}.png", "Pictures (*.png)", self.save_picture)

    def ask_for_svg(self):
        """Asks where the drawing goes."""
        self.ask("Export the heatmap", f"{self._stem()}.svg", "Drawings (*.svg)", self.save_picture)

    def save_picture(self, path: Path):
        """Writes the heatmap with its names and its legend, as PNG or SVG by the ending."""
        panel = self.window.heatmap_panel
        with whole_file(path) as temporary:
            if path.suffix == ".svg":
                _draw_svg(panel, temporary)
            elif not panel.grab().save(str(temporary), "PNG"):
                raise ValueError(f"{path} could not be written. Choose another folder.")
        self.window.banner.say(f"Written: {path}")


def _draw_svg(panel, path):
    drawing = QtSvg.QSvgGenerator()
    drawing.setFileName(str(path))
    drawing.setSize(panel.size())
    drawing.setViewBox(panel.rect())
    painter = QtGui.QPainter(drawing)
    try:
        panel.render(painter, QtCore.QPoint())
    finally:
        painter.end()


class _Save:
    """The steps of saving one model: pruned, loaded again, counted, named."""

    def __init__(self, window, path, unchecked, plan, scratch, saving, besides):
        self.window, self.path, self.unchecked, self.plan = window, path, unchecked, plan
        self.scratch, self.saving, self.besides = scratch, saving, besides

    def pruned(self, outcome):
        """It is written, or not: then it is loaded again."""
        self.scratch.remove()
        if self._failed(outcome):
            return
        command = firekeras_command(check_arguments(self.unchecked))
        self.window.start(
            command, f"Checking {self.path.name}", lambda after: self.window.in_words(self.checked, after)
        )

    def checked(self, outcome):
        """It can be loaded, or not: then its parameters are counted, and it gets its name."""
        if self._failed(outcome):
            return
        weights = ModelWeights(self.unchecked)
        found, expected = weights.params, self.plan.costs_after.params
        weights.close()
        if found != expected:
            self.unchecked.unlink()
            self.window.run_panel.show_run(self.window.running.view, f"{self.path.name} is not kept.")
            raise ValueError(
                f"{self.path.name} is not kept: it has {found} parameters, and not the {expected} planned."
            )
        os.replace(self.unchecked, self.path)
        self.saving.removed[self.path.resolve()] = self.plan.removed
        self.window.editor.stack.setClean()
        self.window.banner.say(
            f"Written: {self.path}. It was loaded again, and has the {found} parameters that were previewed. It is not "
            f"fine-tuned: its accuracy is lower until it is trained on.{self.besides}",
            way_out="&Open it",
            then=lambda: self.window.open_path(self.path),
        )

    def _failed(self, outcome):
        failed = self.window.failed(outcome, f"Saving {self.path.name}", ("&Save again…", self.saving.ask_for_model))
        if failed:
            self.unchecked.unlink(missing_ok=True)
        return failed
