"""The real command line, run by the window in child processes: by one that serves them all, but for one refusal."""

import csv
import dataclasses
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import networks
import numpy as np
import pytest
from fake_times import table_of
from typer.testing import CliRunner

import firekeras
from examples.inspector_walk import Walk
from firekeras import zoo
from firekeras.cli import app
from inspector.children import predicting
from inspector.children.commands import MeasureOptions
from inspector.state import Data
from inspector.state.comparison import Mode
from inspector.state.weights import ModelWeights

HERE = Path(__file__).parent
CHILD, OLD = HERE / "one_child.py", HERE.parent / "files" / "keras2-digits.h5"
LONG = 300000  # milliseconds: a child imports Keras, on a machine that may be busy


@pytest.fixture(scope="session")
def digits_files(tmp_path_factory):
    """A small classifier, measured without maps."""
    folder = tmp_path_factory.mktemp("digits")
    keras.utils.set_random_seed(0)
    model = networks.scramble(zoo.digits_cnn())
    model.save(folder / "digits.keras")
    x = firekeras.datasets.load_dataset("digits").x_train
    firekeras.measure_fire(model, x[:64]).save(folder / "digits.fire.h5")
    return folder


@pytest.fixture
def digits(digits_files, empty_window, tmp_path):
    for name in ("digits.keras", "digits.fire.h5"):
        (tmp_path / name).write_bytes((digits_files / name).read_bytes())
    empty_window.open_path(tmp_path / "digits.keras")
    return empty_window


@pytest.fixture
def layers_arrive():
    return True


@pytest.fixture(scope="module")
def server():
    """The address of the child that runs firekeras."""
    folder = tempfile.mkdtemp()  # addresses of sockets are short
    address = f"{folder}/socket"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    errors = Path(folder, "errors")
    with (
        errors.open("w") as log,
        subprocess.Popen([sys.executable, CHILD, address], env=environment, stderr=log) as child,
    ):
        yield address
        assert child.poll() is None, errors.read_text()
        send(address, b"[]\n")
        assert child.wait(LONG / 1000) == 0, errors.read_text()
    shutil.rmtree(folder)


def send(address, line):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.sendall(line)


@pytest.fixture
def served(server, qtbot, monkeypatch):
    """Has the one child do what the window's children would."""

    def command(arguments):
        return [sys.executable, "-S", "-E", CHILD, server, *map(str, arguments)]

    for module in ("converting", "exporting", "measuring", "running", "saving", "timing"):
        monkeypatch.setattr(f"inspector.tasks.{module}.firekeras_command", command)

    def checking(model, plan, data):
        return command(["checking", model, plan, data.data.source, data.data.values, data.images])

    monkeypatch.setattr("inspector.tasks.judging.checking_command", checking)
    reading = lambda model, target, *, ranked: command(["reading", model, target, *["ranked"] * ranked])  # noqa: E731
    monkeypatch.setattr("inspector.children.structure.reading_command", reading)
    qtbot.waitUntil(lambda: Path(server).exists(), timeout=LONG)


def until_done(qtbot, window):
    qtbot.waitUntil(lambda: window.work.job is None and window.banner.isVisible(), timeout=LONG)
    return window.banner.words.text()


def test_clients_that_are_killed_do_not_end_the_child(served, server):
    for line in (b"", b'["--ver', b'["--version"]\n', b'["checking", "no such model", "", "", "", "1"]\n'):
        send(server, line)
    version = subprocess.run([sys.executable, CHILD, server, "--version"], capture_output=True, text=True, check=True)
    assert firekeras.__version__ in version.stdout


def test_a_model_is_measured_from_within(served, digits, qtbot, tmp_path):
    (tmp_path / "digits.fire.h5").unlink()
    digits.open_path(tmp_path / "digits.keras")
    assert digits.session.measured is None
    progress = []
    digits.work.progressed.connect(lambda done, of: progress.append((done, of)))
    digits.measuring.start(MeasureOptions(Data("digits"), "0.5"))
    assert "Measured" in until_done(qtbot, digits)
    totals = {of for _, of in progress if of}
    assert len(totals) == 1 and progress[-1] == (totals.pop(),) * 2
    assert digits.session.measured is not None and digits.session.measured.profile.maps
    assert digits.pages.currentWidget() is digits.heatmap_panel


def test_a_model_without_a_profile_shows_its_layers(served, digits, qtbot, tmp_path):
    measured = digits.session.rows
    (tmp_path / "digits.fire.h5").unlink()
    digits.open_path(tmp_path / "digits.keras")
    assert "not been measured yet" in digits.empty.words.text() and digits.empty.button.isEnabled()
    assert not digits.session.rows and digits.work.job is None  # nothing has to wait for it
    qtbot.waitUntil(lambda: bool(digits.session.rows), timeout=LONG)
    assert [dataclasses.replace(row, fire=0.0) for row in digits.session.rows] == [
        dataclasses.replace(row, fire=0.0) for row in measured
    ]
    assert digits.table.model.rowCount() == len(measured)
    assert digits.pages.currentWidget() is digits.empty
    assert digits.table.totals.model().rowCount() == 2 and digits.table.edits.isEnabled()


def test_what_is_saved_is_what_was_previewed(served, digits, qtbot, tmp_path):
    digits.editor.set_ratio(0.5)
    expected, source = digits.session.measured.preview, (tmp_path / "digits.keras").read_bytes()
    digits.saving.save_model(tmp_path / "small.keras")
    assert "It loads again" in until_done(qtbot, digits)
    smaller = keras.models.load_model(tmp_path / "small.keras")
    assert firekeras.count_costs(smaller) == expected.costs
    assert firekeras.channel_graph(smaller).widths == expected.widths
    assert (tmp_path / "digits.keras").read_bytes() == source
    assert not digits.isWindowModified()
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_the_same_filter_is_found_again_in_the_saved_model(digits, qtbot, tmp_path):
    digits.editor.set_ratio(0.4)
    removed = digits.session.measured.planner.plan(digits.session.choices).removed
    small = tmp_path / "small.keras"
    smaller = firekeras.prune(
        keras.models.load_model(tmp_path / "digits.keras"), digits.session.measured.planner.plan(digits.session.choices)
    )
    smaller.save(small)
    x = firekeras.datasets.load_dataset("digits").x_train[:64]
    firekeras.measure_fire(smaller, x, neuron_maps=True).save(tmp_path / "small.fire.h5")
    digits.saving.removed[small.resolve()] = removed
    digits.compare_with(tmp_path / "small.fire.h5")
    comparison = digits.session.comparison
    assert not comparison.by_rank
    layer = next(
        name for name, gone in removed.items() if gone.size and np.isfinite(digits.session.measured.profile[name]).all()
    )
    kept = np.setdiff1d(np.arange(digits.session.measured.planner.widths[layer]), removed[layer])
    assert [comparison.filter_after(layer, int(k)) for k in kept] == list(range(kept.size))
    assert comparison.filter_after(layer, int(removed[layer][0])) is None


def test_a_real_run_to_a_latency_goes_to_its_end_and_can_be_opened(served, digits, qtbot, tmp_path, monkeypatch):
    table = table_of(keras.models.load_model(tmp_path / "digits.keras"), monkeypatch)
    table.save(tmp_path / "board.json")
    digits.open_path(tmp_path / "board.json")
    free = next(row.name for row in digits.session.rows if not row.locked)
    digits.editor.set_locks([free], True)
    digits.editor.set_goal("60% of latency")
    digits.running.ask()
    digits.dialog.data.box.setEditText("digits")
    files = {"run_dir": tmp_path / "run", "output": tmp_path / "pruned.keras"}
    options = dataclasses.replace(digits.dialog.options(), **files, epochs=2, limit=120)
    digits.dialog.reject()
    assert options.target == {"latency": 0.6} and options.table == tmp_path / "board.json"
    digits.running.start(options)
    words = until_done(qtbot, digits)
    assert "is over" in words, words + digits.run_panel.log.toPlainText()
    report = digits.running.view.report
    assert len(report.accepted) == 1 and report.widths_after[free] == report.widths_before[free]
    assert ModelWeights(tmp_path / "pruned.keras").params == report.costs_after.params
    assert table.predict(keras.models.load_model(tmp_path / "pruned.keras")) <= 0.6 * table.seconds[0]
    digits.editor.stack.setClean()
    digits.banner.way_out.click()
    assert digits.session.document.run is not None and digits.session.measured is not None
    assert "finished" in digits.run_panel.status.text()
    assert digits.session.mode is Mode.CUTS and not digits.session.comparison.by_rank
    assert digits.session.hatched.sum() == sum(map(len, report.removed.values())) > 0
    assert "latency by the table, ms: " in digits.run_panel.status.text()
    assert digits.preferences.data_of(tmp_path / "pruned.keras") == Data("digits")
    assert digits.session.comparison.after is not None  # the run has measured what it left, on a fifth of the images
    digits.actions_["measure_round"].trigger()  # F8: on all of them
    assert digits.dialog.data.chosen == Data("digits")
    digits.running.measure(*digits.running.need_stage(), MeasureOptions(Data("digits"), fraction="1"))
    digits.dialog.reject()
    assert "The heatmap shows FIRE after round 1" in until_done(qtbot, digits)
    network = keras.models.load_model(digits.running.stage.model)
    fire = firekeras.measure_fire(network, firekeras.datasets.load_dataset("digits").x_train)
    measured = digits.session.comparison.after
    assert digits.session.mode is Mode.AFTER and measured.keys() == fire.keys()
    assert all(np.array_equal(measured[layer], fire[layer], equal_nan=True) for layer in fire)


def test_a_model_with_its_own_code_is_refused(empty_window, qtbot, tmp_path):
    @keras.saving.register_keras_serializable("elsewhere")
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((8, 8, 1))
    x = Mine(name="strange")(keras.layers.Conv2D(4, 3, activation="relu")(image))
    keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(x))).save(tmp_path / "mine.keras")
    empty_window.open_path(tmp_path / "mine.keras")
    qtbot.waitUntil(empty_window.banner.isVisible, timeout=LONG)
    assert "The layers of mine.keras cannot be shown" in empty_window.banner.words.text()
    words = empty_window.banner.words.text()
    assert "needs the class 'Mine'" in words and "Traceback" not in words


def test_fire_is_predicted_from_the_weights(digits, tmp_path):
    profile, target = digits.session.measured.profile, tmp_path / "predicted.npz"
    predicting.main(digits.session.document.profile_path, target)  # a child of its own in the window
    predicted = predicting.read(target, profile)
    digits.panel.show_predictions(predicted)
    layer = next(name for name, mask in profile.rankable().items() if mask.all())
    assert predicted[layer].shape == profile[layer].shape and (np.abs(predicted[layer] - 0.5) <= 0.5).all()
    digits.session.point_at(layer, 0)
    digits.panel.tabs.setCurrentWidget(digits.panel.numbers)
    shown = digits.panel.numbers.topLevelItem(1)
    assert (shown.text(0), shown.text(1)) == ("FIRE, predicted", f"{predicted[layer][0]:.5g}")


def test_the_copied_command_gives_the_same_model(digits, tmp_path):
    digits.editor.set_ratio(0.5)
    words = shlex.split(digits.command_text())
    assert words[0] == "firekeras"
    words[words.index("--output") + 1] = str(tmp_path / "by_command.keras")
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0, done.output
    assert ModelWeights(tmp_path / "by_command.keras").params == digits.session.measured.preview.costs.params


def test_latency_is_measured(served, window, qtbot, own_temporary_folder):
    window.actions_["time"].trigger()
    done = []
    window.work.progressed.connect(lambda one, of: done.append((one, of)))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    timed = window.session.timed
    assert timed is not None, window.run_panel.log.toPlainText()
    assert timed.choices == window.session.choices and 0 < timed.after.median < 10
    assert done[-1] == (60, 60) and timed.before.runtime == timed.after.runtime == "LiteRT"
    assert "Python" not in timed.details
    assert window.ratio.latency.text() == timed.words


def test_a_file_of_keras_2_becomes_a_smaller_network(served, empty_window, tmp_path):
    shutil.copy(OLD, tmp_path / "digits.h5")
    walk, window, session = Walk(empty_window, tmp_path), empty_window, empty_window.session
    assert walk.convert(tmp_path / "digits.h5") == session.document.model
    assert "Left out of DepthwiseConv2D: groups=1." in window.banner.words.text()
    assert [row.name for row in session.rows] == ["conv1", "depthwise", "pointwise", "conv2", "scores"]
    walk.measure()
    assert session.measured is not None and session.measured.profile.samples == 288  # a fifth
    walk.choose_board("Raspberry Pi Pico")
    assert session.board.ram == 264 * 1024 and window.goal.ram.share == session.cut.costs.ram / (264 * 1024)
    capped = walk.preview("60% of MACs", 25)
    assert session.choices.goal.target == {"macs": 0.6} and session.choices.caps[capped] == 0.25
    assert 0.5 * session.opened.costs.macs < session.cut.costs.macs <= 0.6 * session.opened.costs.macs
    row = session.opened.row(capped)
    assert row.filters > session.cut.widths[capped] >= 0.75 * row.filters
    walk.check()
    checked = session.checked
    assert checked.choices == session.choices and 0 <= checked.after <= checked.before <= 1 and checked.images == 359
    assert window.ratio.accuracy.text() == checked.words
    walk.run()
    stopped = window.running.view.report
    assert "Stopped on request after round 1" in window.banner.words.text() and len(stopped.rounds) == 1
    walk.resume()
    report = window.running.view.report
    assert report.state == "finished" and len(report.rounds) > 1 and "Stopped" not in report.reason
    walk.compare()
    assert session.of_run and session.mode is Mode.CUTS
    assert session.cut.widths == report.widths_after and session.cut.costs.macs == report.costs_after.macs
    layers = list(csv.DictReader(walk.save().read_text().splitlines()))
    assert {layer["layer"]: int(layer["filters_after"]) for layer in layers} == report.widths_after
    assert (tmp_path / "digits-int8.tflite") == walk.export()
    kept = report.costs_after
    assert abs((tmp_path / "digits-int8.tflite").stat().st_size / kept.flash - 1) < 0.2
    svg = walk.draw().read_text()
    assert all(f">{row.name}<" in svg for row in session.rows) and "After: " in svg
    assert (tmp_path / "digits-pruned.keras").exists()
