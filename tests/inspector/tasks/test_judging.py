"""What a cut costs, and what each layer can lose: on which data, for which choices, and where it is shown."""

import json

import keras
import networks
import numpy as np
import pytest
from PySide6 import QtCore
from recorded import command

import firekeras
from firekeras.cli.classifier import prepare
from inspector.children import checking
from inspector.models import Column
from inspector.state import Checked, Data, Sensitivity, beside_sensitivity, criteria
from inspector.tasks import judging

Qt = QtCore.Qt
pytestmark = pytest.mark.usefixtures("uncompiled")
LONG = 60000  # milliseconds


@pytest.fixture
def images(files, tmp_path):
    """Sixteen labelled images of the size that the network takes, in a file."""
    model = keras.models.load_model(files[0])
    x = networks.samples(model, 16)
    y = np.arange(16) % 4
    np.savez(tmp_path / "images.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return tmp_path / "images.npz"


def checked(before, after, **more):
    more.setdefault("note", "")
    return json.dumps(
        {"event": "accuracy", "monitor": "accuracy", "before": before, "after": after, "images": 16, **more}
    )


def child(window, monkeypatch, tmp_path, steps):
    """Has children take these steps; gives what they were asked."""
    asked, original = [], window.work.start

    def start(ask, title, then):
        asked.append([str(part) for part in ask])
        original(command(tmp_path, steps), title, then)

    monkeypatch.setattr(window.work, "start", start)
    return asked


def test_data_are_chosen_once_and_accuracy_is_shown_beside_latency(window, qtbot, monkeypatch, tmp_path, images):
    asked = child(window, monkeypatch, tmp_path, [{"out": checked(0.9123, 0.8456)}])
    label = window.ratio.accuracy
    assert label.text() == "Accuracy: not checked yet (F9)"
    qtbot.keyClick(window, Qt.Key.Key_F9)
    dialog = window.dialog
    dialog.data.box.setEditText("synthetic")
    assert not dialog.buttons.buttons()[0].isEnabled() and "no labels" in dialog.data.reason.text()
    dialog.data.box.setEditText(str(images))
    dialog.images.setValue(500)
    dialog.data.range.setCurrentText("divided by 255")
    dialog.accept()
    qtbot.waitUntil(lambda: window.session.checked is not None, timeout=LONG)
    assert label.text() == "accuracy 0.9123 → 0.8456 (-6.7 points) untrained"
    assert asked[0][1:4] == ["-m", "inspector.children.checking", str(window.session.document.model)]
    assert asked[0][-3:] == [str(images), "divided by 255", "500"] and str(images) in label.toolTip()
    window.editor.set_ratio(0.5)
    assert "Outdated: <s>accuracy 0.9123" in label.text() and "F9 to re-measure" in label.toolTip()
    window.actions_["check"].trigger()  # nobody asks for the data again
    qtbot.waitUntil(lambda: len(window.session.checks) == 2, timeout=LONG)
    assert asked[1][-3:] == [str(images), "divided by 255", "500"] and "<s>" not in label.text()
    window.editor.stack.undo()
    assert window.session.checked.choices == window.session.choices and "<s>" not in label.text()
    window.actions_["judging_data"].trigger()
    window.dialog.accept()  # the same
    assert len(window.session.checks) == 2
    window.actions_["judging_data"].trigger()
    window.dialog.images.setValue(100)
    window.dialog.accept()
    assert label.text() == "Accuracy: not checked yet (F9)"  # on these data


def test_what_was_measured_of_a_cut_is_valid_again_under_its_ranking(window, images):
    checked = Checked(window.session.choices, "accuracy", 0.9, 0.8, 16, str(images))
    window.session.add_checked(checked)
    window.rank_by("l1")
    assert window.session.checked is None
    window.rank_by("fire")
    assert window.session.checked is checked
    window.rank_by("l1")
    window.session.forget_checks()
    window.rank_by("fire")
    assert window.session.checked is None


def test_what_is_suspicious_before_the_cut_is_said(window, qtbot, monkeypatch, tmp_path, images, preferences):
    preferences.set_judging(window.session.document.model, Data(str(images)), 100)
    child(window, monkeypatch, tmp_path, [{"out": checked(0.25, 0.25, note="It knows nothing.")}])
    window.actions_["check"].trigger()
    qtbot.waitUntil(window.banner.isVisible, timeout=LONG)
    assert window.banner.words.text() == "It knows nothing."
    assert "It knows nothing." in window.ratio.accuracy.toolTip()


def test_a_failure_offers_other_data(window, qtbot, monkeypatch, tmp_path, images, preferences, own_temporary_folder):
    preferences.set_judging(window.session.document.model, Data(str(images)), 100)
    child(window, monkeypatch, tmp_path, [{"err": "The data have classes up to 9."}, {"exit": 1}])
    window.actions_["check"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    words = "Checking accuracy of a cut of net.keras failed: The data have classes up to 9."
    assert window.banner.words.text() == words and window.session.checked is None
    window.banner.way_out.click()
    assert window.dialog.data.chosen.source == str(images) and window.dialog.images.value() == 100


def test_the_child_measures_what_the_library_does(files, window, images, tmp_path, capsys):
    plan = window.session.measured.plan(window.session.choices)
    plan.save(tmp_path / "plan.json")
    checking.measure(str(files[0]), str(tmp_path / "plan.json"), Data(str(images)), 16)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event.get("done") for event in events] == [0, 1, 2, 3, None]
    model = keras.models.load_model(files[0])
    prepare(model, None)
    with np.load(images) as arrays:
        x, y = arrays["x_test"], arrays["y_test"]
    settled, smaller = firekeras.recovery.settled_copy(model, x, 64), firekeras.prune(model, plan)
    firekeras.reestimate_batch_norm(smaller, x, batch_size=64)
    settled, after = (accuracy(network, x, y) for network in (settled, smaller))
    assert [events[-1]["before"], events[-1]["after"]] == pytest.approx([settled, after])
    assert events[-1]["images"] == 16 and "no better than always answering" in events[-1]["note"]


def accuracy(network, x, y):
    """The share of right answers."""
    return float((network.predict(x, verbose=0).argmax(axis=-1) == y).mean())


def test_sensitivity_is_a_column_and_comes_back_with_the_model(window, qtbot, replay, images, preferences, files):
    graph, path = window.session.opened.graph, beside_sensitivity(files[0])
    preferences.set_judging(files[0], Data(str(images)), 200)
    group = next(group for group in graph.groups if len(group) > 1)
    result = {
        "monitor": "accuracy",
        "baseline": 0.9,
        "shares": [0.1, 0.5],
        "values": {group[0]: [0.9, 0.89], "a1": [0.885, 0.3]},
        "partners": {group[0]: group, "a1": ["a1"]},
    }
    asked = replay([{"file": str(path), "line": json.dumps(result)}])
    view = window.table.view
    assert view.isColumnHidden(Column.SENSITIVITY)
    qtbot.keyClick(window, Qt.Key.Key_F9, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: window.session.sensitivity is not None, timeout=LONG)
    assert asked[0][:2] == ["sensitivity", str(files[0])] and asked[0][-1] == "--events" and "200" in asked[0]
    assert (
        "The uncut network has accuracy 0.900 there, on training samples; F9 takes test samples"
        in window.banner.words.text()
    )
    shown_as(window, graph, Sensitivity.read(path, graph))
    window.open_path(files[1])  # the same model by its profile
    shown_as(window, graph, Sensitivity.read(path, graph))
    path.write_text("{")
    window.open_path(files[0])
    assert "is not a sensitivity analysis" in window.banner.words.text() and view.isColumnHidden(Column.SENSITIVITY)


def test_layers_without_fire_are_sensed_too_if_they_are_ranked(window, qtbot, replay, images, preferences, files):
    preferences.set_judging(files[0], Data(str(images)), 200)
    window.session.rank_by(criteria.known_at_once(criteria.FILLED, window.session.measured.profile))
    asked = replay([])
    window.actions_["sense"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    assert asked[0][asked[0].index("--criterion") + 1] == "l1" and "ranked by l1" in window.banner.words.text()


def shown_as(window, graph, sensitivity):
    """The table shows an analysis."""
    assert not window.table.view.isColumnHidden(Column.SENSITIVITY)
    for row, layer in enumerate(graph.filter_layers):
        rate = sensitivity.rate(layer)
        cell = window.table.model.index(row, Column.SENSITIVITY)
        assert cell.data() == ("" if rate is None else f"{rate:.0%}")
        assert cell.data(Qt.ItemDataRole.ToolTipRole) == sensitivity.words(layer)


def test_judging_is_a_task_of_the_window(window):
    assert isinstance(window.judging, judging.Judging)
    window.editor.set_ratio(0.0)
    assert "no filter would be removed" in window.actions_["check"].statusTip()
