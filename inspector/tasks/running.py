"""Runs: begun, followed, stopped, aborted, and resumed."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore

from firekeras.rounds.run_directory import RunDirectory
from firekeras.rounds.schema import FIT, beside_name
from inspector.children import (
    MeasureOptions,
    RunOptions,
    Work,
    compress_arguments,
    firekeras_command,
    measure_arguments,
    resume_arguments,
)
from inspector.dialogs import MeasureDialog, RunDialog
from inspector.models import Preferences
from inspector.state import (
    Comparison,
    Data,
    Message,
    Mode,
    RunView,
    Session,
    Stage,
    criteria,
    events_size,
    open_document,
    profiles_of,
    read_profile,
    stages_of,
    words,
)
from inspector.tasks.task import MODELS, Task
from inspector.views import NO_RUN

HALF = 0.5  # of the MACs is to be left, if no preview says otherwise
PERIOD = 1000  # milliseconds between looks at a run that another process may write to
STARTING = "Starting: loading the model and measuring its accuracy."
STOPPING = "Stopping after this round."


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
        stages: The networks that it left so far.
        stage: The one that is shown, or `None`.
        stopping: Whether the run was asked to stop.
        by_epoch: Whether the networks of each epoch are listed.

    Signals:
        staged: The networks of the run, and the one that is shown.
        steps: Whether the run has epochs on record, and whether these are listed.
        shown: The `RunView` or `None`, a text on the current activity, and whether the run is known to be running.
        progressed: How much of a round is done, and the total.
        logged: A line for the log.
        wanted: The panel of runs should be visible.
        changed: The possible actions on the run may have changed.
    """

    staged = QtCore.Signal(object, object)
    steps = QtCore.Signal(bool, bool)
    shown = QtCore.Signal(object, str, bool)
    progressed = QtCore.Signal(int, int)
    logged = QtCore.Signal(str)
    wanted = QtCore.Signal()
    changed = QtCore.Signal()

    def __init__(self, session: Session, work: Work, preferences: Preferences, parent: QtCore.QObject | None = None):
        super().__init__(session, parent)
        self._work, self._preferences = work, preferences
        self._read_profiles: dict = {}
        self._forget(None, own=False)
        self._timer = QtCore.QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self.look)
        work.reported.connect(self._heard)

    def _forget(self, folder: Path | None, *, own: bool):
        """Forgets the last run; nothing is known about the one in this folder yet."""
        self.view: RunView | None = None
        self.folder, self.own, self.stopping = folder, own, False
        self._stop_waits = False  # until the run can read the request
        self._begun = False  # whether its records said that it is in progress
        self._trains_on: tuple[Path, Data] | None = None  # to be remembered once it has begun
        self.stages: list[Stage] = []
        self.stage: Stage | None = None
        self.by_epoch = False
        self._key: tuple[int, int] | None = None  # of the network that a person chose; None to follow the run
        self._read_profiles.clear()
        self.staged.emit([], None)

    # begin

    def ask(self):
        """Opens the dialog."""
        session = self.session
        model = session.need_model()
        last, share, method = self._preferences.data_of(model), _share_left(session), _method(session)
        table = session.table.path.resolve() if session.table else None
        weights = session.need_document().weights
        compiled = weights is None or weights.compiled
        dialog = RunDialog(
            model, session.choices, share, last, session.input_shape, method=method, table=table, compiled=compiled
        )
        dialog.chosen.connect(self.start)
        self.asked.emit(dialog)

    def start(self, options: RunOptions):
        """Begins a run with the open model."""
        model = self.session.need_model()
        self._start(compress_arguments(model, self.session.choices, options), options.run_dir)
        self._trains_on = (model, options.data)

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
        self._leave_network()
        self._forget(Path(folder), own=True)
        self.shown.emit(None, STARTING, False)
        self.status.emit("")  # what was said of a preview
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
        self.by_epoch = directory.settings.get("within") == FIT  # whose rounds are few, and its epochs what people know
        view = self._read(directory)
        self._propose_its_data(directory)
        self.wanted.emit()
        if not view.over:
            self._timer.start()

    def _propose_its_data(self, directory):
        """Has the data of a run proposed for the network that it began with, unless that has its own."""
        document, data = self.session.document, Data.of_run(directory.settings.get("source") or {})
        if document is not None and document.model is not None and data.source:
            self._preferences.propose_data(document.model, data)

    def _leave_network(self):
        """Shows no network of the run before beside one that has left none yet."""
        shown = self.session.comparison
        if shown is not None and self.stage is not None and shown.name == self.stage.name:
            self.session.compare(None, Mode.BEFORE)

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
            if self.running:  # not a profile that was measured later
                self._preferences.pass_data_on(self.session.need_model(), event["path"])
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
        self._note_begin(view)
        if self._stop_waits and self._begun:
            self._stop_waits = False
            directory.ask_to_stop()
        doing = STOPPING if self.stopping and self.running else ""
        self.shown.emit(view, doing, self.running)
        if self.running and self.own:
            self.progressed.emit(*view.share_done())
        if len(view.report.rounds) != rounds:
            self._show_network(view)
        self.changed.emit()
        return view

    def _note_begin(self, view):
        self._begun = self._begun or not view.over
        if self._begun and self._trains_on is not None:
            self._preferences.set_data_of(*self._trains_on)
            self._trains_on = None

    def _show_network(self, view):
        """Compares the heatmap with the network that is chosen, or else with that of the last round that was kept."""
        self._list_networks(view)
        self._show_stage(self._key)
        session = self.session
        if session.lacks_fire and self._open_first_profile(view):
            return  # it is shown with that
        if session.measured is not None and self.stage is not None and self.stage.number:
            first = session.comparison is None and session.mode is Mode.BEFORE
            comparison = self._comparison(self.stage, session.measured.profile)
            if session.can_show(comparison):
                session.compare(comparison, Mode.CUTS if first else session.mode)

    def _list_networks(self, view):
        every = stages_of(view, by_epoch=True)
        self.stages = every if self.by_epoch else stages_of(view)
        self.steps.emit(any(stage.epoch for stage in every), self.by_epoch)

    def step_by_epoch(self, by_epoch: bool):
        """Lists the networks of each epoch, or only those that rounds left; shows what the round at hand left."""
        self.by_epoch = by_epoch
        if self.view is not None and self.stage is not None:
            self._list_networks(self.view)
            number = self.stage.number
            if (number, 0) not in [stage.key for stage in self.stages]:  # it was undone
                number = max(stage.number for stage in self.stages if stage.number <= number and not stage.epoch)
            self.choose_round(number)

    def _show_stage(self, key):
        by_key = {stage.key: stage for stage in self.stages}
        self.stage = by_key.get(key) or self.stages[-1]
        self.staged.emit(self.stages, self.stage)

    def show_again(self):
        """Shows the network that is chosen, once the layers of the first one are known."""
        if self.view is not None:
            self._show_network(self.view)

    def choose_round(self, number: int, epoch: int = 0):
        """Shows the network that a round left, or that of one of its epochs; round 0 is what the run began with."""
        last = (number, epoch) == self.stages[-1].key
        self._key = None if last else (number, epoch)
        self._show_stage(self._key)
        self.in_words(self._show_chosen)
        self.changed.emit()

    def _show_chosen(self):
        """Shows FIRE of the chosen network if it was measured, else which filters it lacks."""
        stage, session = self.stage, self.session
        if stage is None or session.measured is None:
            return
        if not stage.number:
            session.compare(None, Mode.BEFORE)
        elif stage.profile is None:
            self._compare(stage, Mode.CUTS)
        else:
            self._compare(stage, session.mode if session.mode in (Mode.DIFFERENCE, Mode.SPLIT) else Mode.AFTER)

    def _compare(self, stage, mode):
        self.session.compare(self._comparison(stage, self.session.need_measured().profile), mode)

    def _comparison(self, stage, profile):
        """Compares by the measurement of that network; else by its cuts; if these are unknown too, by its widths."""
        later, widths = self._profile_of(stage), stage.report.widths_after
        removed = self._removed(stage)  # filters have other numbers in the profile of a later round
        if later is not None and later.graph.widths == widths:
            return Comparison.of(profile, later, stage.name, removed)
        if removed:
            return Comparison.of_cuts(profile, removed, stage.name)
        return Comparison.of_widths(profile, widths, stage.name)

    def _profile_of(self, stage):
        if stage.profile is None or stage.profile == self.session.need_document().profile_path:
            return None
        key = (stage.profile, stage.profile.stat().st_mtime_ns)
        if key not in self._read_profiles:
            self._read_profiles[key] = read_profile(stage.profile)
        return self._read_profiles[key]

    def _removed(self, stage) -> dict:
        """The filters that a network lacks, if they have their numbers in the open profile; empty if unknown."""
        graph = self.session.need_measured().graph
        return stage.report.removed if graph.widths == stage.report.widths_before else {}

    def removed_from(self, widths) -> dict:
        """The filters that a network of these widths lacks, if it came of the shown run; empty if that is unknown."""
        if self.session.measured is None:
            return {}
        stage = next((stage for stage in reversed(self.stages) if stage.report.widths_after == widths), None)
        return self._removed(stage) if stage is not None else {}

    # what is done with a network of the run

    def need_stage(self) -> tuple[Stage, Path]:
        """The network that is shown, and its file; raises `ValueError` if there is none."""
        if self.stage is None or self.stage.model is None:
            raise ValueError("No run is open, or the model of this round is not in its folder.")
        return self.stage, self.stage.model

    @property
    def model(self) -> Path:
        """The file of the model that is shown: that of a round, else the open one; raises `ValueError` without any."""
        return self.need_stage()[1] if self.stage is not None else self.session.need_model()

    def open_round(self):
        """Opens the model of the round that is shown."""
        model = self.need_stage()[1]
        if self.session.document is not None and self.session.document.model is not None:
            self._preferences.pass_data_on(self.session.document.model, model)
        self.path.emit(model)

    def ask_to_measure(self):
        """Opens the dialog that measures FIRE of the round that is shown."""
        stage, model = self.need_stage()
        proposed = self._preferences.data_of(self.session.need_model())
        dialog = MeasureDialog(f"{stage.name} of this run", proposed, self.session.input_shape)
        dialog.chosen.connect(lambda options: self.measure(stage, model, options))
        self.asked.emit(dialog)

    def measure(self, stage: Stage, model: Path, options: MeasureOptions):
        """Measures FIRE of the network that a round left."""
        output = model.with_name(beside_name(stage.number))
        command = firekeras_command(measure_arguments(model, output, options))
        self.wished.emit(command, f"Measuring {stage.name}", lambda outcome: self._is_measured(outcome, stage, options))

    def _is_measured(self, outcome, stage, options):
        if self.failed(outcome, f"Measuring {stage.name}", "&Measure again…", self.ask_to_measure):
            return
        self._preferences.set_data_of(self.session.need_model(), options.data)
        if self.view is not None and stage in self.stages:
            self._list_networks(self.view)
            self.choose_round(stage.number)
        shown = self.session.comparison
        self.said.emit(Message(f"Measured. {self._where_it_is(stage)}", holds=lambda: self.session.shows(shown)))

    def _where_it_is(self, stage):
        """Where FIRE of a round is to be seen."""
        session = self.session
        if session.measured is not None and session.mode.of_fire_after:
            return f"The heatmap shows FIRE after {stage.name}."
        first = f"Measure {words.FIRST_NETWORK} too (F5), then choose" if session.lacks_fire else "Choose"
        return f"{first} FIRE in the list above the heatmap to see FIRE after {stage.name}."

    def _open_first_profile(self, view) -> bool:
        """Opens what a run has measured in the meantime; returns whether it has."""
        document = self.session.document
        found = document is not None and document.run is not None and document.profile is None
        found = found and bool(profiles_of(view.directory))
        if found:
            self.document.emit(open_document(view.directory.path))
        return found

    # end

    @property
    def running(self) -> bool:
        """Whether a run that this window started is in progress."""
        return self.own and self._work.job is not None and self._work.doing.startswith("Run ")

    @property
    def starting(self) -> bool:
        """Whether this window started or resumed a run that has not written so yet."""
        return self.running and not self._begun

    def stop(self):
        """Ends the run after the round in progress, or the first one if it is still starting; its result is kept."""
        self.stopping, self._stop_waits = True, self.starting
        if not self._stop_waits:
            RunDirectory.open(self._need_folder()).ask_to_stop()
        self.logged.emit("Asked to stop after this round.")
        self.shown.emit(self.view, f"{STARTING} {STOPPING}" if self._stop_waits else STOPPING, self.running)
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
        label, way_on = self._way_on()
        if not outcome.ok and self.view.stopped and not self.view.report.accepted:
            words = f"{title} was stopped before it kept a round; nothing is written."
            self.said.emit(Message(words, way_out=label, then=lambda: self.in_words(way_on)))
            return
        if not self.failed(outcome, title, label, way_on):
            shown = self.session.need_document().path.resolve() == folder.resolve()
            self.said.emit(
                Message(
                    f"{title} is over: {self.view.ending}",
                    way_out="" if shown else "&Open the run",
                    then=lambda: self.path.emit(folder),
                )
            )

    def _way_on(self):
        """A button and what it does, if a run came to nothing: it goes on, or another one with other limits."""
        over = self.view is None or self.view.finished or self.view.used_up
        return ("&Run again…", self.ask) if over else ("&Resume it", self.resume)


def _method(session):
    """What a run ranks by, if it is not FIRE, beside which the dialog offers other criteria."""
    name = session.measured.scores.criterion if session.measured is not None else criteria.FIRE
    return "" if name in (criteria.FIRE, criteria.FILLED) else name


def _share_left(session):
    """The share of the MACs that the preview leaves."""
    measured = session.measured
    if measured is None or not measured.preview.num_gone:
        return HALF
    return measured.preview.costs.macs / max(1, measured.costs.macs)
