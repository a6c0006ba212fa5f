"""Latency of what is previewed: whose it is, and that nothing stays behind."""

import json

import pytest
from recorded import command

from firekeras.export.latency import Latency
from inspector.tasks import timing

pytestmark = pytest.mark.usefixtures("own_temporary_folder")
LONG = 300000  # milliseconds: the machine may be busy


BEFORE, AFTER = Latency(0.0079, 0.0002, 1, 0.007, "Keras (test)"), Latency(0.0061, 0.0001, 1, 0.006, "Keras (test)")


def test_why_it_cannot_be_timed_is_said(window, files):
    tip = window.actions_["time"].statusTip
    assert window.actions_["time"].isEnabled() and window.actions_["time"].shortcut().toString() == "F7"
    window.editor.set_ratio(0.0)
    assert "no filter would be removed" in tip()
    files[0].rename(files[0].with_name("elsewhere.keras"))
    window.editor.stack.setClean()
    window.open_path(files[1])
    assert "open its model first" in tip()


def replies(monkeypatch, tmp_path, *scripts, litert=False):
    """Has children do what scripts say, one after the other, in the place of firekeras."""
    asked, waiting = [], iter(scripts)

    def instead(arguments):
        asked.append(arguments)
        return command(tmp_path, next(waiting))

    monkeypatch.setattr(timing, "firekeras_command", instead)
    monkeypatch.setattr(timing, "litert_is_here", lambda: litert)
    return asked


def stage(path, costs, latency):
    seconds = {"median": latency.median, "spread": latency.spread, "fastest": latency.fastest}
    counted = {"macs": costs.macs, "params": costs.params, "conv_macs": costs.conv_macs}
    event = {"event": "stage", "path": path, "accuracy": None, "costs": counted, "size": 1}
    return {"out": json.dumps({**event, "latency": {**seconds, "batch_size": 1, "runtime": "Keras (test)"}})}


def test_what_is_timed_while_choices_change_is_of_those_before(window, monkeypatch, tmp_path, qtbot):
    session, go = window.session, tmp_path / "go"
    before, after = session.opened.costs, session.measured.preview.costs
    steps = [{"wait": str(go)}, stage("net.keras", before, BEFORE), stage("cut.keras", after, AFTER)]
    asked = replies(monkeypatch, tmp_path, [], steps)
    window.actions_["time"].trigger()
    assert "is still in progress" in window.actions_["time"].statusTip()
    window.editor.set_ratio(0.5)
    go.write_text("")
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    assert window.ratio.latency.text().count("<s>") == 1
    window.editor.stack.undo()
    assert "(-23%), measured here" in window.ratio.latency.text()
    assert asked[0][:2] == ["prune", str(session.document.model)] and asked[1][0] == "report"
    assert "fastest 7.0 ms" in window.run_panel.status.text()


def test_another_network_than_the_previewed_one_is_not_shown(window, monkeypatch, tmp_path, qtbot):
    before = window.session.opened.costs
    steps = [stage("net.keras", before, BEFORE), stage("cut.keras", before, AFTER)]
    replies(monkeypatch, tmp_path, [], steps)
    window.actions_["time"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    assert "of the preview" in window.banner.words.text() and window.session.timed is None


def test_what_cannot_be_exported_is_timed_in_keras(window, monkeypatch, tmp_path, qtbot):
    before, after = window.session.opened.costs, window.session.measured.preview.costs
    refused = [{"err": "Keras could not export the model"}, {"exit": 1}]
    steps = [stage("net.keras", before, BEFORE), stage("cut.keras", after, AFTER)]
    asked = replies(monkeypatch, tmp_path, [], refused, steps, litert=True)
    window.actions_["time"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None and window.session.timed is not None, timeout=LONG)
    assert ["--litert" in arguments for arguments in asked] == [False, True, False]
    assert (
        window.ratio.latency.text().endswith("in Keras") and "firekeras[deployment]" in window.ratio.latency.toolTip()
    )


@pytest.mark.parametrize("scripts", [[[{"err": "full disk"}, {"exit": 1}]], [[], [{"kill": True}]]])
def test_a_failure_is_reported_and_leaves_nothing(window, monkeypatch, tmp_path, qtbot, scripts):
    replies(monkeypatch, tmp_path, *scripts)
    window.actions_["time"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    words = window.banner.words.text()
    assert words.startswith("Measuring latency of net.keras failed: ") and ("full disk" in words or "SIGKILL" in words)
    assert window.banner.way_out.text() == "&Measure it again" and window.session.timed is None


@pytest.mark.parametrize("waits", [0, 1])
def test_aborted_it_leaves_nothing(window, monkeypatch, tmp_path, qtbot, waits):
    replies(monkeypatch, tmp_path, *[[], [{"out": "here"}, {"sleep": 60}]][waits == 0 :])
    window.actions_["time"].trigger()
    qtbot.waitUntil(lambda: "here" in window.run_panel.log.toPlainText(), timeout=LONG)
    window.actions_["abort"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=LONG)
    assert window.banner.words.text() == "Measuring latency of net.keras was aborted." and window.session.timed is None


def test_closing_the_window_meanwhile_leaves_nothing(window, monkeypatch, tmp_path, qtbot):
    replies(monkeypatch, tmp_path, [{"sleep": 60}])
    window.actions_["time"].trigger()
    window.close()
    next(button for button in window.dialog.buttons() if "Abort" in button.text()).click()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert window.work.job is None
