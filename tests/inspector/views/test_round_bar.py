"""The rounds of a run, by keys and mouse: what is shown is what that round left."""

import json

import keras
import numpy as np
import pytest
from PySide6 import QtCore
from recorded import epoch

from examples.inspector_walk import Walk
from firekeras.rounds.run_directory import RunDirectory
from inspector.children import MeasureOptions
from inspector.children.job import Outcome
from inspector.models.columns import Column
from inspector.state import Data
from inspector.state.comparison import Mode
from inspector.state.documents import read_profile

Qt = QtCore.Qt


def shown_filters(window, layer):
    return window.table.model.index(window.session.opened.row_of(layer), Column.AFTER).data()


def mean_fire(window, layer):
    return window.table.model.index(window.session.opened.row_of(layer), Column.FIRE).data()


def test_a_slider_goes_through_what_the_rounds_left(history, qtbot, cut_files):
    window, layer, went, _ = history
    session, bar = window.session, window.rounds
    width = session.opened.row(layer).filters
    assert bar.isVisible() and [stage.number for stage in bar.stages] == [0, 1, 3] and bar.slider.value() == 2
    assert not window.ratio.latency.isVisible() and not window.ratio.accuracy.isVisible()  # a preview's, not a run's
    left = "80.0% of the MACs, FIRE not measured."
    assert bar.figures.text() == f"Round 3: accuracy 0.8900, 0.5000 before training, {left}"
    assert shown_filters(window, layer) == str(width - 2) and session.mode is Mode.CUTS
    bar.slider.setFocus()
    qtbot.keyClick(bar.slider, Qt.Key.Key_Left)
    assert bar.figures.text() == "Round 1: accuracy 0.9100, 0.5000 before training, 90.0% of the MACs, FIRE measured."
    assert shown_filters(window, layer) == str(width - 1) and session.mode is Mode.AFTER
    row = session.opened.row_of(layer)
    fire = session.comparison.fire[session.measured.planner.starts[row] : session.measured.planner.starts[row + 1]]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(fire)), went)
    np.testing.assert_array_equal(np.delete(fire, went), read_profile(cut_files[1])[layer])
    assert mean_fire(window, layer) == f"{read_profile(cut_files[1])[layer].mean():.2f}"
    assert [line.value() for line in window.run_panel.chart.metric.items if getattr(line, "angle", 0) == 90] == [1]
    qtbot.keyClick(bar.slider, Qt.Key.Key_Home)
    assert bar.figures.text() == "The start: accuracy 0.9000, 100.0% of the MACs, FIRE measured."
    assert shown_filters(window, layer) == str(width) and session.mode is Mode.BEFORE and session.comparison is None
    assert mean_fire(window, layer) == f"{session.measured.profile[layer].mean():.2f}"
    qtbot.keyClick(bar.slider, Qt.Key.Key_End)
    assert shown_filters(window, layer) == str(width - 2)


def test_a_difference_stays_in_sight_from_round_to_round(history, qtbot):
    window, *_ = history
    window.rounds.slider.setValue(1)
    window.actions_["DIFFERENCE"].trigger()
    window.rounds.slider.setValue(2)
    assert window.session.mode is Mode.CUTS and "(F8)" in window.actions_["DIFFERENCE"].statusTip()
    window.rounds.slider.setValue(1)
    assert window.session.mode is Mode.AFTER


def test_what_a_round_left_is_opened_exported_and_shown_in_its_folder(history, qtbot):
    window, _, _, folder = history
    window.rounds.slider.setValue(1)
    window.actions_["export"].trigger()
    assert window.dialog.windowTitle() == "Export round-001.keras"
    assert window.dialog.output.text() == str(folder / "round-001.tflite")
    window.dialog.reject()
    pages = []
    window.exporting.open_page = lambda url: pages.append(url.toLocalFile()) or True
    window.actions_["folder"].trigger()
    assert pages == [str(folder)]
    window.actions_["open_round"].trigger()
    assert window.session.document.model == folder / "round-001.keras" and not window.rounds.isVisible()
    assert "no run is open" in window.actions_["open_round"].statusTip()
    window.structure.abort_and_wait()


@pytest.mark.parametrize(
    ("model", "profile"), [("round-000.keras", "profile-001.fire.h5"), ("round-001.keras", "profile-003.fire.h5")]
)
def test_the_model_of_a_round_opens_with_what_the_run_measured_of_it(history, model, profile):
    window, _, _, folder = history
    window.open_path(folder / model)
    document = window.session.document
    assert document.model == folder / model and document.profile_path == folder / profile
    assert window.session.measured is not None and not window.session.of_run and not window.banner.isVisible()


def test_what_is_newest_opens_with_its_fire_unless_that_is_of_other_weights(history, files, cut_files):
    window, _, _, folder = history
    for name, source in (("best.keras", cut_files[0]), ("round-003.fire.h5", cut_files[1])):
        (folder / name).write_bytes(source.read_bytes())
    window.open_path(folder / "best.keras")
    assert window.session.document.profile_path == folder / "round-003.fire.h5"
    other = keras.models.load_model(files[0])
    other.set_weights([2 * w for w in other.get_weights()])
    other.save(folder / "round-000.keras")
    window.open_path(folder / "round-000.keras")
    assert window.session.document.profile is None
    window.structure.abort_and_wait()


def test_a_model_opens_beside_a_run_that_cannot_be_read(history, monkeypatch):
    def locked(path):
        raise PermissionError(13, "Permission denied", str(path))

    window, _, _, folder = history
    monkeypatch.setattr(RunDirectory, "open", locked)
    window.open_path(folder / "round-001.keras")
    assert window.session.document.model == folder / "round-001.keras" and window.session.document.profile is None
    window.structure.abort_and_wait()


def test_that_a_round_is_measured_is_said_while_it_is_shown(history):
    window = history[0]
    window.rounds.slider.setValue(1)
    stage, _ = window.running.need_stage()
    window.running._is_measured(Outcome(True, False, "", ()), stage, MeasureOptions(Data("digits")))
    assert window.banner.words.text() == "Measured. The heatmap shows FIRE after round 1."
    window.rounds.slider.setValue(0)
    assert not window.banner.isVisible()


def test_a_model_that_is_gone_is_missed(history):
    window, _, _, folder = history
    (folder / "round-001.keras").unlink()
    window.open_path(folder)
    window.rounds.slider.setValue(1)
    for key in ("open_round", "measure_round", "export", "folder"):
        assert "the model of round 1 is not in the folder" in window.actions_[key].statusTip()


def with_epochs(folder, widths, removed, of_fit=False):
    """Gives the run of `history` its epochs: two of each kept round, and one of the round that was undone."""
    lines = []
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "round":
            number, kept = event["number"], event["accepted"]
            for done in range(1, 2 + kept):
                logs = {"val_accuracy": 0.5 + number / 10 + done / 100, "val_loss": 0.25, "loss": 0.1}
                more = {} if kept else {"widths": widths, "removed": removed}
                lines.append(json.dumps({**epoch(number, done, 1 + kept), "logs": logs, **more}))
        lines.append(line)
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if of_fit:
        settings = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**settings, "within": "fit", "source": None}))


def test_the_slider_steps_over_epochs_on_request(history, qtbot, tmp_path):
    window, layer, went, folder = history
    bar, width = window.rounds, window.session.opened.row(layer).filters
    assert bar.label.isVisible() and not bar.steps.isVisible()  # no epoch is on record
    more = [*went, *(k for k in range(width) if k not in went)][:3]
    with_epochs(folder, {**window.session.opened.graph.widths, layer: width - 3}, {layer: more})
    window.open_path(folder)
    assert bar.steps.isVisible() and bar.steps.currentText() == "Rounds" and len(bar.stages) == 3
    Walk(window, tmp_path).pick(bar.steps, "Epochs")
    assert [stage.key for stage in bar.stages] == [(0, 0), (1, 1), (1, 0), (2, 1), (3, 1), (3, 0)]
    assert bar.figures.text().startswith("Round 3: accuracy 0.8900") and bar.slider.value() == 5
    bar.slider.setFocus()
    qtbot.keyClick(bar.slider, Qt.Key.Key_Left)
    assert bar.figures.text() == "Epoch 1 of 2 in round 3: val_accuracy 0.8100, val_loss 0.2500, 80.0% of the MACs."
    assert shown_filters(window, layer) == str(width - 2) and "of epoch 1" in window.actions_["export"].statusTip()
    qtbot.keyClick(bar.slider, Qt.Key.Key_Left)
    assert bar.figures.text().startswith("Epoch 1 of 1 in round 2: val_accuracy 0.7100")
    assert shown_filters(window, layer) == str(width - 3)  # though the round was undone
    Walk(window, tmp_path).pick(bar.steps, "Rounds")
    assert bar.figures.text().startswith("Round 1: ") and shown_filters(window, layer) == str(width - 1)


def test_the_record_of_a_fit_is_shown_by_epochs(history):
    window, _, _, folder = history
    with_epochs(folder, window.session.opened.graph.widths, {}, of_fit=True)
    window.open_path(folder)
    assert window.rounds.steps.currentText() == "Epochs" and len(window.rounds.stages) == 6
    assert "it is the record of a fit, which cannot be resumed" in window.actions_["resume"].statusTip()


def test_training_that_was_not_kept_is_called_so(history):
    """Otherwise it would look as if training had changed nothing."""
    window, *_, folder = history
    file = folder / "events.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for event in lines:
        if event["event"] == "round" and event["number"] == 3:
            event.update(kept="cut", accuracy_trained=0.61, accuracy_after_cut=0.89)
    file.write_text("".join(json.dumps(event) + "\n" for event in lines))
    window.open_path(folder)
    kept = "accuracy 0.8900 before training (training gave 0.6100 and was not kept)"
    said = f"Round 3: {kept}, 80.0% of the MACs, FIRE not measured."
    assert window.rounds.figures.text() == said
