"""Entries of menus as Qt's actions; what cannot be done just now says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6 import QtGui, QtWidgets

if TYPE_CHECKING:
    from inspector.window.main_window import Window


def possible(window: Window) -> str:
    """The obstacle of what can always be done."""
    return ""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing that can be done.

    Args:
        key: What it is called in here.
        text: In menus, with its mnemonic.
        shortcut: Its keys; empty for none.
        tip: One line on what it does.
        do: Does it; a `ValueError` or `OSError` is shown as a message.
        obstacle: What stands in its way just now; empty if nothing does.
        waits: Whether it has to wait for a child process that works.
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
        """What stands in its way just now."""
        busy = f"{window.work.doing} is not over" if self.waits and window.work.job else ""
        return self.obstacle(window) or busy

    def add_to(self, menu: QtWidgets.QMenu, window: Window):
        """Adds it to a menu."""
        menu.addAction(window.actions_[self.key])


@dataclasses.dataclass(frozen=True)
class Made:
    """Part of a menu that the window's parts make themselves.

    Args:
        add_to: Adds it to a menu.
    """

    add_to: Callable[[QtWidgets.QMenu, Window], object]


class Menu:
    """A menu of the window.

    Args:
        title: With its mnemonic.
        groups: What is in it, with a line between two groups.
    """

    def __init__(self, title: str, *groups: tuple[Entry | Made, ...]):
        self.title, self.groups = title, groups

    @property
    def entries(self) -> list[Entry]:
        """Its entries, without the lines between."""
        return [item for group in self.groups for item in group if isinstance(item, Entry)]


def fill(bar: QtWidgets.QMenuBar, menus: Iterable[Menu], window: Window):
    """Fills the bar of menus."""
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
        menus: What they are in.
    """

    def __init__(self, window: Window, menus: Iterable[Menu]):
        self.entries = {entry.key: entry for menu in menus for entry in menu.entries}
        self.by_key = {key: _action(window, entry) for key, entry in self.entries.items()}
        self._window = window
        self._obstacles: dict[str, str] = {}

    def __getitem__(self, key: str) -> QtGui.QAction:
        return self.by_key[key]

    def refresh(self):
        """Says of each action whether it can be done now, and why not."""
        for key, entry in self.entries.items():
            self._allow(key, entry.tip, entry.in_the_way(self._window))

    def _allow(self, key, tip, obstacle):
        if self._obstacles.get(key) == obstacle:
            return
        self._obstacles[key] = obstacle
        action = self.by_key[key]
        action.setEnabled(not obstacle)
        tip = f"{tip}. Not now: {obstacle}." if obstacle else tip
        action.setStatusTip(tip)
        keys = _keys(action)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)

    def keys_text(self) -> str:
        """All keys, a line for each."""
        named = [(_keys(action), action.text().replace("&", "").rstrip("…")) for action in self.by_key.values()]
        return "\n".join(f"{keys}: {text}" for keys, text in named if keys)


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
