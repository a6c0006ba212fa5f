"""Makes the inspector's pictures for the README, light and dark, without a screen.

    firekeras measure resnet56_cifar10.keras --data cifar10.npz --neuron-maps --fraction 0.02
    firekeras compress resnet56_cifar10.keras --data cifar10.npz --ratio 0.1 --tolerance 0.04 --max-rounds 5 \\
        --limit 4000 --learning-rate 0.005 --distill --run-dir run
    python examples/pictures.py resnet56_cifar10.keras --run run [--output docs]

The profile must be beside the model, where `firekeras measure` writes it. The latency is measured on this machine, in
processes that import Keras. With `--run`, the result of a run is shown too.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtWidgets

from inspector.models import Preferences
from inspector.state import Mode
from inspector.window import Window

SIZE = (1024, 700)  # the smallest that everything must fit into


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--run", type=Path, help="the folder of a run")
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
    window.grab().save(str(path))
    print(f"Written: {path}")


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


def show_run(window, folder):
    """A run in its own window, pointing at a filter that it removed."""
    window.session.stretch(False)
    window.run_panel.log.clear()
    window.panel.tabs.setCurrentWidget(window.panel.kernel)
    window.open_path(folder)
    session = window.session
    went = [
        (row.name, filter) for row in session.rows for filter in range(row.filters) if session.gone(row.name, filter)
    ]
    session.point_at(*went[-1])


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
        shoot(application, window, given.output / "inspector-empty.png")
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
        if given.run:
            show_run(window, given.run)
            shoot(application, window, given.output / "inspector-run.png")
        window.editor.stack.setClean()
        window.close()


if __name__ == "__main__":
    main()
