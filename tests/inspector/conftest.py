"""Windows without a screen; no warnings of Qt's, and no process left behind, by any test."""

import json
import os
import tempfile

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pathlib import Path

import keras
import networks
import pytest
from fake_times import table_of
from PySide6 import QtCore
from recorded import begin, start, whole_round

import firekeras
from inspector.children import reading
from inspector.models.preferences import Preferences
from inspector.state.documents import open_document, read_profile
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


@pytest.fixture
def layers_arrive():
    """Whether a child reads the layers of models without a profile, for which it imports Keras."""
    return False


@pytest.fixture(autouse=True)
def layers_are_read_if_awaited(layers_arrive, monkeypatch):
    if not layers_arrive:
        monkeypatch.setattr("inspector.children.structure.reading_command", lambda *_, **__: ["sleep", "600"])


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


@pytest.fixture(scope="session")
def cut_files(residual_files, tmp_path_factory):
    """The same network without one filter: (model, profile, what it lacks by layer)."""
    folder = tmp_path_factory.mktemp("cut")
    model, profile = keras.models.load_model(residual_files[0]), firekeras.FireProfile.load(residual_files[1])
    layer = next(name for name in profile.graph.filter_layers if name.startswith("a"))
    plan = firekeras.plan_pruning(model, profile, pruning_ratio=1e-6, layer_caps=only(profile.graph, layer))
    smaller = firekeras.prune(model, plan)
    smaller.save(folder / "cut.keras")
    firekeras.measure_fire(smaller, networks.samples(model, 16)).save(folder / "cut.fire.h5")
    removed = {name: filters.tolist() for name, filters in plan.removed.items()}
    return folder / "cut.keras", folder / "cut.fire.h5", removed


@pytest.fixture(scope="session")
def table_file(residual_files, tmp_path_factory):
    """A latency table of the residual network: 1 us for each 1,000 MACs."""
    path = tmp_path_factory.mktemp("table") / "board.json"
    with pytest.MonkeyPatch.context() as patch:
        table_of(keras.models.load_model(residual_files[0]), patch).save(path)
    return path


def only(graph, layer):
    """Caps that leave every other layer alone."""
    return {name: float(name == layer) for name in graph.filter_layers}


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


@pytest.fixture
def history(empty_window, files, cut_files, tmp_path):
    """A window with a finished run of three rounds: one filter went, one round was undone, another filter went."""
    folder, profile = tmp_path / "run", read_profile(files[1])
    widths, (layer, went) = profile.graph.widths, next(iter(cut_files[2].items()))
    more = [*went, next(k for k in range(widths[layer]) if k not in went)]
    less = [{**widths, layer: widths[layer] - count} for count in (1, 2)]
    events = [
        start(),
        {**whole_round(1, True, 0.91, 0.9, less[0], {layer: went}), "profile": "profile-001.fire.h5"},
        whole_round(2, False, 0.6, 0.7, less[1]),
        {**whole_round(3, True, 0.89, 0.8, less[1], {layer: more}), "profile": "profile-003.fire.h5"},
        {"event": "stop", "reason": "The target of 80% of the MACs is reached."},
    ]
    begin(folder, widths)
    for event in events:
        if event.get("accepted"):
            event["model"] = f"round-{event['number']:03}.keras"
    copies = {
        "round-000.keras": files[0],
        "profile-001.fire.h5": files[1],
        "round-001.keras": cut_files[0],
        "profile-003.fire.h5": cut_files[1],
        "round-003.keras": cut_files[0],
    }
    for name, source in copies.items():
        (folder / name).write_bytes(source.read_bytes())
    (folder / "events.jsonl").write_text("".join(json.dumps({**event, "time": ""}) + "\n" for event in events))
    empty_window.open_path(folder)
    return empty_window, layer, went, folder


@pytest.fixture(scope="session")
def recurrent_files(tmp_path_factory):
    """A network with a recurrent layer, measured: (model, profile)."""
    folder = tmp_path_factory.mktemp("recurrent")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.GRU(4, name="gru"), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(3)]
    model = networks.scramble(keras.Sequential([keras.Input((6, 3)), *layers]))
    model.save(folder / "series.keras")
    firekeras.measure_fire(model, networks.samples(model, 8)).save(folder / "series.fire.h5")
    return folder / "series.keras", folder / "series.fire.h5"


@pytest.fixture
def silu_window(empty_window, tmp_path):
    """A window with a network without ReLU, whose layers have been read."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, activation="silu", name="first")(inputs)
    x = keras.layers.Conv2D(8, 3, activation="silu", name="second")(x)
    x = keras.layers.Dense(3, name="last")(keras.layers.GlobalAveragePooling2D()(x))
    networks.scramble(keras.Model(inputs, x)).save(tmp_path / "silu.keras")
    reading.main(tmp_path / "silu.keras", tmp_path / "layers.npz")
    empty_window.open_path(tmp_path / "silu.keras")
    empty_window.structure.unscored.emit(reading.read(tmp_path / "layers.npz")[1])
    return empty_window
