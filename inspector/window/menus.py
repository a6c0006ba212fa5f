"""All menu entries: each knows its action, its keys, and when it is not possible.

To add an entry, add it to its group here.
"""

from __future__ import annotations

from PySide6 import QtGui

from inspector.state import Mode, obstacles
from inspector.window import choosing
from inspector.window.actions import Entry, Made, Menu


def _of_session(obstacle):
    """An obstacle that depends on the session."""
    return lambda window: obstacle(window.session)


_UNMEASURED, _UNREAD, _NO_MODEL, _NO_CUT, _NO_PLAN = map(
    _of_session, (obstacles.unmeasured, obstacles.unread, obstacles.no_model, obstacles.no_cut, obstacles.no_plan)
)
_NO_MEASURING, _NO_PREDICTION, _NO_JUDGING, _NO_CHECK = map(
    _of_session, (obstacles.no_measuring, obstacles.no_prediction, obstacles.no_judging, obstacles.no_check)
)


SHOWS = {
    Mode.BEFORE: "Show the network before the cut",
    Mode.AFTER: "Show the network after the cut",
    Mode.DIFFERENCE: "Show how FIRE changed",
    Mode.SPLIT: "Show before and after, beside a line that can be moved",
    Mode.CUTS: "Show the network before, with removed filters hatched",
}


def _mode(number, mode):
    return Entry(
        mode.name,
        mode.value,
        f"Ctrl+{number}",
        SHOWS[mode],
        lambda w: w.session.compare(w.session.comparison, mode),
        lambda w: obstacles.no_picture(w.session, mode),
    )


def _undo_and_redo(menu, window):
    stack = window.editor.stack
    undo, redo = stack.createUndoAction(window, "&Undo"), stack.createRedoAction(window, "&Redo")
    undo.setShortcuts(QtGui.QKeySequence.StandardKey.Undo)
    redo.setShortcuts([QtGui.QKeySequence("Ctrl+Y"), QtGui.QKeySequence("Ctrl+Shift+Z")])
    for action, tip in ((undo, "Undo the last change"), (redo, "Redo the last undone change")):
        action.setStatusTip(tip)
        menu.addAction(action)
    _say_if_there_is_none(window, undo, stack.canUndoChanged, "There is nothing to undo.")
    _say_if_there_is_none(window, redo, stack.canRedoChanged, "There is nothing to redo.")


def _say_if_there_is_none(window, action, changed, words):
    """Keys of an action that does nothing now say so."""
    for keys in action.shortcuts():
        spoken = QtGui.QShortcut(keys, window)
        spoken.activated.connect(lambda: window.statusBar().showMessage(words))
        changed.connect(lambda possible, spoken=spoken: spoken.setEnabled(not possible))


def _recent(menu, window):
    recent = menu.addMenu("Open re&cent")
    recent.aboutToShow.connect(lambda: window.fill_recent(recent))


# fmt: off
FILE = Menu(
    "&File",
    (
        Entry("open", "&Open…", "Ctrl+O", "Open a model, or a measurement", choosing.file, waits=True),
        Entry("open_run", "Open &run…", "Ctrl+Shift+O", "Open the folder of a run, finished or in progress",
              choosing.run, waits=True),
        Made(_recent),
        Entry("convert", "Con&vert a Keras 2 model…", "", "Convert an .h5 file to a .keras file, and open that",
              choosing.keras_2, waits=True),
        Entry("attach", "Locate the &model…", "Ctrl+M", "Open the model that the profile was measured on",
              choosing.model_of_profile, _of_session(obstacles.no_profile_alone), waits=True),
    ),
    (
        Entry("open_choices", "Open c&hoices or a plan…", "", "Open saved caps and locks, or see what a plan removes",
              choosing.choices, _UNREAD),
        Entry("open_table", "Open &latency table…", "", "Open the latency table of a device, for goals such as 2 ms",
              choosing.latency_table, _UNREAD),
        Entry("save_choices", "S&ave choices…", "", "Save caps, locks, limits and the share of filters to remove",
              lambda w: w.saving.ask_for_choices(), _UNREAD),
    ),
    (
        Entry("save", "&Save pruned model…", "Ctrl+S", "Prune as previewed, and save under a new name",
              lambda w: w.saving.ask_for_model(), _NO_CUT, waits=True),
        Entry("export", "E&xport…", "Ctrl+Shift+X", "Export the model that is shown to LiteRT or ONNX, also in int8",
              lambda w: w.exporting.ask(w.running.model), lambda w: w.no_model(), waits=True),
        Entry("folder", "Show in fol&der", "", "Open the folder of the model that is shown",
              lambda w: w.exporting.show_in_folder(w.running.model), lambda w: w.no_model()),
        Entry("save_plan", "Save &plan…", "Ctrl+Shift+S", "Save the filters to remove, for firekeras prune --plan",
              lambda w: w.saving.ask_for_plan(), _NO_PLAN),
    ),
    (
        Entry("figure", "&Figure for a paper…", "Ctrl+G", "Draw the heatmap or the architecture, as SVG or PNG",
              lambda w: w.figures.ask(), _UNMEASURED),
        Entry("csv", "&Table as CSV…", "Ctrl+Shift+D", "Export the table of layers",
              lambda w: w.saving.ask_for_table(), _UNMEASURED),
        Entry("filters", "F&ilters as CSV…", "", "Export the score and the rank of each filter",
              lambda w: w.saving.ask_for_filters(), _UNMEASURED),
        Entry("netron", "FIRE for &Netron…", "", "Export numbers that Netron shows beside each layer",
              lambda w: w.saving.ask_for_netron(), _UNMEASURED),
        Entry("explorer", "FIRE for Mod&el Explorer…", "", "Export a graph and node data for Google's Model Explorer",
              lambda w: w.saving.ask_for_model_explorer(), _UNMEASURED),
        Entry("show_netron", "Sho&w in Netron", "", "Draw the graph of the model in Netron",
              lambda w: w.show_in_netron(), _NO_MODEL),
    ),
    (Entry("quit", "&Quit", "Ctrl+Q", "Close the window", lambda w: w.close()),),
)
EDIT = Menu(
    "&Edit",
    (Made(_undo_and_redo),),
    (
        Entry("lock", "&Lock or unlock selected layers", "Ctrl+L", "A locked layer loses no filters",
              lambda w: w.table.lock_selected(), _UNREAD),
        Entry("cap", "&Cap selected layers", "Ctrl+J", "Cap the selected layers at the percentage below the table",
              lambda w: w.table.edits.cap_selected(), _UNREAD),
        Entry("limits", "L&imits for all layers…", "Ctrl+Shift+L", "Round filter counts; keep a share of each layer",
              lambda w: w.ask_for_limits(), _UNREAD),
        Entry("find", "&Find layers", "Ctrl+F", "Show only layers whose name or type contains a text",
              lambda w: w.find_layers(), _UNREAD),
        Entry("copy", "Cop&y command", "Ctrl+Shift+C", "Copy the command line that prunes as previewed",
              lambda w: w.copy_command(), _NO_PLAN),
    ),
)
VIEW = Menu(
    "&View",
    (
        *(_mode(number, mode) for number, mode in enumerate(Mode, 1)),
        Entry("compare", "&Compare with…", "Ctrl+D", "Compare with another measurement, or with a measured model",
              choosing.other_profile, _UNMEASURED),
        Entry("stretch", "&Stretch rows to full width", "Ctrl+T", "Make rows of narrow layers fill the width too",
              lambda w: w.session.stretch(w.actions_["stretch"].isChecked()), _UNMEASURED, checkable=True),
        Entry("contrast", "Stretch the c&olour scale", "Ctrl+Shift+T", "Stretch colours over the range of FIRE here",
              lambda w: w.session.stretch_scale(w.actions_["contrast"].isChecked()),
              _of_session(obstacles.no_fixed_scale), checkable=True),
        Entry("whole", "Show the &whole heatmap", "Ctrl+0", "Undo zooming and panning",
              lambda w: w.heatmap.show_whole(), _UNMEASURED),
        Entry("to_heatmap", "Go to the &heatmap", "Alt+2", "Move the focus to the heatmap",
              lambda w: w.heatmap.setFocus(), _UNMEASURED),
        Entry("to_table", "Go to the &layers", "Alt+1", "Move the focus to the table of layers",
              lambda w: w.go_to_layers(), _UNREAD),
        Entry("to_goal", "Go to the &goal", "Alt+4", "Move the focus to the goal of the cut",
              lambda w: w.goal.take_focus(), _UNMEASURED),
        Entry("to_ratio", "Go to &filters to remove", "Alt+3", "Move the focus to the share of filters to remove",
              lambda w: w.ratio.take_focus(), _UNMEASURED),
    ),
    (
        Made(lambda menu, window: menu.addMenu(window.table.columns.menu(menu))),
        Made(lambda menu, window: menu.addActions([dock.toggleViewAction() for dock in window.docks])),
    ),
)
RUN = Menu(
    "&Run",
    (
        Entry("measure", "&Measure FIRE…", "F5", "Measure how often each filter is inactive, on your data",
              lambda w: w.measuring.ask(), _NO_MEASURING, waits=True),
        Entry("predict", "&Predict FIRE", "F6", "Compare with the FIRE that a detector predicts from the weights",
              lambda w: w.measuring.predict(), _NO_PREDICTION, waits=True),
        Entry("time", "Measure &latency", "F7", "Cut the model as previewed, and measure its latency before and after",
              lambda w: w.timing.start(), _NO_CUT, waits=True),
        Entry("table", "Measure latency of each la&yer", "Shift+F7", "Measure a latency table, for goals such as 2 ms",
              lambda w: w.tabling.measure(), _NO_MODEL, waits=True),
        Entry("check", "Check acc&uracy", "F9", "Cut the model as previewed, and measure its accuracy without training",
              lambda w: w.judging.check(), _NO_CHECK, waits=True),
        Entry("sense", "Se&nsitivity of each layer", "Shift+F9", "Measure how much each layer can lose by itself",
              lambda w: w.judging.sense(), _NO_JUDGING, waits=True),
        Entry("judging_data", "&Data for accuracy checks…", "", "Choose other data for accuracy and sensitivity",
              lambda w: w.judging.ask_for_data(), _NO_JUDGING),
        Entry("run", "&Run…", "Ctrl+R", "Prune and fine-tune: to a target, or while accuracy holds",
              lambda w: w.running.ask(), _NO_JUDGING, waits=True),
        Entry("open_round", "Open the m&odel of this round", "Ctrl+Return", "Open the model as it was after this round",
              lambda w: w.running.open_round(), lambda w: obstacles.no_model_of_round(w.running.stage), waits=True),
        Entry("measure_round", "Measure t&his round…", "F8", "Measure FIRE of the model as it was after this round",
              lambda w: w.running.ask_to_measure(),
              lambda w: obstacles.no_model_of_round(w.running.stage) or obstacles.several_inputs(w.session),
              waits=True),
        Entry("stop", "&Stop after this round", "Esc", "End the run after this round, and keep its result",
              lambda w: w.running.stop(),
              lambda w: obstacles.no_stopping(w.running.view, w.running.stopping, w.running.starting)),
        Entry("abort", "&Abort", "Ctrl+.", "End at once; finished rounds are kept",
              lambda w: w.abort(), lambda w: "" if w.work.job or w.session.pending else "nothing is running"),
        Entry("resume", "R&esume", "Ctrl+Shift+R", "Resume a run that was stopped, aborted or killed",
              lambda w: w.running.resume(), lambda w: obstacles.no_resuming(w.running.view, w.running.own), waits=True),
    ),
)
# fmt: on
HELP = Menu(
    "&Help",
    (
        Entry("manual", "&Manual", "F1", "Read the manual", lambda w: w.show_manual()),
        Entry("keys", "&Keyboard shortcuts", "Ctrl+F1", "Show all keyboard shortcuts", lambda w: w.show_keys()),
    ),
    (Entry("about", "&About", "", "Show the version and the licence", lambda w: w.show_about()),),
)
MENUS = (FILE, EDIT, VIEW, RUN, HELP)
