"""The real command line, run by the window in child processes."""

import dataclasses
import shlex

import keras
import networks
import numpy as np
import pytest
from typer.testing import CliRunner

import firekeras
from firekeras import zoo
from firekeras.cli import app
from inspector.children import predicting
from inspector.children.commands import MeasureOptions, RunOptions
from inspector.state.comparison import Mode
from inspector.state.weights import ModelWeights

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


def until_done(qtbot, window):
    qtbot.waitUntil(lambda: window.work.job is None and window.banner.isVisible(), timeout=LONG)
    return window.banner.words.text()


def test_a_model_is_measured_from_within(digits, qtbot, tmp_path):
    (tmp_path / "digits.fire.h5").unlink()
    digits.open_path(tmp_path / "digits.keras")
    assert digits.session.measured is None
    progress = []
    digits.work.progressed.connect(lambda done, of: progress.append((done, of)))
    digits.measuring.start(MeasureOptions("digits", "0.5"))
    assert "Measured" in until_done(qtbot, digits)
    totals = {of for _, of in progress if of}
    assert len(totals) == 1 and progress[-1] == (totals.pop(),) * 2
    assert digits.session.measured is not None and digits.session.measured.profile.maps
    assert digits.pages.currentWidget() is digits.heatmap_panel


def test_a_model_without_a_profile_shows_its_layers(digits, qtbot, tmp_path):
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


def test_what_is_saved_is_what_was_previewed(digits, qtbot, tmp_path):
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


def test_a_real_run_goes_to_its_end_and_can_be_opened(digits, qtbot, tmp_path):
    free = next(row.name for row in digits.session.rows if not row.locked)
    digits.editor.set_locks([free], True)
    options = RunOptions(
        "digits", tmp_path / "run", tmp_path / "pruned.keras", target={"conv_macs": 0.6}, epochs=2, limit=120
    )
    digits.running.start(options)
    words = until_done(qtbot, digits)
    assert "is over" in words, words + digits.run_panel.log.toPlainText()
    report = digits.running.view.report
    assert len(report.accepted) == 1 and report.widths_after[free] == report.widths_before[free]
    assert ModelWeights(tmp_path / "pruned.keras").params == report.costs_after.params
    digits.banner.way_out.click()
    assert digits.session.document.run is not None and digits.session.measured is not None
    assert "finished" in digits.run_panel.status.text()
    assert digits.session.mode is Mode.CUTS and not digits.session.comparison.by_rank
    assert digits.session.hatched.sum() == sum(map(len, report.removed.values())) > 0


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
