"""The main window, its actions and its menus."""

from inspector.window.main_window import Window
