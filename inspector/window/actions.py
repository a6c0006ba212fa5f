"""All that can be done, with its keys; what cannot be done just now says why."""

from __future__ import annotations

import dataclasses

from PySide6 import QtGui

from inspector.state import Mode


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing that can be done.

    Args:
        key: What it is called in here.
        text: In menus, with its mnemonic.
        shortcut: Its keys; empty for none.
        tip: One line on what it does.
    """

    key: str
    text: str
    shortcut: str
    tip: str


FILE = (
    Entry("open", "&Open…", "Ctrl+O", "Open a model, or a measurement"),
    Entry("open_run", "Open &run…", "Ctrl+Shift+O", "Open the folder of a run, finished or still running"),
    Entry("attach", "&Model of this profile…", "Ctrl+M", "Open the model that the profile was measured on"),
    Entry("save", "&Save pruned model…", "Ctrl+S", "Prune as previewed, and save under a new name"),
    Entry("save_plan", "Save &plan…", "Ctrl+Shift+S", "Save which filters go, for firekeras prune --plan"),
    Entry("csv", "&Table as CSV…", "Ctrl+E", "Export the table of layers"),
    Entry("png", "Heatmap as P&NG…", "Ctrl+Shift+E", "Export the heatmap as a picture"),
    Entry("svg", "Heatmap as S&VG…", "", "Export the heatmap as a drawing"),
    Entry("netron", "FIRE for Ne&tron…", "", "Export numbers that Netron shows with each layer"),
    Entry("show_netron", "Sho&w in Netron", "", "Draw the graph of the model in Netron"),
    Entry("quit", "&Quit", "Ctrl+Q", "Close the window"),
)
EDIT = (
    Entry("lock", "&Lock or free selected layers", "Ctrl+L", "A locked layer loses nothing"),
    Entry("cap", "&Cap selected layers", "Ctrl+K", "Give the selected layers the cap in the box below the table"),
    Entry("limits", "L&imits for all layers…", "Ctrl+Shift+L", "Multiples of widths, and the least that stays"),
    Entry("find", "&Find layers", "Ctrl+F", "Show only layers whose names contain something"),
    Entry("copy", "Cop&y command", "Ctrl+Shift+C", "Copy the command line that prunes as previewed"),
)
VIEW = (
    *(Entry(mode.name, mode.value, f"Ctrl+{n}", f"Show {mode.value}") for n, mode in enumerate(Mode, 1)),
    Entry("compare", "&Compare with…", "Ctrl+D", "Lay another profile of this network over this one"),
    Entry("stretch", "&Stretch rows to full width", "Ctrl+T", "Have rows of narrow layers fill the width too"),
    Entry("whole", "Show the &whole heatmap", "Ctrl+0", "Undo zooming and moving"),
    Entry("to_heatmap", "Go to the &heatmap", "Alt+2", "Move the focus to the heatmap"),
    Entry("to_table", "Go to the &layers", "Alt+1", "Move the focus to the table of layers"),
    Entry("to_ratio", "Go to the &ratio", "Alt+3", "Move the focus to the ratio"),
)
RUN = (
    Entry("measure", "&Measure FIRE…", "F5", "Measure how often each filter is inactive, on your images"),
    Entry("predict", "&Predict FIRE", "F6", "Compare with what a detector predicts from the weights"),
    Entry("time", "&Time it", "F7", "Cut the model as previewed, and measure its latency before and after"),
    Entry("run", "&Run…", "Ctrl+R", "Prune and train on: to a target, or while accuracy holds"),
    Entry("stop", "&Stop after this round", "Esc", "End the run when its round is over, and keep what it came to"),
    Entry("abort", "&Abort", "Ctrl+.", "End at once; rounds that were finished are kept"),
    Entry("resume", "&Go on", "Ctrl+Shift+R", "Go on with a run that was stopped, aborted or killed"),
)
HELP = (Entry("keys", "&Keys", "F1", "Show all keys"),)
CHECKABLE = {"stretch"}


class Actions:
    """The actions by key, and the menus that hold them.

    Args:
        window: The main window; each action calls its method `do_KEY`.
    """

    def __init__(self, window):
        self.by_key = {entry.key: _action(window, entry) for entry in (*FILE, *EDIT, *VIEW, *RUN, *HELP)}
        self.tips = {entry.key: entry.tip for entry in (*FILE, *EDIT, *VIEW, *RUN, *HELP)}
        self._obstacles: dict[str, str] = {}

    def __getitem__(self, key: str) -> QtGui.QAction:
        return self.by_key[key]

    def allow(self, key: str, obstacle: str):
        """Makes an action possible, or not: the obstacle is said in its tip then."""
        if self._obstacles.get(key) == obstacle:
            return
        self._obstacles[key] = obstacle
        action = self.by_key[key]
        action.setEnabled(not obstacle)
        tip = f"{self.tips[key]}. Not now: {obstacle}." if obstacle else self.tips[key]
        action.setStatusTip(tip)
        keys = action.shortcut().toString(QtGui.QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)

    def keys_text(self) -> str:
        """All keys, a line for each."""
        lines = []
        for action in self.by_key.values():
            keys = action.shortcut().toString(QtGui.QKeySequence.SequenceFormat.NativeText)
            if keys:
                lines.append(f"{keys}: {action.text().replace('&', '').rstrip('…')}")
        return "\n".join(lines)


def _action(window, entry):
    action = QtGui.QAction(entry.text, window)
    action.setObjectName(entry.key)
    if entry.shortcut:
        action.setShortcut(QtGui.QKeySequence(entry.shortcut))
    action.setCheckable(entry.key in CHECKABLE)
    action.setStatusTip(entry.tip)
    action.triggered.connect(lambda: window.do(entry.key))
    return action
