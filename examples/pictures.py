"""Makes the inspector's pictures for the README, light and dark, without a screen.

    firekeras measure resnet56_cifar10.keras --data cifar10.npz --neuron-maps --fraction 0.01
    python examples/pictures.py resnet56_cifar10.keras --old tests/files/keras2-digits.h5 [--output docs]

The profile must be beside the model: measure in its folder. The latency is measured on this machine, in
processes that import Keras. With `--old`, a file of Keras 2, the steps of `examples/inspector_walk.py` are taken too.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from inspector_walk import Walk, all_of_it, keep
from PySide6 import QtCore, QtGui, QtWidgets

from firekeras.atomic import write_text
from inspector.figures import Look, architecture
from inspector.models import Preferences
from inspector.state import Mode, words
from inspector.window import Window

SIZE = (1024, 700)  # the smallest that everything must fit into


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--old", type=Path, help="a file of Keras 2, for a walk through the whole work")
    parser.add_argument("--output", type=Path, default=Path("docs"))
    return parser.parse_args()


def dark_palette():
    """The colours that the Fusion style uses on a dark system."""
    palette, role = QtGui.QPalette(QtGui.QColor(50, 50, 50)), QtGui.QPalette.ColorRole
    for one, grey in ((role.Base, 30), (role.AlternateBase, 38), (role.Text, 230), (role.WindowText, 230)):
        palette.setColor(one, QtGui.QColor(grey, grey, grey))
    palette.setColor(role.ButtonText, QtGui.QColor(230, 230, 230))
    palette.setColor(role.PlaceholderText, QtGui.QColor(150, 150, 150))
    for one in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, one, QtGui.QColor(130, 130, 130))
    return palette


def settle(application, seconds=0.4):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        application.processEvents()
        time.sleep(0.01)


def shoot(application, window, path):
    settle(application)
    keep(window, path)


def prepared(window, model):
    """The window as it looks in use: a cap, a lock, a filter pointed at."""
    window.open_path(model)
    session = window.session
    free = [row.name for row in session.rows if not row.locked]
    window.editor.set_ratio(0.4)
    window.editor.set_caps([free[len(free) // 2]], 0.25)
    window.editor.set_locks([free[3]], True)
    row = session.opened.row_of(free[-6])
    session.point_at(free[-6], session.measured.cells.filter_in(row, session.measured.cells.width(row) * 2 // 3))


def time_it(application, window):
    """Times the preview in the window, and shows only the figure."""
    window.actions_["time"].trigger()
    while window.work.job is not None:
        settle(application)
    window.run_dock.hide()
    window.statusBar().clearMessage()


def take_walk(settings, old, output):
    """The whole work, in a window of its own."""
    with tempfile.TemporaryDirectory() as folder:
        window = Window(Preferences(settings))
        window.resize(*SIZE)
        window.show()
        all_of_it(Walk(window, Path(folder), output), old.resolve())
        window.editor.stack.setClean()
        window.close()


def main():
    given = arguments()
    application = QtWidgets.QApplication([])
    application.setStyle("Fusion")
    light = application.palette()
    with tempfile.TemporaryDirectory() as folder:
        settings = QtCore.QSettings(f"{folder}/settings.ini", QtCore.QSettings.Format.IniFormat)
        window = Window(Preferences(settings))
        window.resize(*SIZE)
        window.show()
        prepared(window, given.model)
        time_it(application, window)
        for name, palette in (("light", light), ("dark", dark_palette())):
            application.setPalette(palette)
            shoot(application, window, given.output / f"inspector-{name}.png")
        application.setPalette(light)
        window.session.stretch(True)
        window.session.compare(None, Mode.SPLIT)
        window.panel.tabs.setCurrentWidget(window.panel.kernel)
        shoot(application, window, given.output / "inspector-split.png")
        window.session.compare(None, Mode.BEFORE)
        look = Look("", words.of_cut(window.session), 180, 90)
        write_text(given.output / "inspector-architecture.svg", architecture(window.session, look).svg())
        window.editor.stack.setClean()
        window.close()
        if given.old:
            take_walk(settings, given.old, given.output)


if __name__ == "__main__":
    main()
