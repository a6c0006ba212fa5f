"""The main window: it arranges the views, opens documents, and carries out actions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.children import Structure, Work, as_text, open_in_netron, prune_arguments
from inspector.dialogs import LimitsDialog
from inspector.models import Editor, Preferences
from inspector.state import (
    BY_FIRE,
    CHOICES,
    DOCUMENT,
    NO_TABLE,
    PICTURE,
    Comparison,
    Document,
    Message,
    Mode,
    Session,
    beside_model,
    criteria,
    data_sources,
    is_keras_2,
    obstacles,
    open_document,
    read_profile,
    words,
)
from inspector.tasks import (
    Converting,
    Exporting,
    Figures,
    Judging,
    Measuring,
    Running,
    Saving,
    Scoring,
    Tabling,
    Task,
    Timing,
    in_words,
)
from inspector.views import (
    HIDDEN_AT_FIRST,
    NO_RUN,
    Banner,
    FilterPanel,
    GoalBar,
    HeatmapPanel,
    HeatmapView,
    LayerTable,
    RatioBar,
    RoundBar,
    RunPanel,
    empty_page,
)
from inspector.widgets import action_button
from inspector.window import about, actions, choosing
from inspector.window.manual import ManualDialog
from inspector.window.menus import MENUS

HIDDEN = "hidden columns"
SHORT = {"measure": "Measure", "time": "Latency", "run": "Run", "save": "Save"}  # on buttons beside the costs
CLOSE = "Close?"
KEPT = "If you abort it, finished rounds are kept: open its folder to resume it (Ctrl+Shift+R)."
UNSAVED = (
    "Your goal or share of filters to remove, caps, locks and limits are not saved. "
    "Neither a pruned model nor a plan holds caps, locks and limits."
)
BY_L1 = "Its filters are ranked by l1 norms; the list above the heatmap has other criteria."
RUN_HEIGHT = 210  # pixels
LAYERS_WIDTH, FILTER_WIDTH = 418, 220  # pixels
TITLE_BAR = 30  # pixels, or less, that a window manager adds


class Window(QtWidgets.QMainWindow):
    """The inspector.

    Args:
        preferences: The `Preferences`.
    """

    def __init__(self, preferences: Preferences):
        super().__init__()
        self.setObjectName("inspector")
        self.preferences = preferences
        self.session: Session = Session()
        self.editor: Editor = Editor(self.session, self)
        self.work: Work = Work(self)
        self.structure = Structure(self)
        self.dialog: QtWidgets.QDialog | None = None
        self._log_opened = False
        self._make_views()
        self.measuring: Measuring = Measuring(self.session, preferences, self)
        self.running: Running = Running(self.session, self.work, preferences, self)
        self.saving: Saving = Saving(self.session, preferences, self)
        self.figures: Figures = Figures(self.session, self)
        self.converting: Converting = Converting(self.session, self.work, self)
        self.scoring: Scoring = Scoring(self.session, preferences, self)
        self.timing: Timing = Timing(self.session, self.work, self)
        self.tabling: Tabling = Tabling(self.session, self)
        self.judging: Judging = Judging(self.session, self.work, preferences, self)
        self.exporting: Exporting = Exporting(self.session, preferences, self)
        self.actions_: actions.Actions = actions.Actions(self, MENUS)
        self._lay_out()
        self._connect()
        self.setAcceptDrops(True)
        self.resize(self._first_size())
        preferences.restore(self)
        self.table.columns.hide(preferences.text(HIDDEN, HIDDEN_AT_FIRST))
        self.banner.hide()  # its message from when the window was closed no longer holds
        self._show_document()

    def _first_size(self):
        """A size that the screen has room for, with the frame around the window."""
        room = self.screen().availableSize() - QtCore.QSize(0, TITLE_BAR)
        return QtCore.QSize(1180, 760).boundedTo(room)

    # its parts

    def _make_views(self):
        self.banner = Banner()
        self.ratio: RatioBar = RatioBar(self.session, self.editor)
        self.goal: GoalBar = GoalBar(self.session, self.editor)
        self.table: LayerTable = LayerTable(self.session, self.editor)
        self.heatmap: HeatmapView = HeatmapView(self.session, self.editor)
        self.heatmap_panel = HeatmapPanel(self.heatmap)
        self.panel = FilterPanel(self.session)
        self.empty = empty_page.EmptyPage()
        self.pages = QtWidgets.QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.heatmap_panel)

    def _lay_out(self):
        self.run_panel = RunPanel([self.actions_[key] for key in ("run", "stop", "abort", "resume")])
        of_round = ("open_round", "measure_round", "export", "folder")
        self.rounds = RoundBar([self.actions_[key] for key in of_round])
        self.heatmap_panel.put_above(self.rounds)
        self.setCentralWidget(self.pages)
        self._add_toolbar()
        side = QtCore.Qt.DockWidgetArea
        self.layers_dock = self._dock("Layers", self.table, side.LeftDockWidgetArea)
        self.filter_dock = self._dock("Filter", self.panel, side.RightDockWidgetArea)
        self.run_dock = self._dock("Run", self.run_panel, side.BottomDockWidgetArea)
        self.run_dock.hide()
        self.resizeDocks(
            [self.layers_dock, self.filter_dock], [LAYERS_WIDTH, FILTER_WIDTH], QtCore.Qt.Orientation.Horizontal
        )
        self.docks: list[QtWidgets.QDockWidget] = [self.layers_dock, self.filter_dock, self.run_dock]
        actions.fill(self.menuBar(), MENUS, self)
        self.statusBar().setSizeGripEnabled(True)

    def _add_toolbar(self):
        bar = QtWidgets.QToolBar("Filters to remove and costs", self, movable=False)
        bar.setObjectName("ratio")
        bar.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.PreventContextMenu)  # it cannot be hidden by mistake
        bar.addWidget(self.ratio)
        for key, text in SHORT.items():
            bar.addWidget(action_button(self.actions_[key], text))
        goals = QtWidgets.QToolBar("Goal and memory", self, movable=False)
        goals.setObjectName("goal")
        goals.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.PreventContextMenu)
        goals.addWidget(self.goal)
        for each in (bar, goals, self.banner):
            self.addToolBar(each)
            self.addToolBarBreak()

    def _dock(self, title, widget, area):
        dock = QtWidgets.QDockWidget(title, self)
        dock.setObjectName(title.lower())
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self):
        self.session.listen(DOCUMENT, self._show_document)
        for what in (CHOICES, PICTURE):
            self.session.listen(what, self.refresh_actions)
            self.session.listen(what, self._say_cell)
            self.session.listen(what, self.banner.hide_if_over)
        self.session.listen(PICTURE, self._show_whether_aside)
        self.editor.stack.cleanChanged.connect(self._show_clean)
        self.structure.arrived.connect(self._show_structure)
        self.structure.unscored.connect(self._show_unscored)
        self.structure.failed.connect(self._say_no_structure)
        self.work.changed.connect(self._show_work)
        self.work.logged.connect(self.run_panel.say)
        self.banner.shortened.connect(self.run_panel.say_once)
        self.work.progressed.connect(self.run_panel.show_progress)
        for view in (self.heatmap, self.table):
            view.said.connect(self.statusBar().showMessage)
        self.goal.refused.connect(self._refuse_goal)
        self.goal.understood.connect(self.banner.hide_if_over)
        self.goal.file_wanted.connect(lambda: choosing.boards(self))
        self.table.found.connect(self.heatmap.show_found)
        self.table.selection.connect(self.heatmap.show_selected)
        self.table.wanted.connect(self._fit_table, QtCore.Qt.ConnectionType.QueuedConnection)
        self.heatmap.activated.connect(lambda: (self.filter_dock.show(), self.panel.tabs.tabBar().setFocus()))
        self.heatmap.menu_wanted.connect(self._show_menu)
        for task in (
            self.measuring,
            self.running,
            self.saving,
            self.timing,
            self.converting,
            self.figures,
            self.exporting,
            self.judging,
            self.scoring,
            self.tabling,
        ):
            self._connect_task(task)
        self.heatmap_panel.ranked.connect(self.rank_by)
        self.scoring.unchanged.connect(self.heatmap_panel.show_criterion)
        self.measuring.ranked.connect(self.rank_by)
        self.measuring.predicted.connect(self.panel.show_predictions)
        self.saving.saved.connect(self.editor.stack.setClean)
        self.saving.chosen.connect(self.editor.take)
        self.saving.ranked.connect(self.rank_by)
        self.saving.table.connect(lambda path: self.in_words(self.tabling.open, path))
        self.tabling.rounding.connect(lambda step: self.editor.set_limits(step, self.session.choices.min_keep))
        self.running.staged.connect(self.rounds.show_stages)
        self.running.staged.connect(self._show_whether_aside)
        self.running.staged.connect(lambda _stages, stage: self.run_panel.chart.mark(stage.number if stage else None))
        self.rounds.chosen.connect(self.running.choose_round)
        self.rounds.stepped.connect(self.running.step_by_epoch)
        self.running.steps.connect(self.rounds.show_steps)
        self.running.shown.connect(self.run_panel.show_run)
        self.running.progressed.connect(self.run_panel.show_progress)
        self.running.logged.connect(self.run_panel.say)
        self.running.wanted.connect(self.show_runs)
        self.running.changed.connect(self.refresh_actions)

    def _connect_task(self, task: Task):
        task.said.connect(self.banner.say)
        task.status.connect(self.statusBar().showMessage)
        task.doing.connect(self._report)
        task.asked.connect(self.show_dialog)
        task.wished.connect(self.start)
        task.document.connect(self._show_measured)
        task.path.connect(self.open_path)

    # what is shown

    def open_path(self, path):
        """Opens the file or folder at a path; if it is invalid, reports why and keeps the open document."""
        path = Path(path)
        if path.suffix == ".json":
            self.in_words(self.saving.open_json, path)
            return
        if self.work.job is not None:
            self.banner.say(
                Message(
                    f"{self.work.doing} is still in progress. Wait for it, or abort it, before you open something else."
                )
            )
            return
        if is_keras_2(path):
            self.converting.offer(path)
        else:
            self._open_document(path)

    def _open_document(self, path, *, asked: bool = False):
        """Opens a model, a measurement or a run; asks about unsaved choices first, unless it has."""
        try:
            document = open_document(path)
        except ValueError as error:
            if not path.exists():
                self.preferences.forget(path)
            self.banner.say(Message(str(error), error=True, way_out="&Open another…", then=lambda: choosing.file(self)))
            return
        if self.isWindowModified() and not asked:
            if document.weights is not None:
                document.weights.close()
            self._ask_before_losing("Open something else?", lambda: self._open_document(path, asked=True))
            return
        self.banner.hide()
        self.preferences.remember(path)
        self.show_document(document)
        if document.run is not None:
            self.in_words(self.running.follow, document.run)

    def show_document(self, document: Document, *, keep_choices: bool = False):
        """Shows a document; choices are reset unless it is the same network, measured in the meantime."""
        if document.run is None:
            self.running.leave()
        if not keep_choices:
            self.run_panel.show_run(None, NO_RUN)
        self.panel.predicted = {}
        self.structure.abort_and_wait()
        self._open(document, keep_choices)
        if document.profile is None and document.model is not None:
            self.structure.read(document.model, ranked=document.run is not None)
            self.statusBar().showMessage(f"Reading the layers of {document.name}…")
        if document.notes:
            self.banner.say(
                Message(
                    " ".join(document.notes), way_out="&Measure…" if document.model else "", then=self.measuring.ask
                )
            )

    def _show_measured(self, document):
        """Shows the network that is open, measured in the meantime."""
        self.show_document(document, keep_choices=True)
        if document.run is not None:
            self.in_words(self.running.show_again)

    def _open(self, document, keep_choices):
        self.session.open(document, keep_choices=keep_choices)
        if not keep_choices:
            self.editor.stack.clear()

    def _show_structure(self, graph):
        self.session.show_structure(graph)
        self.statusBar().clearMessage()

    def _show_unscored(self, profile):
        self.session.show_unscored(profile)
        self.statusBar().clearMessage()
        why = obstacles.no_fire(self.session) or f"FIRE of {words.FIRST_NETWORK} is not measured yet (F5)"
        self.banner.say(Message(f"{why[:1].upper()}{why[1:]}. {BY_L1}"))
        self.in_words(self.running.show_again)

    def _say_no_structure(self, words):
        name = self.session.need_document().name
        self.banner.say(
            Message(
                f"The layers of {name} cannot be shown: {words}",
                error=True,
                way_out="&Open another…",
                then=lambda: choosing.file(self),
            )
        )

    def _show_document(self):
        document = self.session.document
        self.setWindowTitle(f"{document.name}[*] - FIRE inspector" if document else "FIRE inspector[*]")
        self.refresh_actions()
        if document is None:
            self.empty.offer(empty_page.NOTHING_OPEN, self.actions_["open"])
        elif document.profile is None and document.run is not None:
            self.empty.offer(empty_page.NO_PROFILE_IN_RUN.format(name=document.name), self.actions_["open"])
        elif document.profile is None and obstacles.several_inputs(self.session):
            self._offer_python(document)
        elif document.profile is None:
            samples = data_sources.called(self.session.input_shape)
            self.empty.offer(
                empty_page.NOT_MEASURED.format(name=document.name, samples=samples), self.actions_["measure"]
            )
        self._show_page(self.heatmap_panel if self.session.measured else self.empty)

    def _offer_python(self, document):
        words = empty_page.SEVERAL_INPUTS.format(name=document.name, profile=beside_model(document.model).name)
        self.empty.offer(words, self.actions_["open"])

    def _show_page(self, page):
        """Shows a page; the other one takes no room, however long its words are."""
        policy = QtWidgets.QSizePolicy.Policy
        for each in (self.empty, self.heatmap_panel):
            width = policy.Preferred if each is page else policy.Ignored
            each.setSizePolicy(width, policy.Preferred)
        self.pages.setCurrentWidget(page)

    def _say_cell(self):
        """Updates the status bar, whose text may no longer hold, to the current cell, or clears it."""
        self.statusBar().showMessage(words.cell(self.session))

    def _show_clean(self, clean):
        self.setWindowModified(not clean)

    def refresh_actions(self):
        """Updates each action: whether it is possible now, and if not, why."""
        self.actions_.refresh()

    def _show_work(self):
        self.refresh_actions()
        if self.work.job is None:
            self.run_panel.hide_progress()
        elif not self.running.running:
            self._report(f"{self.work.doing}…")

    def _report(self, doing):
        """Shows the current activity, or how it ended, above the state of the open run."""
        self.run_panel.show_run(self.running.view, doing)

    def _show_menu(self, place):
        menu = QtWidgets.QMenu(self)
        menu.addActions([self.actions_[key] for key in ("lock", "cap", "copy", "whole")])
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def _fit_table(self):
        """Takes room from the heatmap for long names or a column, or gives back what is no longer needed."""
        width = max(LAYERS_WIDTH, self.table.room)
        self.resizeDocks([self.layers_dock], [width], QtCore.Qt.Orientation.Horizontal)

    def _show_whether_aside(self, *_):
        """Says beside the slider if the figures and the picture are not those of the network that it names."""
        stage = self.running.stage
        self.rounds.set_aside(stage is not None and stage.number > 0 and not self.session.shows_other)

    def show_runs(self):
        """Shows the panel of runs."""
        if not self.run_dock.isVisible():
            self.run_dock.show()
            self.resizeDocks([self.run_dock], [min(RUN_HEIGHT, self.height() // 4)], QtCore.Qt.Orientation.Vertical)
        self.run_dock.raise_()

    def _refuse_goal(self, why):
        """Says why a goal is none; a time is one as soon as there is a latency table."""
        goal = self.session.choices.goal
        way_out = "&Measure a table" if why == NO_TABLE and not obstacles.no_model(self.session) else ""
        self.banner.say(
            Message(
                f"{why} The goal is still “{goal.text}”." if goal else why,
                error=True,
                way_out=way_out,
                then=lambda: self.in_words(self.tabling.measure),
                holds=lambda: self.goal.refusal == why and self.session.choices.goal == goal,
            )
        )

    def show_dialog(self, dialog: QtWidgets.QDialog):
        """Opens a dialog; the window keeps a reference to it until the next one."""
        self.dialog = dialog
        if dialog.parent() is None:
            dialog.setParent(self, dialog.windowFlags())
        dialog.open()

    # work

    def start(self, command, title: str, then):
        """Runs a command in a child process."""
        self.banner.hide()
        self.in_words(self.work.start, command, title, lambda outcome: self._ended(outcome, title, then))
        self._log_opened |= not self.run_dock.isVisible()
        self.show_runs()

    def _ended(self, outcome, title, then):
        """Reports how something ended; a later message may say more."""
        self._report(outcome.state(title))
        then(outcome)
        if self.work.job is None:  # nothing follows
            self._put_log_away(outcome.ok and not outcome.warnings)

    def _put_log_away(self, ok):
        """Gives the room of a log that opened by itself back to the heatmap, unless it says what went wrong."""
        if self._log_opened and ok and self.running.view is None:
            self.run_dock.hide()
        self._log_opened = False

    def in_words(self, call: Callable, *arguments):
        """Calls a function that may raise `ValueError`; the error goes to the banner."""
        return in_words(self.banner.say, call, *arguments)

    # actions

    def compare_with(self, path):
        """Compares the open profile with the one at a path, or with that of the model there."""
        path = Path(path)
        if not self.session.can_compare:
            raise ValueError(BY_FIRE)
        if path.suffix == ".keras":
            path = beside_model(path)
            if not path.exists():
                raise ValueError(f"There is no {path.name} beside the model. Open it, and measure it (F5) first.")
        removed = next((r for model, r in self.saving.removed.items() if beside_model(model) == path.resolve()), None)
        other = read_profile(path)
        removed = removed or self.running.removed_from(other.graph.widths)
        comparison = Comparison.of(self.session.need_measured().profile, other, path.name, removed)
        self.session.compare(comparison, Mode.SPLIT)
        self.banner.say(Message(comparison.note))

    def no_model(self) -> str:
        """Why there is no model to export: the round that is shown lacks it, or nothing is open; empty if there is."""
        stage = self.running.stage
        return obstacles.no_model(self.session) if stage is None else obstacles.no_model_of_round(stage)

    def abort(self):
        """Aborts what a child process does; without any, the search for a cut that reaches the goal."""
        self.work.abort() if self.work.job is not None else self.editor.end_search()

    def rank_by(self, name: str):
        """Ranks filters by a criterion; if that is not possible, says why."""
        self.in_words(self.scoring.rank_by, name)
        self.heatmap_panel.show_criterion()

    def show_in_netron(self):
        """Draws the graph of the model."""
        self.banner.say(Message(open_in_netron(self.session.need_model())))

    def add_boards(self, path):
        """Offers the boards of a file, and chooses the first."""
        self.goal.choose(self.session.add_boards(path)[0].name)

    def ask_for_limits(self):
        """Asks for the limits of all layers."""
        dialog = LimitsDialog(self.session.choices, max(row.filters for row in self.session.rows), self)
        dialog.chosen.connect(self.editor.set_limits)
        self.show_dialog(dialog)

    def go_to_layers(self):
        """Moves the focus to the table."""
        self.layers_dock.show()
        self.table.view.setFocus()

    def find_layers(self):
        """Moves the focus to the box that finds layers."""
        self.layers_dock.show()
        self.table.finder.setFocus()
        self.table.finder.selectAll()

    def copy_command(self):
        """Copies the command line that prunes as previewed."""
        QtGui.QGuiApplication.clipboard().setText(self.command_text())
        self.statusBar().showMessage("Copied the command that prunes as previewed.")

    def command_text(self) -> str:
        """The command line that prunes as previewed."""
        document = self.session.need_document()
        model = document.model.resolve() if document.model else Path("MODEL.keras")
        table = self.session.table.path.resolve() if self.session.table else None
        return as_text(prune_arguments(model, self._ranking(), self.session.choices, "pruned.keras", table))

    def _ranking(self):
        """What the command line ranks by, as an option."""
        name = self.session.need_measured().scores.criterion
        if self.session.ranks_by_fire:
            return {"--scores": Path(self.session.need_document().profile_path or "").resolve()}
        if name == criteria.FILLED or criteria.needs_data(name):
            raise ValueError(
                f"The command line cannot rank by {criteria.title(name)} as shown. Save the plan (Ctrl+Shift+S) and "
                "apply it with firekeras prune --plan."
            )
        return {"--criterion": name}

    def show_manual(self):
        """Shows the manual."""
        self.dialog = ManualDialog(self)
        self.dialog.show()

    def show_keys(self):
        """Shows all keyboard shortcuts."""
        self._show_text("Keyboard shortcuts", about.keys_table([*self.actions_.keys(), *about.OTHER_KEYS]))

    def show_about(self):
        """Shows the version, the licence, and where to read on."""
        self._show_text("About the FIRE inspector", about.about_text())

    def _show_text(self, title, text):
        box = QtWidgets.QMessageBox(self)
        box.setWindowTitle(title)
        box.setTextFormat(QtCore.Qt.TextFormat.RichText)
        box.setText(text)
        self.show_dialog(box)

    # manners

    def fill_recent(self, menu: QtWidgets.QMenu):
        """Fills the menu of recent files as it opens."""
        menu.clear()
        for number, path in enumerate(self.preferences.recent(), 1):
            action = menu.addAction(f"&{number} {path.replace('&', '&&')}")
            action.setStatusTip(f"Open {path}")
            action.triggered.connect(lambda _checked=False, path=path: self.open_path(path))
        if menu.isEmpty():
            menu.addAction("No recent files").setEnabled(False)
            return
        menu.addSeparator()
        menu.addAction("&Clear list").triggered.connect(self.preferences.forget_all)

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange and hasattr(self, "run_panel"):
            self.panel.take_theme()
            self.run_panel.take_theme()

    def dragEnterEvent(self, event):  # noqa: N802 (Qt's name)
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event):  # noqa: N802 (Qt's name)
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.open_path(paths[0])

    def keyPressEvent(self, event):  # noqa: N802 (Qt's name)
        """Says why Esc does nothing, if no part of the window took it."""
        if event.key() == QtCore.Qt.Key.Key_Escape:
            self.actions_.say_why_not("stop")
        super().keyPressEvent(event)

    def resizeEvent(self, event):  # noqa: N802 (Qt's name)
        super().resizeEvent(event)
        self.table.keep_in_sight()  # the larger it is, the more columns are to be seen

    def closeEvent(self, event):  # noqa: N802 (Qt's name)
        if self.work.job is not None:
            event.ignore()
            kept = f" {KEPT}" if self.running.running else ""
            words = f"{self.work.doing} is still in progress.{kept}"
            self._ask(CLOSE, words, "&Abort it and close", self._close_all_the_same)
        elif self.isWindowModified():
            event.ignore()
            self._ask_before_losing(CLOSE, self._forget_and_close)
        else:
            self.preferences.keep(self)
            self.preferences.set_text(HIDDEN, self.table.columns.hidden)
            self.structure.abort_and_wait()
            self.session.close()
            super().closeEvent(event)

    def _ask_before_losing(self, title, go_on):
        """Asks whether to save the choices first, which what comes next forgets."""
        box = self._ask(title, UNSAVED, "&Don't save", go_on)
        save = box.addButton("&Save…", QtWidgets.QMessageBox.ButtonRole.AcceptRole)
        save.clicked.connect(lambda: self._later(lambda: self._save_and(go_on)))
        box.setDefaultButton(save)

    def _ask(self, title, words, label, then) -> QtWidgets.QMessageBox:
        box = QtWidgets.QMessageBox(self)
        box.setWindowTitle(title)
        box.setText(words)
        go_on = box.addButton(label, QtWidgets.QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton("&Cancel", QtWidgets.QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        go_on.clicked.connect(lambda: self._later(then))
        self.show_dialog(box)
        return box

    def _later(self, then):
        """Goes on when the dialog at hand is closed."""
        QtCore.QTimer.singleShot(0, self, then)

    def _save_and(self, go_on):
        """Saves the choices, of which a plan would not hold the goal and the caps, and goes on if that was done."""
        self.in_words(self.saving.ask_for_choices)
        if isinstance(self.dialog, QtWidgets.QFileDialog):
            self.dialog.accepted.connect(lambda: self._later(lambda: self.isWindowModified() or go_on()))

    def _close_all_the_same(self):
        """Closes although something is in progress; that goes on if a person thinks better of losing choices."""
        if self.isWindowModified():
            self._ask_before_losing(CLOSE, self._abort_and_close)
        else:
            self._abort_and_close()

    def _abort_and_close(self):
        self.work.abort_and_wait()
        self._forget_and_close()

    def _forget_and_close(self):
        self.editor.stack.setClean()
        self._later(self.close)
