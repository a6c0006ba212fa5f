"""Runs: begun, followed, stopped, aborted, and resumed."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore

from firekeras.rounds.run_directory import RunDirectory
from inspector.children import RunOptions, Work, compress_arguments, firekeras_command, resume_arguments
from inspector.dialogs import RunDialog
from inspector.models import Preferences
from inspector.state import (
    Comparison,
    Mode,
    RunView,
    Session,
    criteria,
    events_size,
    open_document,
    profiles_of,
    read_profile,
)
from inspector.tasks.task import MODELS, Task
from inspector.views import NO_RUN

HALF = 0.5  # of the MACs is to be left, if no preview says otherwise
PERIOD = 1000  # milliseconds between looks at a run that another process may write to
STARTING = "Starting: the model is loaded, and its accuracy measured."


class Running(Task):
    """Follows one run, in whichever process it runs.

    Args:
        session: The `Session`.
        work: The `Work`, whose child may be the run.
        preferences: The `Preferences`, which hold the data that were used last.
        parent: The Qt parent.

    Attributes:
        view: The `RunView` that is shown, or `None`.
        folder: The folder of the run, existing or to be created; `None` if there is no run.
        own: Whether this window started it.
        stopping: Whether the run was asked to stop.

    Signals:
        shown: The `RunView` or `None`, a text on the current activity, and whether the run is known to be running.
        progressed: How much of a round is done, and the total.
        logged: A line for the log.
        wanted: The panel of runs should be visible.
        changed: The possible actions on the run may have changed.
    """

    shown = QtCore.Signal(object, str, bool)
    progressed = QtCore.Signal(int, int)
    logged = QtCore.Signal(str)
    wanted = QtCore.Signal()
    changed = QtCore.Signal()

    def __init__(self, session: Session, work: Work, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._work, self._preferences = work, preferences
        self._forget(None, own=False)
        self._timer = QtCore.QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self.look)
        work.reported.connect(self._heard)

    def _forget(self, folder: Path | None, *, own: bool):
        """Forgets the last run; nothing is known about the one in this folder yet."""
        self.view: RunView | None = None
        self.folder, self.own, self.stopping = folder, own, False

    # begin

    def ask(self):
        """Opens the dialog."""
        session = self.session
        model = session.need_model()
        data = self._preferences.data_of(model)
        share, method = _share_left(session), _method(session)
        dialog = RunDialog(model, session.choices, share, data, session.input_shape, method=method)
        dialog.chosen.connect(self.start)
        self.asked.emit(dialog)

    def start(self, options: RunOptions):
        """Begins a run with the open model."""
        model = self.session.need_model()
        self._preferences.set_data_of(model, options.data)
        self._start(compress_arguments(model, self.session.choices, options), options.run_dir)

    def resume(self):
        """Resumes the run that is shown; asks where its result goes if the run was moved."""
        folder = self._need_folder()
        places = self.view.places_outside if self.view is not None else {}
        if not places:
            self._start(resume_arguments(folder), folder)
            return
        suggested = folder.parent / Path(places.get("output", "pruned.keras")).name
        then = lambda output: self._resume_moved(folder, places, output)  # noqa: E731
        self.ask_for_file("The run was moved: save its smaller model as", suggested, MODELS, then)

    def _resume_moved(self, folder, places, output):
        inside = {name: folder / name for name in places}  # TensorBoard's files can lie in the folder itself
        self._start(resume_arguments(folder, **{**inside, "output": output}), folder)

    def _start(self, arguments, folder):
        self._forget(Path(folder), own=True)
        self.shown.emit(None, STARTING, False)
        self.wanted.emit()
        self.wished.emit(firekeras_command(arguments), f"Run {Path(folder).name}", self._ended)

    def _need_folder(self) -> Path:
        if self.folder is None:
            raise ValueError("No run is open. Open its folder first.")
        return self.folder

    # follow

    def follow(self, directory: RunDirectory):
        """Shows a run, finished or still running, and follows it even if another process runs it."""
        self._forget(directory.path, own=False)
        view = self._read(directory)
        self.wanted.emit()
        if not view.over:
            self._timer.start()

    def leave(self):
        """Stops showing a run."""
        self._timer.stop()
        if self.view is not None:
            self.shown.emit(None, NO_RUN, False)
        self._forget(None, own=False)

    def look(self):
        """Reads the run again if something was written."""
        view = self.view
        if view is None:
            self._timer.stop()
        elif events_size(view.directory) != view.size:
            self.in_words(self._read, view.directory)
            if self.view is not None and self.view.over:
                self._timer.stop()

    def _heard(self, event):
        if not self.own or self.folder is None:
            return
        if event["event"] == "written":
            self.logged.emit(f"Written: {event.get('path')}")
            return
        if event["event"] == "note":
            self.logged.emit(f"Note: {event.get('text')}")
        self.in_words(self._read_folder)

    def _read_folder(self):
        folder = self._need_folder()
        if (folder / "run.json").exists():
            self._read(RunDirectory.open(folder))

    def _read(self, directory) -> RunView:
        rounds = len(self.view.report.rounds) if self.view else -1
        view = self.view = RunView.of(directory)
        doing = "Stopping after this round." if self.stopping and self.running else ""
        self.shown.emit(view, doing, self.running)
        if self.running and self.own:
            self.progressed.emit(*view.share_done())
        if len(view.report.rounds) != rounds:
            self._show_network(view)
        self.changed.emit()
        return view

    def _show_network(self, view):
        """Compares the heatmap with the network of the last round that was kept."""
        report, measured, session = view.report, self.session.measured, self.session
        if measured is None:
            self._open_first_profile(view)
        elif session.ranks_by_fire and report.accepted and report.accepted[-1].widths:
            name = f"round {report.accepted[-1].number}"
            first = session.comparison is None and session.mode is Mode.BEFORE
            session.compare(self._comparison(view, measured.profile, name), Mode.CUTS if first else session.mode)

    def _comparison(self, view, profile, name):
        """Compares by the measurement of that network; else by its cuts; if these are unknown too, by its widths."""
        newest, widths = profiles_of(view.directory), view.report.widths_after
        removed = self.removed_from(widths)  # filters have other numbers in the profile of a later round
        if newest and newest[-1] != self.session.need_document().profile_path:
            later = read_profile(newest[-1])
            if later.graph.widths == widths:
                return Comparison.of(profile, later, name, removed)
        if removed:
            return Comparison.of_cuts(profile, removed, name)
        return Comparison.of_widths(profile, widths, name)

    def removed_from(self, widths) -> dict:
        """The filters that a network of these widths lacks, if it came of the shown run; empty if that is unknown."""
        measured, view = self.session.measured, self.view
        if view is None or measured is None or widths != view.report.widths_after:
            return {}
        return view.report.removed if measured.graph.widths == view.report.widths_before else {}

    def _open_first_profile(self, view):
        if self.session.of_run and profiles_of(view.directory):
            self.document.emit(open_document(view.directory.path))

    # end

    @property
    def running(self) -> bool:
        """Whether a run that this window started is in progress."""
        return self.own and self._work.job is not None and self._work.doing.startswith("Run ")

    def stop(self):
        """Ends the run after the round in progress; its result is kept."""
        RunDirectory.open(self._need_folder()).ask_to_stop()
        self.stopping = True
        self.logged.emit("Asked to stop after this round.")
        if self.view is not None:
            self.shown.emit(self.view, "Stopping after this round.", self.running)
        self.changed.emit()

    def _ended(self, outcome):
        folder = self._need_folder()
        title = f"The run in {folder.name}"
        self.in_words(self._read_folder)
        if self.view is None:
            self.shown.emit(None, "The run did not start.", False)
            self.failed(outcome, title, "&Run again…", self.ask)
            return
        self.shown.emit(self.view, "Aborted; finished rounds are kept." if outcome.aborted else "", False)
        if not self.failed(outcome, title, "&Resume it", self.resume):
            self.say(
                f"{title} is over: {self.view.ending}",
                way_out="&Open the run",
                then=lambda: self.path.emit(folder),
            )


def _method(session):
    """What a run ranks by, if it is not FIRE; FIRE itself is filled up by l1 norms in a run."""
    name = session.measured.scores.criterion if session.measured is not None else criteria.FIRE
    return "" if name in (criteria.FIRE, criteria.FILLED) else name


def _share_left(session):
    """The share of the MACs that the preview leaves."""
    measured = session.measured
    if measured is None or not measured.preview.num_gone:
        return HALF
    return measured.preview.costs.macs / max(1, measured.costs.macs)
