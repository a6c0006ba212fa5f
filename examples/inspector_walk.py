"""A walk through the whole work with the inspector, by mouse and keys: a file of Keras 2 becomes a smaller network.

    python examples/inspector_walk.py tests/files/keras2-digits.h5 [--pictures docs]

It opens the file, converts it, measures FIRE on scikit-learn's digits, chooses a board, previews a cut with a
cap, checks its accuracy, runs pruning in rounds, stops the run and resumes it, compares, saves, exports in int8, and
draws a figure. CI takes the same steps.

It needs no screen. On a virtual one, with windows as X11 has them:

    QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1280x800x24" \\
        python examples/inspector_walk.py tests/files/keras2-digits.h5
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from inspector.models import Column, Preferences
from inspector.window import Window

Qt = QtCore.Qt
SIZE = (1024, 700)  # the smallest that everything must fit into
PATIENCE = 240  # seconds: a child imports Keras, on a machine that may be busy
PERIOD = 20  # milliseconds


def keep(widget: QtWidgets.QWidget, path: Path):
    """Keeps how a widget looks, in a small file of the 256 colours that are nearest to its own."""
    from PIL import Image

    widget.grab().save(str(path))
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"Written: {path}")


class Walk:
    """Clicks and types in a window, and waits for what comes of it.

    Args:
        window: The inspector.
        folder: Where files are written.
        pictures: The folder for pictures of the window, `None` for none.
    """

    def __init__(self, window: Window, folder: Path, pictures: Path | None = None):
        self.window, self.folder, self.pictures = window, folder, pictures

    def picture(self, name: str, widget: QtWidgets.QWidget | None = None):
        """Keeps how the window, or a part of it, looks now."""
        if self.pictures is not None:
            self.window.run_panel.log.clear()  # it names folders of this machine
            QtTest.QTest.qWait(300)
            keep(widget or self.window, self.pictures / f"{name}.png")

    def until(self, fulfilled):
        """Waits until something is so; an error that the window shows ends the walk."""
        end, banner = time.monotonic() + PATIENCE, self.window.banner
        while not fulfilled():
            wrong = banner.isVisible() and banner.sign.accessibleName() == "Error"
            if wrong or time.monotonic() > end:
                raise RuntimeError(f"{banner.words.text()}\n{self.window.run_panel.log.toPlainText()}")
            QtTest.QTest.qWait(PERIOD)

    def until_idle(self):
        """Waits until no child is at work."""
        self.until(lambda: self.window.work.job is None and self.window.structure.job is None)

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        """Presses keys, as menus and the widget that has the focus hear them."""
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)
        QtTest.QTest.keyClick(QtWidgets.QApplication.focusWidget() or self.window, key, modifier)

    def choose(self, menu: str, entry: str):
        """Chooses an entry of a menu."""
        self.window.menuBar().setFocus()
        opened = next(a.menu() for a in self.window.menuBar().actions() if a.text() == menu)
        action = self.window.actions_[entry]
        opened.popup(self.window.mapToGlobal(QtCore.QPoint(20, 20)))
        QtTest.QTest.mouseClick(opened, Qt.MouseButton.LeftButton, pos=opened.actionGeometry(action).center())

    def give(self, path: Path):
        """Pastes a path into the dialog that asks for a file, which follows what is typed, and confirms it."""
        dialog = self.window.dialog
        line = dialog.findChild(QtWidgets.QLineEdit, "fileNameEdit")
        line.setCompleter(None)  # its proposals may arrive when the dialog is closed, and then keep the keys
        line.selectAll()
        QtGui.QGuiApplication.clipboard().setText(str(path))
        QtTest.QTest.keyClick(line, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
        buttons = QtWidgets.QDialogButtonBox.StandardButton
        saves = dialog.acceptMode() == QtWidgets.QFileDialog.AcceptMode.AcceptSave
        box = dialog.findChild(QtWidgets.QDialogButtonBox)
        self.click(box.button(buttons.Save if saves else buttons.Open))

    def confirm(self):
        """Accepts the open dialog."""
        ok = QtWidgets.QDialogButtonBox.StandardButton.Ok
        self.click(self.window.dialog.buttons.button(ok))

    def click(self, widget: QtWidgets.QWidget, place: QtCore.QPoint | None = None):
        """Clicks a button or another widget, in its middle or elsewhere."""
        self.until(widget.isEnabled)
        QtTest.QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place or QtCore.QPoint())

    def type(self, box: QtWidgets.QWidget, text: str):
        """Types into a box, over what it holds."""
        box.setFocus()
        getattr(box, "lineEdit", lambda: box)().selectAll()
        QtTest.QTest.keyClicks(box, text)

    def pick(self, box: QtWidgets.QComboBox, text: str):
        """Picks an entry of a list that opens on a click."""
        self.until(lambda: box.window().windowHandle().isExposed())
        self.click(box)
        view, entry = box.view(), box.model().index(box.findText(text), 0)
        self.until(view.isVisible)
        view.scrollTo(entry)
        QtTest.QTest.qWait(2 * QtWidgets.QApplication.doubleClickInterval())  # the click that opened it must be over
        self.click(view.viewport(), view.visualRect(entry).center())
        self.until(lambda: box.currentText() == text)

    # the steps

    def convert(self, old: Path) -> Path:
        """Opens a file of Keras 2, and has it converted."""
        self.choose("&File", "open")
        self.give(old)
        self.picture("inspector-convert")
        self.click(self.window.banner.way_out)
        new = self.folder / f"{old.stem}.keras"
        self.give(new)
        self.until(lambda: self.window.session.document is not None)
        self.until_idle()
        return new

    def measure(self):
        """Measures FIRE on the digits."""
        self.click(self.window.empty.button)
        self.type(self.window.dialog.data.box, "digits")
        self.confirm()
        self.until_idle()
        self.window.run_dock.hide()
        self.window.banner.hide()

    def choose_board(self, title: str):
        """Chooses the board that the network has to fit."""
        self.pick(self.window.goal.board, title)

    def preview(self, goal: str, cap: int) -> str:
        """Chooses a goal, and caps the first layer that can be; returns its name."""
        window = self.window
        self.press(Qt.Key.Key_4, Qt.KeyboardModifier.AltModifier)
        self.type(window.goal.line, goal)
        QtTest.QTest.keyClick(window.goal.line, Qt.Key.Key_Return)
        free = next(number for number, row in enumerate(window.session.rows) if not row.locked)
        view, cell = window.table.view, window.table.proxy.index(free, Column.CAP)
        place = view.visualRect(cell).center()
        QtTest.QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QtTest.QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        self.type(view.findChild(QtWidgets.QSpinBox), str(cap))
        QtTest.QTest.keyClick(view.findChild(QtWidgets.QSpinBox), Qt.Key.Key_Return)
        layer = window.session.rows[free].name
        self.until(lambda: layer in window.session.choices.caps and not window.session.pending)
        self.picture("inspector-preview")
        return layer

    def check(self):
        """Checks the accuracy of the cut, on the digits that FIRE was measured on."""
        self.press(Qt.Key.Key_F9)
        self.confirm()
        self.until(lambda: self.window.session.checked is not None)
        self.until_idle()
        self.picture("inspector-check")

    def run(self):
        """Begins a run of few rounds, and stops it after its first one."""
        window = self.window
        self.press(Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
        dialog = window.dialog
        for key in (Qt.Key.Key_Home, Qt.Key.Key_Down):  # after the goal: none, rounds while accuracy holds
            QtTest.QTest.keyClick(dialog.target, key)
        for box, number in ((dialog.tolerance, 50), (dialog.epochs, 3), (dialog.limit, 300)):
            self.type(box, str(number))
        self.picture("inspector-run-dialog", dialog)
        self.confirm()
        self.until(lambda: window.running.view is not None)
        self.press(Qt.Key.Key_Escape)
        self.until_idle()

    def resume(self):
        """Resumes the run, and follows it to its end."""
        self.press(Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        self.until(lambda: self.window.work.job is not None)
        self.until_idle()

    def compare(self):
        """Opens the run, which shows what it removed, and saves the caps and the goal before they are forgotten."""
        self.click(self.window.banner.way_out)
        self.click(self.window.dialog.defaultButton())
        self.until(lambda: isinstance(self.window.dialog, QtWidgets.QFileDialog))
        self.give(self.folder / "digits-choices.json")
        self.until(lambda: self.window.session.of_run)
        self.until_idle()
        self.picture("inspector-run")

    def save(self) -> Path:
        """Saves the table of layers."""
        self.choose("&File", "csv")
        self.give(self.folder / "layers.csv")
        return self.folder / "layers.csv"

    def export(self) -> Path:
        """Exports the network that the run left, in int8."""
        keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        self.press(Qt.Key.Key_X, keys)
        dialog, file = self.window.dialog, self.folder / "digits-int8.tflite"
        self.pick(dialog.format, "LiteRT (.tflite), int8")
        self.type(dialog.data.box, "digits")
        self.type(dialog.output, str(file))
        self.picture("inspector-export", dialog)
        self.confirm()
        self.until_idle()
        self.window.banner.hide()
        return file

    def draw(self) -> Path:
        """Draws the architecture before and after the run."""
        self.press(Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
        dialog = self.window.dialog
        QtTest.QTest.keyClick(dialog.kind, Qt.Key.Key_End)
        self.picture("inspector-figure", dialog)
        self.confirm()
        self.give(self.folder / "architecture.svg")
        return self.folder / "architecture.svg"


def all_of_it(walk: Walk, old: Path):
    """Takes all steps."""
    walk.convert(old)
    walk.measure()
    walk.choose_board("Raspberry Pi Pico")
    walk.preview("60% of MACs", 25)
    walk.check()
    walk.run()
    walk.resume()
    walk.compare()
    walk.save()
    walk.export()
    walk.draw()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("--pictures", type=Path, help="the folder for pictures of the window")
    given = parser.parse_args()
    application = QtWidgets.QApplication([])
    application.setStyle("Fusion")
    with tempfile.TemporaryDirectory() as folder:
        settings = QtCore.QSettings(f"{folder}/settings.ini", QtCore.QSettings.Format.IniFormat)
        window = Window(Preferences(settings))
        window.resize(*SIZE)
        window.show()
        all_of_it(Walk(window, Path(folder), given.pictures), given.old.resolve())
        window.editor.stack.setClean()
        window.close()


if __name__ == "__main__":
    main()
