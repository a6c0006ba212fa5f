"""Menu entries as Qt actions; an action that is not possible now says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6 import QtGui, QtWidgets

if TYPE_CHECKING:
    from inspector.window.main_window import Window


WHILE = 10_000  # milliseconds that a reason stays in the status bar
ESCAPE = "Esc"  # also closes editors and clears fields: it has to reach them


def possible(window: Window) -> str:
    """The obstacle of an action that is always possible: none."""
    return ""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of a menu.

    Args:
        key: Its internal name.
        text: Its text in menus, with a mnemonic.
        shortcut: Its keys; empty for none.
        tip: One line that describes it.
        do: The function that carries it out; a `ValueError` or `OSError` is shown as a message.
        obstacle: Why it is not possible now; empty if it is.
        waits: Whether it has to wait for a running child process.
        checkable: Whether it is switched on and off.
    """

    key: str
    text: str
    shortcut: str
    tip: str
    do: Callable[[Window], object]
    obstacle: Callable[[Window], str] = possible
    waits: bool = False
    checkable: bool = False

    def in_the_way(self, window: Window) -> str:
        """Why it is not possible now; empty if it is."""
        busy = f"{window.work.doing} is still in progress" if self.waits and window.work.job else ""
        return self.obstacle(window) or busy

    def add_to(self, menu: QtWidgets.QMenu, window: Window):
        """Adds it to a menu."""
        menu.addAction(window.actions_[self.key])


@dataclasses.dataclass(frozen=True)
class Made:
    """Part of a menu that parts of the window build themselves.

    Args:
        add_to: A function that adds it to a menu.
    """

    add_to: Callable[[QtWidgets.QMenu, Window], object]


class Menu:
    """A menu of the window.

    Args:
        title: The title, with a mnemonic.
        groups: Groups of entries, with a separator between groups.
    """

    def __init__(self, title: str, *groups: tuple[Entry | Made, ...]):
        self.title, self.groups = title, groups

    @property
    def entries(self) -> list[Entry]:
        """Its entries, without the separators."""
        return [item for group in self.groups for item in group if isinstance(item, Entry)]


def fill(bar: QtWidgets.QMenuBar, menus: Iterable[Menu], window: Window):
    """Fills the menu bar."""
    bar.setAccessibleName("Menus")
    for each in menus:
        menu = bar.addMenu(each.title)
        for number, group in enumerate(each.groups):
            if number:
                menu.addSeparator()
            for item in group:
                item.add_to(menu, window)


class Actions:
    """The actions by the keys of their entries.

    Args:
        window: The main window.
        menus: The menus that contain the entries.
    """

    def __init__(self, window: Window, menus: Iterable[Menu]):
        self.entries = {entry.key: entry for menu in menus for entry in menu.entries}
        self.by_key = {key: _action(window, entry) for key, entry in self.entries.items()}
        self._window = window
        self._obstacles: dict[str, str] = {}
        self._said = {key: self._saying(key, action) for key, action in self.by_key.items() if _keys(action) != ESCAPE}

    def __getitem__(self, key: str) -> QtGui.QAction:
        return self.by_key[key]

    def refresh(self):
        """Updates each action: whether it is possible now, and if not, why."""
        for key, entry in self.entries.items():
            self._allow(key, entry.tip, entry.in_the_way(self._window))

    def _allow(self, key, tip, obstacle):
        if self._obstacles.get(key) == obstacle:
            return
        self._obstacles[key] = obstacle
        action = self.by_key[key]
        action.setEnabled(not obstacle)
        if key in self._said:
            self._said[key].setEnabled(bool(obstacle))
        tip = f"{tip}. Not now: {obstacle}." if obstacle else tip
        action.setStatusTip(tip)
        keys = _keys(action)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)

    def _saying(self, key, action):
        """The keys of an action that is not possible now: they say why, since keys that do nothing look broken."""
        keys = QtGui.QShortcut(action.shortcut(), self._window)
        keys.setEnabled(False)
        keys.activated.connect(lambda: self.say_why_not(key))
        return keys

    def say_why_not(self, key: str):
        """Says why an action is not possible now, if it is not."""
        if self._obstacles.get(key):
            self._window.statusBar().showMessage(self._not_now(key), WHILE)

    def _not_now(self, key):
        return f"{_name(self.by_key[key])} is not possible now: {self._obstacles[key]}."

    def keys(self) -> list[tuple[str, str]]:
        """All keyboard shortcuts of menus, each with what it does."""
        named = [(_keys(action), _name(action)) for action in self.by_key.values()]
        return [pair for pair in named if pair[0]]


def _name(action):
    return action.text().replace("&", "").rstrip("…")


def _keys(action):
    return action.shortcut().toString(QtGui.QKeySequence.SequenceFormat.NativeText)


def _action(window, entry):
    action = QtGui.QAction(entry.text, window)
    action.setObjectName(entry.key)
    if entry.shortcut:
        action.setShortcut(QtGui.QKeySequence(entry.shortcut))
    action.setCheckable(entry.checkable)
    action.setStatusTip(entry.tip)
    action.triggered.connect(lambda: window.in_words(entry.do, window))
    return action
