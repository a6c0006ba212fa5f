"""`firekeras-inspector [PATH]`: starts the window."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import traceback


def main(arguments=None) -> int:
    """Starts the inspector, with the file or folder at a path; returns when its window is closed.

    Args:
        arguments: Of the command line; by default those of the process.
    """
    options = _options(arguments)
    try:
        from PySide6 import QtCore, QtWidgets

        importlib.import_module("pyqtgraph")  # what is missing is named before a window opens
    except ImportError as error:
        sys.stderr.write(
            f'The inspector needs {error.name}, which is not installed: pip install "firekeras[inspector]"\n'
        )
        return 1
    application = QtWidgets.QApplication(sys.argv[:1])
    application.setApplicationName("firekeras-inspector")
    application.setDesktopFileName("firekeras-inspector")
    window = make_window(options.fresh)
    sys.excepthook = lambda kind, error, trace: _tell(window, kind, error, trace)
    window.show()
    if options.path:
        window.open_path(options.path)
    # Qt's loop runs no Python while nothing happens: a timer gives Ctrl-C its turn.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    turn = QtCore.QTimer(interval=500)
    turn.timeout.connect(lambda: None)
    turn.start()
    return application.exec()


def make_window(fresh: bool = False):
    """Makes the window, as it was left, or in its initial state."""
    from inspector.children import remove_forgotten
    from inspector.models import Preferences
    from inspector.window import Window

    remove_forgotten()
    preferences = Preferences()
    if fresh:
        preferences.settings.clear()
    return Window(preferences)


def _options(arguments):
    parser = argparse.ArgumentParser(
        prog="firekeras-inspector",
        description="Shows FIRE of a whole network, lets you cap layers, and previews exactly what a cut leaves.",
    )
    parser.add_argument("path", nargs="?", help="a model.keras, a NAME.fire.h5, or the folder of a run")
    parser.add_argument("--fresh", action="store_true", help="forget the window's position and recent files")
    return parser.parse_args(arguments)


def _tell(window, kind, error, trace):
    """Handles an unexpected error: the traceback goes to standard error and the log, a line to the window."""
    from inspector.state import Message

    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(text)
    window.run_panel.say(text)
    window.banner.say(
        Message(
            f"Something went wrong inside the inspector: {error}. Your choices are kept. The details are in the log "
            "below.",
            error=True,
            way_out="&Show the log",
            then=window.show_runs,
        )
    )
