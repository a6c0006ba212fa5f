"""The program as a person starts it, each in a process of its own."""

import os
import subprocess
import sys

OPEN_AND_PREVIEW = """
import sys
sys.modules["keras"] = sys.modules["tensorflow"] = None  # whoever imports them fails
from PySide6 import QtCore, QtWidgets
from inspector import app
from inspector.window.main_window import Window
from inspector.models.preferences import Preferences

application = QtWidgets.QApplication([])
settings = QtCore.QSettings(sys.argv[1] + ".ini", QtCore.QSettings.Format.IniFormat)
window = Window(Preferences(settings))
window.show()
window.open_path(sys.argv[1])
window.editor.set_ratio(0.5)
row = next(row for row in window.session.rows if not row.locked)
window.session.point_at(row.name, 0)
for tab in range(3):
    window.panel.tabs.setCurrentIndex(tab)
window.panel.show_reasons()
window.actions_["run"].trigger()
window.dialog.close()
application.processEvents()
del sys.modules["keras"], sys.modules["tensorflow"]
here = {name.split(".")[0] for name in sys.modules}
assert not here & {"keras", "tensorflow", "torch", "jax", "sklearn"}, here
sys.stdout.write(f"{window.session.measured.preview.num_gone} {window.banner.words.text()}")
sys.stdout.flush()
window.editor.stack.setClean()
window.close()
"""

STARTED = """
import sys
from PySide6 import QtCore
from inspector import app

QtCore.QSettings.setPath(QtCore.QSettings.Format.NativeFormat, QtCore.QSettings.Scope.UserScope, sys.argv[1])

def look():
    from PySide6 import QtWidgets
    window = next(one for one in QtWidgets.QApplication.topLevelWidgets() if one.objectName() == "inspector")
    sys.stdout.write(f"{window.windowTitle()}|{window.session.measured is not None}")
    if len(sys.argv) > 3:
        raise KeyError("unforeseen")
    window.close()

def end():
    from PySide6 import QtWidgets
    window = next(one for one in QtWidgets.QApplication.topLevelWidgets() if one.objectName() == "inspector")
    sys.stdout.write("|" + window.banner.words.text())
    window.close()

QtCore.QTimer.singleShot(0, lambda: None)
original = app.make_window
def make_window(fresh):
    window = original(fresh)
    QtCore.QTimer.singleShot(300, window, look)
    if len(sys.argv) > 3:
        QtCore.QTimer.singleShot(600, window, end)
    return window
app.make_window = make_window
raise SystemExit(app.main([sys.argv[2], "--fresh"]))
"""


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )


def test_no_keras_and_no_tensorflow_come_into_the_process(files):
    done = run(OPEN_AND_PREVIEW, files[0])
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[0]) > 0


def test_it_starts_shows_what_it_is_given_and_ends(files, tmp_path):
    done = run(STARTED, tmp_path, files[0])
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "net.keras[*] - FIRE inspector|True"


def test_an_unexpected_error_is_reported_and_the_window_stays(files, tmp_path):
    done = run(STARTED, tmp_path, files[0], "fail")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Something went wrong inside the inspector: 'unforeseen'" in done.stdout
    assert "Traceback" in done.stderr


def test_help_comes_without_a_window():
    done = subprocess.run([sys.executable, "-m", "inspector", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "the folder of a run" in done.stdout


def test_without_qt_it_says_what_to_install():
    code = "import sys; sys.modules['PySide6'] = None; from inspector.app import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and 'pip install "firekeras[inspector]"' in done.stderr
    assert done.stderr.count("\n") == 1
