"""Windows without a screen; no warnings of Qt's, and no process left behind, by any test."""

import os
import tempfile

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pathlib import Path

import keras
import networks
import pytest
from PySide6 import QtCore

import firekeras
from inspector.models.preferences import Preferences
from inspector.state.documents import open_document
from inspector.state.session import Session
from inspector.window.main_window import Window

HARMLESS = ("This plugin does not support", "Could not find the Qt platform theme")


def children():
    """The processes that this one has started and that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = path.read_text().rpartition(") ")
        except OSError:  # it ended meanwhile
            continue
        if int(rest.split()[1]) == os.getpid() and rest[0] != "Z":
            found.append(path.parent.name)
    return set(found)


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = children()
    yield
    assert not children() - before, "a child process outlived the test"


@pytest.fixture(autouse=True)
def qt_is_content(request):
    if "qtbot" not in request.fixturenames:
        yield
        return
    log = request.getfixturevalue("qtlog")
    yield
    messages = [one for one in log.records if one.type_name in ("QtWarningMsg", "QtCriticalMsg", "QtFatalMsg")]
    messages = [one.message for one in messages if not one.message.startswith(HARMLESS)]
    assert not messages, messages


@pytest.fixture(scope="session")
def residual_files(tmp_path_factory):
    """A small residual network, and what was measured of it: (model, profile)."""
    folder = tmp_path_factory.mktemp("residual")
    keras.utils.set_random_seed(0)
    model = networks.scramble(networks.residual())
    model.save(folder / "net.keras")
    profile = firekeras.measure_fire(model, networks.samples(model, 16), neuron_maps=True)
    profile.save(folder / "net.fire.h5")
    return folder / "net.keras", folder / "net.fire.h5"


@pytest.fixture
def files(residual_files, tmp_path):
    """The same in a folder of the test's own."""
    copies = [tmp_path / path.name for path in residual_files]
    for source, copy in zip(residual_files, copies, strict=True):
        copy.write_bytes(source.read_bytes())
    return tuple(copies)


@pytest.fixture
def session(files):
    session = Session()
    session.open(open_document(files[0]))
    yield session
    if session.document.weights is not None:
        session.document.weights.close()


@pytest.fixture
def preferences(tmp_path):
    settings = QtCore.QSettings(str(tmp_path / "settings.ini"), QtCore.QSettings.Format.IniFormat)
    return Preferences(settings)


@pytest.fixture
def own_temporary_folder(tmp_path_factory, monkeypatch):
    """Where folders for a moment are made, so that a test sees what is left there."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.glob("firekeras-*"))


def close_quietly(window):
    window.work.abort_and_wait()
    window.editor.stack.setClean()
    if window.dialog is not None:
        window.dialog.close()


@pytest.fixture
def empty_window(qtbot, preferences):
    window = Window(preferences)
    qtbot.addWidget(window, before_close_func=close_quietly)
    window.resize(1024, 700)
    window.show()
    qtbot.waitExposed(window)
    return window


@pytest.fixture
def window(empty_window, files):
    empty_window.open_path(files[0])
    return empty_window
