"""The menus of the main window."""

from __future__ import annotations

from PySide6 import QtGui

from inspector.window import actions


def fill_menus(window, docks):
    """Makes the menus.

    Args:
        window: The main window.
        docks: Its docks, to be shown and hidden.
    """
    bar = window.menuBar()
    bar.setAccessibleName("Menus")
    _fill_file(window, bar.addMenu("&File"))
    _fill_edit(window, bar.addMenu("&Edit"))
    view = bar.addMenu("&View")
    _add(window, view, actions.VIEW)
    view.addSeparator()
    view.addMenu(window.table.columns.menu(view))
    view.addActions([dock.toggleViewAction() for dock in docks])
    _add(window, bar.addMenu("&Run"), actions.RUN)
    _add(window, bar.addMenu("&Help"), actions.HELP)


def _fill_file(window, menu):
    _add(window, menu, actions.FILE[:2])
    recent = menu.addMenu("Open re&cent")
    recent.aboutToShow.connect(lambda: window.recent_menu(recent))
    for start, end in ((2, 3), (3, 5), (5, 10), (10, 11)):
        menu.addSeparator() if start > 2 else None
        _add(window, menu, actions.FILE[start:end])


def _fill_edit(window, menu):
    stack = window.editor.stack
    undo, redo = stack.createUndoAction(window, "&Undo"), stack.createRedoAction(window, "&Redo")
    undo.setShortcuts(QtGui.QKeySequence.StandardKey.Undo)
    redo.setShortcuts([QtGui.QKeySequence("Ctrl+Y"), QtGui.QKeySequence("Ctrl+Shift+Z")])
    for action, tip in ((undo, "Take the last change back"), (redo, "Make it again")):
        action.setStatusTip(tip)
        menu.addAction(action)
    menu.addSeparator()
    _add(window, menu, actions.EDIT)


def _add(window, menu, entries):
    menu.addActions([window.actions_[entry.key] for entry in entries])


def fill_recent(menu, preferences, open_path):
    """Fills a menu with the recent files."""
    menu.clear()
    for number, path in enumerate(preferences.recent(), 1):
        action = menu.addAction(f"&{number} {path.replace('&', '&&')}")
        action.setStatusTip(f"Open {path}")
        action.triggered.connect(lambda _checked=False, path=path: open_path(path))
    if menu.isEmpty():
        menu.addAction("Nothing was opened yet").setEnabled(False)
        return
    menu.addSeparator()
    menu.addAction("&Forget these").triggered.connect(preferences.forget_all)
