"""Exports to files that are deployed."""

import dataclasses

import pytest
from PySide6 import QtCore
from recorded import command

from inspector.children.commands import ExportOptions, export_arguments
from inspector.dialogs.export_dialog import COUNTED, NOT_COUNTED
from inspector.state import Data
from inspector.tasks import exporting


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What firekeras is asked for in children, each of which only says that it has written something."""
    found = []

    def instead(arguments):
        found.append(arguments)
        return command(tmp_path, [{"file": arguments[-1], "line": "exported"}])

    monkeypatch.setattr(exporting, "firekeras_command", instead)
    return found


def test_int8_needs_data_and_floats_do_not(window, qtbot, asked, files):
    window.actions_["export"].trigger()
    dialog = window.dialog
    titles = [dialog.format.itemText(k) for k in range(dialog.format.count())]
    assert "LiteRT (.tflite), float32" in titles and "LiteRT (.tflite), int8" in titles and "ONNX (.onnx)" in titles
    dialog.format.setCurrentText("LiteRT (.tflite), float32")
    ok = dialog.buttons.buttons()[0]
    assert ok.isEnabled() and not dialog.data.isEnabled() and dialog.options().data == Data()
    dialog.format.setCurrentText("LiteRT (.tflite), int8")
    assert not ok.isEnabled() and dialog.output.text() == str(files[0].with_name("net_int8.tflite"))
    dialog.data.box.setEditText("nowhere.npz")
    assert not ok.isEnabled() and "There is no file" in dialog.data.reason.text()
    data = files[0].with_name("images")
    data.mkdir()
    dialog.data.box.setEditText(str(data))
    dialog.accept()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    output = files[0].with_name("net_int8.tflite")
    wanted = ExportOptions("litert", output, Data(str(data)))
    assert asked == [export_arguments(files[0], wanted)] and "--int8" in asked[0]
    assert f"compared with Keras: {output}, 8 B" in window.banner.words.text()
    pages = []
    window.exporting.open_page = lambda url: pages.append(url.toLocalFile()) or True
    window.banner.way_out.click()
    assert pages == [str(output.parent)]


def test_the_file_that_the_bars_count_can_be_exported(window, qtbot, asked, files):
    window.actions_["export"].trigger()
    dialog = window.dialog
    dialog.data.box.setEditText("digits")
    tips = {}
    for title in ("LiteRT (.tflite), int8", "LiteRT (.tflite), int8, inputs and outputs too"):
        dialog.format.setCurrentText(title)
        tips[title] = dialog.format.currentData(QtCore.Qt.ItemDataRole.ToolTipRole)
    assert [*tips.values()] == [NOT_COUNTED, COUNTED] and COUNTED.endswith("the bars of RAM and flash count")
    wanted = dialog.options()
    dialog.reject()
    assert wanted.int8_inputs and "--int8-inputs" in export_arguments(files[0], wanted)
    assert "--int8-inputs" not in export_arguments(files[0], dataclasses.replace(wanted, int8_inputs=False))
    assert (
        "inputs and outputs too" in window.goal.flash.toolTip()
        and "inputs and outputs too" in window.goal.ram.toolTip()
    )


def test_an_export_is_refused_where_it_cannot_be_written(window, files):
    window.actions_["export"].trigger()
    dialog = window.dialog
    dialog.format.setCurrentText("ONNX (.onnx)")
    ok = dialog.buttons.buttons()[0]
    assert ok.isEnabled() and not dialog.reason.text()
    for text, why in (
        (files[0].with_name("net.tflite"), "must end with .onnx"),
        ("/nowhere/net.onnx", "Nothing can be written into /nowhere"),
        ("", "Choose where to save it."),
    ):
        dialog.output.setText(str(text))
        assert why in dialog.reason.text() and not ok.isEnabled()
    there = files[0].with_name("there.onnx")
    there.write_bytes(b"mine")
    dialog.output.setText(str(there))
    assert dialog.reason.text() == "there.onnx exists already, and will be replaced." and ok.isEnabled()


def test_random_images_do_not_calibrate(window, preferences, files):
    preferences.set_data_of(files[0], Data("synthetic"))
    window.actions_["export"].trigger()
    dialog = window.dialog
    dialog.format.setCurrentText("LiteRT (.tflite), int8")
    assert dialog.data.chosen.source == ""
    dialog.data.box.setEditText("synthetic")
    assert not dialog.buttons.buttons()[0].isEnabled() and "will not do here" in dialog.data.reason.text()


def test_it_is_said_that_the_previewed_cut_is_not_exported(window):
    window.editor.set_ratio(0.5)
    window.actions_["export"].trigger()
    assert window.dialog.whole.isVisible() and "save the pruned model" in window.dialog.whole.text()
    window.dialog.reject()
    window.editor.set_ratio(0)
    window.actions_["export"].trigger()
    assert not window.dialog.whole.isVisible()


def test_a_failure_is_reported_and_a_desktop_without_folders_too(window, qtbot, monkeypatch, tmp_path, files):
    failing = command(tmp_path, [{"err": "No such op."}, {"exit": 1}])
    monkeypatch.setattr(exporting, "firekeras_command", lambda _: failing)
    window.exporting.start(files[0], ExportOptions("onnx", tmp_path / "net.onnx"))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.banner.words.text() == "Exporting net.keras failed: No such op."
    window.exporting.open_page = lambda url: False
    window.actions_["folder"].trigger()
    assert "No program shows folders here" in window.banner.words.text()
