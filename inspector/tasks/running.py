"""Runs from within the window: begun, followed, stopped, aborted, and gone on with."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore

from firekeras.rounds.run_directory import RunDirectory
from inspector.children import RunOptions, compress_arguments, firekeras_command, resume_arguments
from inspector.dialogs import RunDialog
from inspector.state import Comparison, Mode, RunView, events_size, profiles_of, read_profile
from inspector.views import NO_RUN

HALF = 0.5  # of the MACs is to be left, where no preview says otherwise
PERIOD = 1000  # milliseconds between looks at a run that another process may write to
STARTING = "Starting: the model is loaded, and its accuracy measured."


class Running(QtCore.QObject):
    """Follows one run, whoever runs it.

    Args:
        window: The main window.

    Attributes:
        view: The `RunView` that is shown, or `None`.
        folder: Where the run is, or will be.
    """

    def __init__(self, window):
        super().__init__(window)
        self.window, self.session, self.work = window, window.session, window.work
        self.view: RunView = None  # type: ignore[assignment]  # until a run is followed
        self.folder: Path = None  # type: ignore[assignment]
        self.own = False
        self.stopping = False
        self._timer = QtCore.QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self.look)
        self.work.told.connect(self._heard)

    # begin

    def ask(self):
        """Opens the dialog."""
        session = self.session
        last = self.window.preferences.text("data")
        dialog = RunDialog(session.document.model, session.choices, _share_left(session), last, self.window)
        dialog.chosen.connect(self.start)
        self.window.show_dialog(dialog)

    def start(self, options: RunOptions):
        """Begins a run with the open model."""
        self.window.preferences.set_text("data", options.data)
        arguments = compress_arguments(self.session.need_document().model, self.session.choices, options)
        self._start(arguments, options.run_dir)

    def resume(self):
        """Goes on with the run that is shown."""
        self._start(resume_arguments(self.folder), self.folder)

    def _start(self, arguments, folder):
        self._forget(Path(folder), own=True)
        self.window.run_panel.show_run(None, STARTING)
        self.window.show_runs()
        self.window.start(firekeras_command(arguments), f"Run {self.folder.name}", self._ended)

    def _forget(self, folder, own):
        """Nothing is known of the run in this folder yet."""
        self.view, self.folder = None, folder  # type: ignore[assignment]
        self.own, self.stopping = own, False

    # follow

    def follow(self, directory: RunDirectory):
        """Shows a run, finished or still running; of one that another process runs, what it comes to."""
        self._forget(directory.path, own=False)
        self._read(directory)
        self.window.show_runs()
        if not self.view.over:
            self._timer.start()

    def leave(self):
        """Shows no run any more."""
        self._timer.stop()
        if self.view is not None:
            self.window.run_panel.show_run(None, NO_RUN)
        self._forget(None, own=False)

    def look(self):
        """Reads the run again where something was written."""
        if self.view is None or self.folder is None:
            self._timer.stop()
        elif events_size(self.view.directory) != self.view.size:
            self.window.in_words(self._read, self.view.directory)
            if self.view.over:
                self._timer.stop()

    def _heard(self, event):
        if not self.own or self.folder is None:
            return
        if event["event"] == "written":
            self.window.run_panel.say(f"Written: {event.get('path')}")
            return
        if event["event"] == "note":
            self.window.run_panel.say(f"Note: {event.get('text')}")
        self.window.in_words(self._read_folder)

    def _read_folder(self):
        if (self.folder / "run.json").exists():
            self._read(RunDirectory.open(self.folder))

    def _read(self, directory):
        rounds = len(self.view.report.rounds) if self.view else -1
        self.view = RunView.of(directory)
        doing = "Stops after this round." if self.stopping and self.running else ""
        self.window.run_panel.show_run(self.view, doing, alive=self.running)
        if self.running and self.own:
            self.window.run_panel.show_progress(*self.view.share_done())
        if len(self.view.report.rounds) != rounds:
            self._show_network()
        self.window.refresh_actions()

    def _show_network(self):
        """Lays the network of the last round that was kept over the heatmap."""
        report, measured = self.view.report, self.session.measured
        if measured is None:
            self._open_first_profile()
        elif report.accepted and report.accepted[-1].widths:
            name = f"round {report.accepted[-1].number}"
            first = self.session.comparison is None and self.session.mode is Mode.BEFORE and not self.own
            mode = Mode.CUTS if first else self.session.mode
            self.session.compare(self._comparison(measured.profile, report, name), mode)

    def _comparison(self, profile, report, name):
        """By what was measured of that network, where it was; else by the cuts, or where not told by its widths."""
        newest = profiles_of(self.view.directory)
        widths = report.widths_after
        told = profile.graph.widths == report.widths_before  # else filters have other numbers in this profile
        removed = report.removed if told else {}
        if newest and newest[-1] != self.session.need_document().profile_path:
            later = read_profile(newest[-1])
            if later.graph.widths == widths:
                return Comparison.of(profile, later, name, removed)
        if removed:
            return Comparison.of_cuts(profile, removed, name)
        return Comparison.of_widths(profile, widths, name)

    def _open_first_profile(self):
        if self.session.of_run and profiles_of(self.view.directory):
            self.window.show_document_of_run(self.view.directory)

    # end

    @property
    def running(self) -> bool:
        """Whether a run of this window goes on."""
        return self.own and self.work.job is not None and self.work.doing.startswith("Run ")

    def stop(self):
        """Has the run end after the round in progress; what it came to is kept."""
        RunDirectory.open(self.folder).ask_to_stop()
        self.stopping = True
        self.window.run_panel.say("Asked to stop after this round.")
        if self.view is not None:
            self.window.run_panel.show_run(self.view, "Stops after this round.", alive=self.running)
        self.window.refresh_actions()

    def _ended(self, outcome):
        title = f"The run in {self.folder.name}"
        self.window.in_words(self._read_folder)
        if self.view is None:
            self.window.run_panel.show_run(None, "The run did not begin.")
            self.window.failed(outcome, title, ("&Run again…", self.ask))
            return
        doing = "Aborted; the rounds that were finished are kept." if outcome.aborted else ""
        self.window.run_panel.show_run(self.view, doing)
        if not self.window.failed(outcome, title, ("&Go on with it", self.resume)):
            self.window.banner.say(
                f"{title} is over: {self.view.report.reason or self.view.report.state}.",
                way_out="&Open the run",
                then=lambda folder=self.folder: self.window.open_path(folder),
            )


def _share_left(session):
    """Which share of the MACs the preview leaves."""
    measured = session.measured
    if measured is None or not measured.preview.num_gone:
        return HALF
    return measured.preview.costs.macs / max(1, measured.costs.macs)
