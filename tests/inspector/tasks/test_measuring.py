import numpy as np
from PySide6 import QtCore

from inspector.children.commands import MeasureOptions
from inspector.state import Data


def test_measuring_can_be_aborted_and_says_why_it_failed(window, qtbot, replay, files):
    before = files[1].read_bytes()
    replay([{"out": '{"event": "progress", "done": 4, "total": 16}'}, {"sleep": 60}])
    window.measuring.start(MeasureOptions(Data("digits")))
    qtbot.waitUntil(lambda: (window.run_panel.bar.value(), window.run_panel.bar.maximum()) == (4, 16), timeout=20000)
    window.actions_["abort"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert "was aborted" in window.banner.words.text() and files[1].read_bytes() == before
    assert window.run_panel.status.text() == "Measuring net.keras: aborted."
    replay([{"err": "The data have shape (28, 28)."}, {"exit": 1}])
    window.measuring.start(MeasureOptions(Data("digits")))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert "failed: The data have shape (28, 28)." in window.banner.words.text()
    assert window.run_panel.status.text() == "Measuring net.keras: failed."


def test_the_ranking_and_the_last_data_that_served_are_kept(window, qtbot, replay, files, preferences):
    window.rank_by("l1")
    replay([{"err": "It holds no images."}, {"exit": 1}])
    window.measuring.start(MeasureOptions(Data("empty")))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert preferences.data_of(files[0]) == Data()
    replay([])
    window.measuring.start(MeasureOptions(Data("digits")))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert preferences.data_of(files[0]) == Data("digits")
    assert window.session.measured.scores.criterion == "l1" == window.heatmap_panel.criterion.currentData()


def test_what_it_warned_of_is_said_and_stays_in_sight(window, qtbot, replay, files):
    window.run_dock.hide()
    replay([{"err": "Warning: The scale of the inputs is suspect."}])
    window.measuring.start(MeasureOptions(Data("digits")))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.banner.words.text().endswith("The scale of the inputs is suspect.")
    assert window.run_dock.isVisible() and "suspect" in window.run_panel.log.toPlainText()


def test_data_that_cannot_be_used_are_refused_in_the_dialog(window, qtbot, tmp_path):
    np.savez(tmp_path / "labels.npz", images=np.zeros((2, 8, 8, 3)), y_train=np.zeros(2, "int64"))
    window.setFocus()
    qtbot.keyClick(window, QtCore.Qt.Key.Key_F5)
    field = window.dialog.data
    field.box.setEditText(str(tmp_path / "labels.npz"))
    assert field.reason.text().endswith("Expected x_train; labels are not needed.")
    assert "y_train" not in field.box.toolTip() + field.box.statusTip()
    assert not window.dialog.buttons.buttons()[0].isEnabled()


def test_values_are_brought_into_the_range_of_training(window, qtbot, replay):
    asked = replay([])
    window.actions_["measure"].trigger()
    window.dialog.data.box.setEditText("digits")
    assert window.dialog.data.range.currentText() == "as they are"
    window.dialog.data.range.setCurrentText("divided by 127.5, minus 1")
    window.dialog.accept()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert " ".join(asked[0]).count("--scale 1/127.5 --mean 1") == 1
    window.actions_["measure"].trigger()
    assert window.dialog.data.chosen.values == "divided by 127.5, minus 1"
    window.dialog.reject()
    window.actions_["run"].trigger()
    assert "--scale 1/127.5 --mean 1" in window.dialog.command.toPlainText()
    window.dialog.reject()


def test_a_reason_of_two_lines_is_read_whole(window, qtbot, tmp_path):
    np.savez(tmp_path / "large.npz", x_train=np.zeros((2, 32, 32, 3), "uint8"))
    window.actions_["measure"].trigger()
    dialog = window.dialog
    qtbot.waitExposed(dialog)
    dialog.data.box.setEditText(str(tmp_path / "large.npz"))
    reason = dialog.data.reason
    assert "Its images are 32 x 32 x 3" in reason.text()
    qtbot.waitUntil(lambda: reason.height() >= reason.heightForWidth(reason.width()))
