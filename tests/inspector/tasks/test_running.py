import dataclasses
import json

import numpy as np
import pytest
from PySide6 import QtCore, QtWidgets
from recorded import begin, command, cut, epoch, start, steps_of, whole_round

from firekeras.cli.files import check_output
from firekeras.rounds.ownership import Ownership
from inspector.children import reading
from inspector.children.commands import RunOptions
from inspector.models import Column
from inspector.state import Data, totals_of, words
from inspector.state.comparison import Comparison, Mode
from inspector.state.documents import open_document, read_profile


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def options(folder):
    return RunOptions(Data("digits"), folder, folder.with_name("pruned.keras"), target={"macs": 0.5})


def smaller(window, by):
    row = next(row for row in window.session.rows if not row.locked)
    return {**window.session.measured.planner.widths, row.name: row.filters - by}


def run(window, qtbot, folder):
    window.running.start(options(folder))
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)


def test_a_run_is_followed_to_its_end(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    events = [start(), cut(1), epoch(1, 1), epoch(1, 2), whole_round(1, True, 0.91, 0.8, smaller(window, 1))]
    events += [
        cut(2),
        whole_round(2, False, 0.7, 0.6, smaller(window, 2)),
        {"event": "stop", "reason": "target reached", "seconds": {"judging": 4.0, "training": 5.0}},
    ]
    asked = replay(steps_of(folder, events))
    run(window, qtbot, folder)
    assert asked[0][:2] == ["compress", str(window.session.document.model)] and asked[0][-1] == "--events"
    assert "--macs" in asked[0] and asked[0][asked[0].index("--run-dir") + 1] == str(folder)
    report = window.running.view.report
    assert report.state == "finished" and len(report.accepted) == 1 and len(report.undone) == 1
    assert (
        "finished: target reached\n2 rounds, 1 kept, 9 s\nTime: training 5 s, judging 4 s"
        in window.run_panel.status.text()
    )
    assert "is over: target reached" in window.banner.words.text()
    assert len(window.run_panel.chart.metric.listDataItems()) == 2
    assert not window.run_panel.bar.isVisible() and window.run_dock.isVisible()


def test_no_cut_is_saved_while_the_figures_are_those_of_the_run(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    layer = next(row.name for row in window.session.rows if not row.locked)
    went = whole_round(1, True, 0.91, 0.8, smaller(window, 1), {layer: [0]})
    replay(steps_of(folder, [start(), went, {"event": "stop", "reason": "target reached"}]))
    run(window, qtbot, folder)
    assert words.of_what(window.session) == "Left in round 1"
    actions = [window.actions_[key] for key in ("save", "save_plan", "time")]
    assert not any(action.isEnabled() for action in actions)
    assert all("of round 1, not of a cut: show the cut first (Ctrl+1)" in action.toolTip() for action in actions)
    qtbot.keyClick(window, QtCore.Qt.Key.Key_1, QtCore.Qt.KeyboardModifier.ControlModifier)
    assert words.of_what(window.session) == "" and all(action.isEnabled() for action in actions)


def test_while_it_runs_progress_and_the_network_are_shown(window, qtbot, folder, replay, tmp_path):
    begin(folder, window.session.measured.planner.widths)
    widths = smaller(window, 2)
    events = [start(), cut(1), epoch(1, 2), whole_round(1, True, 0.91, 0.8, widths), cut(2), epoch(2, 1)]
    go = tmp_path / "go"
    replay([*steps_of(folder, events), {"wait": str(go)}])
    window.running.start(options(folder))
    qtbot.waitUntil(lambda: window.run_panel.bar.maximum() == 2 and window.run_panel.bar.value() == 1, timeout=20000)
    assert window.running.running and window.actions_["stop"].isEnabled() and window.actions_["abort"].isEnabled()
    assert "is still in progress" in window.actions_["measure"].statusTip()
    assert "Round 2: fine-tuning" in window.run_panel.status.text() and "killed" not in window.run_panel.status.text()
    assert window.session.comparison.name == "round 1" and window.session.comparison.by_rank
    window.session.compare(window.session.comparison, Mode.AFTER)
    assert window.session.mode is Mode.CUTS  # nobody measured that round
    window.editor.set_ratio(0.5)  # the window stays alive
    window.open_path(tmp_path)
    assert "is still in progress" in window.banner.words.text()
    go.touch()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)


def test_stop_after_this_round_asks_the_run(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    end = steps_of(folder, [whole_round(1, True, 0.9, 0.8, smaller(window, 1)), {"event": "stop", "reason": "stopped"}])
    replay([*steps_of(folder, [start(), cut(1)]), {"wait": str(folder / "stop")}, *end])
    window.running.start(options(folder))
    qtbot.waitUntil(lambda: window.running.view is not None and window.actions_["stop"].isEnabled(), timeout=20000)
    window.actions_["stop"].trigger()
    assert "Stopping after this round" in window.run_panel.status.text()
    assert not window.actions_["stop"].isEnabled()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.running.view.report.reason == "stopped"


def test_a_run_that_is_starting_can_be_asked_to_stop(window, qtbot, folder, replay, tmp_path):
    begin(folder, window.session.measured.planner.widths)
    end = steps_of(folder, [whole_round(1, True, 0.9, 0.8, smaller(window, 1)), {"event": "stop", "reason": "stopped"}])
    go = tmp_path / "go"
    replay([{"wait": str(go)}, *steps_of(folder, [start(), cut(1)]), {"wait": str(folder / "stop")}, *end])
    window.running.start(options(folder))
    window.setFocus()
    qtbot.keyClick(window, QtCore.Qt.Key.Key_Escape)
    assert "Starting: " in window.run_panel.status.text() and "Stopping after" in window.run_panel.status.text()
    assert "it is already stopping" in window.actions_["stop"].statusTip() and not (folder / "stop").exists()
    go.touch()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.running.view.report.reason == "stopped" and not window.running.starting


def test_a_run_that_is_resuming_can_be_asked_to_stop(window, qtbot, folder, replay, tmp_path):
    begin(folder, window.session.measured.planner.widths)
    kept = whole_round(1, True, 0.9, 0.8, smaller(window, 1))
    replay(steps_of(folder, [start(), cut(1), kept, {"event": "stop", "reason": "stopped"}]))
    run(window, qtbot, folder)
    go, asked = tmp_path / "go", {"wait": str(folder / "stop")}
    early = {"out": json.dumps({"event": "note", "text": "Still loading."})}
    end = steps_of(folder, [{"event": "resume", "after_round": 1}, cut(2)]), steps_of(folder, [{"event": "stop"}])
    replay([early, {"wait": str(go)}, *end[0], asked, *end[1]])
    window.running.resume()
    qtbot.waitUntil(lambda: window.running.view is not None, timeout=20000)
    assert window.running.view.over and window.actions_["stop"].isEnabled()  # nothing says yet that it goes on
    window.actions_["stop"].trigger()
    assert "Stopping after" in window.run_panel.status.text() and not (folder / "stop").exists()
    go.touch()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert not window.running.starting


def test_a_new_run_does_not_show_the_network_of_the_one_before(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    layer = next(row.name for row in window.session.rows if not row.locked)
    kept = whole_round(1, True, 0.9, 0.8, smaller(window, 1), {layer: [0]})
    replay(steps_of(folder, [start(), cut(1), kept, {"event": "stop", "reason": "done"}]))
    run(window, qtbot, folder)
    assert words.of_what(window.session) == "Left in round 1"
    replay([])
    run(window, qtbot, folder.with_name("second"))
    assert words.of_what(window.session) == "" and window.session.comparison is None


def test_a_round_that_is_not_shown_says_so_and_is_shown_if_pointed_at(window, qtbot, folder, replay):
    window.editor.set_ratio(0.3)
    begin(folder, window.session.measured.planner.widths)
    layer = next(row.name for row in window.session.rows if not row.locked)
    kept = whole_round(1, True, 0.9, 0.8, smaller(window, 1), {layer: [0]})
    replay(steps_of(folder, [start(), cut(1), kept, {"event": "stop", "reason": "done"}]))
    run(window, qtbot, folder)
    bar = window.rounds
    assert bar.figures.text().startswith("Round 1: ") and "your own cut" not in bar.figures.text()
    assert not window.heatmap.gone.edges(100)  # nothing is cut where what went lies together
    window.actions_["BEFORE"].trigger()
    assert window.heatmap.gone.edges(100)
    assert "Below is your own cut" in bar.figures.text() and bar.slider.value() == bar.slider.maximum()
    bar.slider.setFocus()
    qtbot.keyClick(bar.slider, QtCore.Qt.Key.Key_End)  # it is there already
    assert words.of_what(window.session) == "Left in round 1" and "your own cut" not in bar.figures.text()


def test_a_run_that_is_stopped_before_its_first_round_has_not_failed(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    stopped = {"event": "stop", "reason": "Stopped on request after round 0."}
    replay([*steps_of(folder, [start(), stopped]), {"err": "Nothing was removed."}, {"exit": 1}])
    run(window, qtbot, folder)
    assert window.banner.words.text() == "The run in run was stopped before it kept a round; nothing is written."
    assert window.banner.way_out.text() == "&Resume it" and window.actions_["resume"].isEnabled()


def test_a_run_without_epochs_left_is_not_resumed(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    undone = {**whole_round(1, False, 0.5, 0.8, smaller(window, 1)), "epochs": 4}
    stopped = {"event": "stop", "reason": "Stopped on request after round 1."}
    replay([*steps_of(folder, [{**start(), "epochs": 4}, cut(1), undone, stopped]), {"exit": 1}])
    run(window, qtbot, folder)
    assert "was stopped before it kept a round" in window.banner.words.text()
    assert window.banner.way_out.text() == "&Run again…"


def test_abort_keeps_what_was_finished_and_it_can_be_gone_on_with(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    events = [start(), cut(1), whole_round(1, True, 0.9, 0.8, smaller(window, 1)), cut(2)]
    asked = replay([*steps_of(folder, events), {"sleep": 60}])
    window.running.start(options(folder))
    qtbot.waitUntil(lambda: window.running.view is not None and window.running.view.report.progress is not None)
    qtbot.waitUntil(lambda: len(window.running.view.report.rounds) == 1)
    window.actions_["abort"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert "aborted" in window.banner.words.text() and "are kept" in window.run_panel.status.text()
    assert window.actions_["resume"].isEnabled()
    more = [{"event": "resume", "after_round": 1}, {"event": "stop", "reason": "done"}]
    asked = replay(steps_of(folder, more))
    window.banner.way_out.click()
    assert asked[-1] == ["compress", "--resume", str(folder), "--events"]
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.running.view.report.state == "finished"


def test_a_run_that_was_moved_is_resumed_with_another_output(empty_window, qtbot, folder, files, replay):
    begin(folder, {"stem": 8}, begun=folder.with_name("elsewhere"))
    (folder / "events.jsonl").write_text(json.dumps({**start(), "time": ""}) + "\n" + '{"event": "interrupted"}\n')
    asked, dialogs = replay(steps_of(folder, [{"event": "resume", "after_round": 0}])), []
    empty_window.open_path(folder)
    empty_window.running.asked.connect(dialogs.append)
    empty_window.running.resume()
    (dialog,) = dialogs
    assert dialog.selectedFiles() == [str(folder.with_name("out.keras"))] and not asked
    dialog.fileSelected.emit("mine.keras")
    assert asked[-1] == ["compress", "--resume", str(folder), "--output", "mine.keras", "--events"]
    qtbot.waitUntil(lambda: empty_window.work.job is None, timeout=20000)


def test_notes_and_a_last_round_that_only_trains_are_shown(window, qtbot, folder, replay):
    widths = smaller(window, 1)
    begin(folder, window.session.measured.planner.widths)
    training = {**whole_round(2, True, 0.93, 0.8, widths), "filters_removed": 0, "pruning_ratio": 0.0, "epochs": 4}
    note = {"event": "note", "text": "The baseline is settled."}
    stop = {"event": "stop", "reason": "over", "seconds": {"training": 61.0, "judging": 2.0}}
    replay(
        steps_of(folder, [start(), note, cut(1), whole_round(1, True, 0.91, 0.8, widths), epoch(2, 1), training, stop])
    )
    run(window, qtbot, folder)
    shown = window.run_panel.status.text()
    assert "The baseline is settled." in shown and "Time: training 61 s, judging 2 s." in shown
    assert "Note: The baseline is settled." in window.run_panel.log.toPlainText()
    assert "accuracy: 0.9000 → 0.9300 (+0.0300)" in shown
    (kept,) = window.run_panel.chart.metric.listDataItems()
    assert kept.yData.tolist() == [0.9, 0.91, 0.93]
    assert window.run_panel.chart.macs.listDataItems()[0].yData.tolist() == [1.0, 0.8, 0.8]


STAGES = ["before anything", "after the start", "in a round", "between rounds", "in the middle of a line"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_child_that_dies_is_reported_and_nothing_is_lost(window, qtbot, folder, replay, stage):
    begin(folder, window.session.measured.planner.widths)
    events = [start(), cut(1), whole_round(1, True, 0.9, 0.8, smaller(window, 1))]
    so_far = events[: min(3, STAGES.index(stage))]
    steps = steps_of(folder, so_far)
    if stage == STAGES[-1]:
        steps += [{"file": str(folder / "events.jsonl"), "line": '{"event": "cu'}, {"raw": '{"event": "cu'}]
    replay([*steps, {"kill": True}])
    window.editor.set_ratio(0.45)
    run(window, qtbot, folder)
    assert "was killed by SIGKILL" in window.banner.words.text() and window.banner.way_out.isVisible()
    assert len(window.running.view.report.rounds) == (len(so_far) == 3)
    assert window.session.choices.ratio == 0.45 and window.session.measured is not None
    assert window.actions_["resume"].isEnabled() and window.actions_["run"].isEnabled()


def test_a_child_that_dies_before_there_is_a_run(window, qtbot, folder, replay):
    replay([{"err": "There is no file cifar10.npz."}, {"exit": 1}])
    run(window, qtbot, folder)
    assert "failed: There is no file cifar10.npz." in window.banner.words.text()
    assert window.run_panel.status.text() == "The run did not start."


def test_a_run_that_nobody_is_at_work_on_was_killed(empty_window, folder):
    begin(folder, {"stem": 8})
    lines = [step["line"] for step in steps_of(folder, [start(), cut(1)]) if "line" in step]
    (folder / "events.jsonl").write_text("".join(lines))
    Ownership(folder).release()
    empty_window.open_path(folder)
    assert empty_window.run_panel.status.text().startswith("killed: Round 1: fine-tuning")


def test_a_run_that_goes_on_elsewhere_is_followed(empty_window, qtbot, folder, files):
    widths = {"stem": 8}
    begin(folder, widths)
    steps = steps_of(folder, [start(), cut(1)])
    lines = [step["line"] for step in steps if "line" in step]
    (folder / "events.jsonl").write_text("".join(lines))
    empty_window.open_path(folder)
    assert "Round 1: fine-tuning" in empty_window.run_panel.status.text()
    assert "a run that was killed looks the same" in empty_window.run_panel.status.text()
    charts = empty_window.run_panel.chart.metric, empty_window.run_panel.chart.macs
    assert all(plot.getAxis("bottom").labelString().count("round") == 1 for plot in charts)
    assert not any("x0.001" in plot.getAxis("bottom").labelString() for plot in charts)
    assert "has no measurement" in empty_window.empty.words.text()
    assert "may still be running elsewhere" in empty_window.actions_["resume"].statusTip()
    end = steps_of(folder, [{"event": "stop", "reason": "tolerance reached"}])[0]["line"]
    with open(folder / "events.jsonl", "a") as file:
        file.write(end)
    qtbot.waitUntil(lambda: "finished: tolerance reached" in empty_window.run_panel.status.text(), timeout=5000)
    assert "the run is finished" in empty_window.actions_["resume"].statusTip()


def test_caps_are_kept_when_a_run_comes_to_its_first_measurement(empty_window, folder, files):
    graph, session = read_profile(files[1]).graph, empty_window.session
    layer = next(name for name in graph.widths if name.startswith("a"))
    begin(folder, graph.widths)
    (folder / "round-000.keras").write_bytes(files[0].read_bytes())
    (folder / "events.jsonl").write_text(json.dumps({**start(), "time": ""}) + "\n")
    empty_window.open_path(folder)
    empty_window.structure.arrived.emit(graph)
    empty_window.editor.set_caps([layer], 0.25)
    assert session.measured is None and session.choices.caps == {layer: 0.25}
    (folder / "profile-001.fire.h5").write_bytes(files[1].read_bytes())
    first = {**whole_round(1, True, 0.9, 0.9, graph.widths), "profile": "profile-001.fire.h5", "time": ""}
    with open(folder / "events.jsonl", "a") as file:
        file.write(json.dumps(first) + "\n")
    empty_window.running.look()
    assert session.measured is not None and session.choices.caps == {layer: 0.25}
    empty_window.editor.stack.undo()
    assert session.choices.caps == {}


def write_run(folder, files, widths, events):
    """A run directory with its first network, measured in the first round, and these events."""
    begin(folder, widths)
    for path, name in zip(files, ("round-000.keras", "profile-001.fire.h5"), strict=True):
        (folder / name).write_bytes(path.read_bytes())
    (folder / "events.jsonl").write_text("".join(json.dumps({**one, "time": ""}) + "\n" for one in events))


def test_the_cuts_of_a_run_are_drawn_on_the_first_network(empty_window, folder, files):
    widths = read_profile(files[1]).graph.widths
    layer = next(name for name in widths if name.startswith("a"))
    less = [{**widths, layer: widths[layer] - count} for count in (1, 2)]
    first = {**whole_round(1, True, 0.9, 0.9, less[0], {layer: [3]}), "profile": "profile-001.fire.h5"}
    rounds = [start(), first, whole_round(2, True, 0.9, 0.8, less[1], {layer: [1, 3]})]
    write_run(folder, files, widths, rounds)
    empty_window.open_path(folder)
    session = empty_window.session
    assert session.mode is Mode.CUTS and session.comparison.name == "round 2" and not session.comparison.by_rank
    begins = session.measured.planner.starts[session.opened.row_of(layer)]
    assert np.flatnonzero(session.hatched).tolist() == [begins + 1, begins + 3]
    assert words.readout(session, layer, 3).endswith(", removed")
    assert words.readout(session, layer, 0).endswith(", kept")
    of = f"{layer} has {widths[layer] - 2} of {widths[layer]} filters left."
    assert words.reasons(session, layer, 3) == [f"round 2: removed; {of}"]
    assert words.reasons(session, layer, 0) == [f"round 2: kept; {of}"] and words.reasons(session, layer) == [
        f"round 2: {of}"
    ]
    assert session.comparison.filter_after(layer, 2) == 1 and empty_window.heatmap.gone.isVisible()


@pytest.fixture
def finished(empty_window, folder, files):
    """A window with a finished run, one round of which was kept."""
    widths = read_profile(files[1]).graph.widths
    layer = next(name for name in widths if name.startswith("a"))
    less = {**widths, layer: widths[layer] - 1}
    first = {**whole_round(1, True, 0.9, 0.8, less, {layer: [3]}), "profile": "profile-001.fire.h5"}
    events = [start(), first, {"event": "stop", "reason": "target reached"}]
    write_run(folder, files, widths, events)
    (folder / "best.keras").write_bytes(files[0].read_bytes())
    empty_window.open_path(folder)
    return empty_window, layer


def test_no_preview_contradicts_what_a_run_came_to(finished, folder):
    window, _ = finished
    session = window.session
    assert (
        session.choices.ratio == 0
        and session.measured.preview.num_gone == 0
        and session.measured.preview.costs == session.opened.costs
    )
    assert window.ratio.costs.text().startswith("Left in round 1:")
    assert not window.actions_["save"].isEnabled()
    tip = window.actions_["save"].statusTip()
    assert "no filter would be removed" in tip and str(folder / "best.keras") in tip
    window.running.ask()
    assert window.dialog.left.value() == 50  # and not the 100% that ratio 0 leaves


@pytest.mark.parametrize("mode", [Mode.CUTS, Mode.BEFORE])
def test_after_a_run_the_table_shows_what_it_left(finished, mode):
    window, layer = finished
    session = window.session
    session.compare(session.comparison, mode)
    row, cell = session.opened.row(layer), window.table.model.index(session.opened.row_of(layer), Column.AFTER)
    assert cell.data() == str(row.filters - 1)
    assert words.why_layer(session, layer) == f"{layer} has {row.filters - 1} of {row.filters} filters left in round 1."
    sums = totals_of(session)
    assert sums[1].filters == sums[0].filters - 1 and sums[1].macs < sums[0].macs


@pytest.mark.parametrize("mode", [Mode.AFTER, Mode.DIFFERENCE, Mode.SPLIT])
def test_fire_that_nobody_measured_is_not_shown(finished, mode):
    window, _ = finished
    window.session.compare(window.session.comparison, mode)
    assert window.session.mode is Mode.CUTS
    assert "round 1 was not measured" in window.actions_[mode.name].statusTip()
    assert "(F8)" in window.heatmap_panel.modes.item(list(Mode).index(mode)).toolTip()


def test_what_else_is_done_leaves_the_run_in_sight(finished, files, qtbot, tmp_path):
    window, _ = finished
    window.start(command(tmp_path, []), "Checking small.keras", lambda outcome: None)
    assert window.run_panel.status.text().startswith("Checking small.keras…\nfinished: target reached")
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert window.run_panel.status.text().startswith("Checking small.keras: done.\nfinished: target reached")
    window.open_path(files[0])
    assert window.run_panel.status.text().startswith("No run is open") and not window.run_panel.chart.isVisible()


def test_a_ratio_chosen_for_a_run_is_a_preview_on_its_first_network(finished, folder):
    window, layer = finished
    session = window.session
    window.editor.set_ratio(0.5)
    assert window.ratio.costs.text().startswith("Preview on the network that the run began with")
    assert session.mode is Mode.BEFORE
    reasons = words.reasons(session, layer, 3)
    assert reasons == ["Preview on the network that the run began with.", *reasons[1:]] and len(reasons) == 3
    assert not any("round 1" in one for one in reasons)
    window.actions_["save"].trigger()
    assert window.dialog.windowTitle() == "Save a cut of the network that the run began with"
    assert window.dialog.selectedFiles()[0].endswith("run-round-000-pruned.keras")
    assert str(folder / "best.keras") in window.saving._not_the_result()


def test_a_damaged_run_is_reported(empty_window, folder):
    begin(folder, {"a": 1})
    (folder / "events.jsonl").write_text('{"event": "round"}\n')
    empty_window.open_path(folder)
    assert "line 1, is not an event of a run" in empty_window.banner.words.text()
    (folder / "run.json").write_text("{")
    empty_window.open_path(folder)
    assert "is not the settings of a run: it is cut off" in empty_window.banner.words.text()


def test_closing_while_it_runs_asks_and_waits(window, qtbot, folder, replay):
    begin(folder, window.session.measured.planner.widths)
    replay([*steps_of(folder, [start()]), {"sleep": 60}])
    window.running.start(options(folder))
    qtbot.waitUntil(lambda: window.running.view is not None, timeout=20000)
    window.close()
    assert window.isVisible() and window.dialog.text().startswith("Run run is still in progress.")
    assert "finished rounds are kept" in window.dialog.text()
    next(button for button in window.dialog.buttons() if "Cancel" in button.text()).click()
    assert window.isVisible() and window.work.job is not None
    window.close()
    box = window.dialog
    assert isinstance(box, QtWidgets.QMessageBox)
    next(button for button in box.buttons() if "Abort" in button.text()).click()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20000)


def test_closing_while_it_runs_asks_about_choices_too(window, qtbot, folder, replay):
    window.editor.set_ratio(0.6)
    replay([{"sleep": 60}])
    window.running.start(options(folder))

    def click(words):
        next(button for button in window.dialog.buttons() if words in button.text()).click()

    for answer in ("Cancel", "Don't"):
        window.close()
        click("Abort it")
        qtbot.waitUntil(lambda: "not saved" in window.dialog.text())
        assert window.work.job is not None
        click(answer)
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20000)
    assert window.work.job is None
    assert window.work.job is None


def test_the_dialog_shows_the_command_it_runs(window, folder, qtbot):
    free = next(row.name for row in window.session.rows if not row.locked)
    window.editor.set_caps([free], 0.5)
    window.actions_["run"].trigger()
    dialog = window.dialog
    dialog.data.box.setEditText("digits")
    dialog.run_dir.setText(str(folder))
    dialog.target.setCurrentText("parameters remaining")
    dialog.left.setValue(60)
    dialog.epochs.setValue(30)
    text = dialog.command.toPlainText()
    assert text.startswith("firekeras compress ") and f"--cap {free}=0.5" in text and "--params 0.6" in text
    assert f"--run-dir {folder}" in text and "--epochs 30" in text
    assert "--learning-rate" not in text and "distill" not in text  # as compiled; the run decides
    assert dialog.rate.text() == "0.01, by SGD" and "was not compiled" in dialog.rate.accessibleName()
    dialog.rate.setValue(0.05)
    dialog.distill.setCurrentText("Never")
    dialog.target.setCurrentText("conv MACs remaining")
    text = dialog.command.toPlainText()
    assert "--learning-rate 0.05" in text and "--no-distill" in text and "--conv-macs 0.6" in text
    chosen = []
    dialog.chosen.disconnect()
    dialog.chosen.connect(chosen.append)
    dialog.accept()
    assert chosen[0].target == {"conv_macs": 0.6} and chosen[0].epochs == 30 and chosen[0].run_dir == folder
    assert json.dumps(chosen[0].tolerance) == "0.01"


def test_a_run_says_by_what_it_ranks_and_takes_fire_alone_if_asked(window):
    window.actions_["run"].trigger()
    dialog = window.dialog
    assert dialog.ranking.currentText() == "FIRE with l1 norms and contributions"
    assert "beside" not in dialog.command.toPlainText()
    dialog.ranking.setCurrentText("FIRE alone")
    assert "--option 'beside=()'" in dialog.command.toPlainText()


def test_a_tolerance_that_keeps_every_round_says_so(window):
    window.actions_["run"].trigger()
    dialog = window.dialog
    for typed, shown, given in ((49, "49.00 points", "0.49"), (60, "60.00 points: every round is kept", "inf")):
        dialog.tolerance.setValue(typed)
        assert dialog.tolerance.text() == shown and f"--tolerance {given} " in dialog.command.toPlainText()


def test_the_end_of_a_run_is_one_sentence_with_one_stop(finished):
    view = finished[0].running.view
    report = dataclasses.replace(view.report, reason="The target of 37% of the MACs is reached.")
    ending = dataclasses.replace(view, report=report).ending
    assert ending == "The target of 37% of the MACs is reached. 80.0% of the MACs left, 1 round, kept, 1 s."


def test_a_run_to_a_target_says_if_it_ends_outside_the_tolerance(finished, folder):
    window, _ = finished
    view = window.running.view
    worse = [{**json.loads(line)} for line in (folder / "events.jsonl").read_text().splitlines()]
    for event in worse:
        if event["event"] == "round":
            event["accuracy"] = view.report.baseline - 0.0234
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in worse))
    window.open_path(folder)
    report = window.running.view.report
    sentence = (
        f"On held-out data accuracy went from {report.baseline:.4f} to {report.accuracy:.4f}, outside the tolerance"
    )
    assert view.beyond == "" and sentence in window.running.view.ending and sentence in window.run_panel.status.text()


def test_a_run_says_how_far_it_is_and_shows_what_it_removed(window, qtbot, folder, replay, tmp_path):
    begin(folder, window.session.measured.planner.widths)
    settings = json.loads((folder / "run.json").read_text())
    settings["target"] = {"macs": 0.4}
    (folder / "run.json").write_text(json.dumps(settings))
    events = [start(), cut(1), whole_round(1, True, 0.91, 0.75, smaller(window, 1)), cut(2)]
    replay(steps_of(folder, events))
    run(window, qtbot, folder)
    shown = window.run_panel.status.text()
    assert "Round 2: fine-tuning. 75.0% of the MACs left so far; the target is 40% of the MACs. Last event: " in shown
    assert "UTC" not in shown and window.session.mode is Mode.CUTS


def test_a_round_that_was_not_measured_is_measured_from_there(history, qtbot, replay, cut_files):
    window, _, _, folder = history
    (folder / "profile-003.fire.h5").unlink()
    window.open_path(folder)
    window.rounds.slider.setValue(1)
    assert window.session.mode is Mode.CUTS and "not measured" in window.rounds.figures.text()
    asked, output = replay([]), folder / "round-001.fire.h5"
    window.actions_["measure_round"].trigger()
    assert window.dialog.windowTitle() == "Measure FIRE of round 1 of this run"
    assert window.dialog.data.chosen.source == "digits"  # which the run was trained on
    window.dialog.data.box.setEditText("synthetic")
    window.dialog.accept()
    check_output(
        output, folder / "round-001.keras", ending=".fire.h5"
    )  # as the command line does: it is no file of the run
    output.write_bytes(cut_files[1].read_bytes())
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert asked[0][:2] == ["measure", str(folder / "round-001.keras")]
    assert asked[0][asked[0].index("--output") + 1] == str(output)
    assert "FIRE measured" in window.rounds.figures.text() and "after round 1" in window.banner.words.text()
    assert window.session.mode is Mode.AFTER and window.session.comparison.after is not None
    assert window.preferences.data_of(folder / "round-000.keras") == Data("synthetic")
    assert open_document(folder / "round-001.keras").profile_path == output  # so it is measured if it is opened


def test_the_data_of_an_opened_run_are_proposed_for_its_network(history, empty_window):
    window, *_, folder = history
    settings = json.loads((folder / "run.json").read_text())
    settings["source"] = {"data": "digits", "scale": None, "mean": None}
    (folder / "run.json").write_text(json.dumps(settings))
    window.open_path(folder)
    assert window.preferences.data_of(folder / "round-000.keras") == Data("digits")
    window.actions_["export"].trigger()
    assert window.dialog.data.chosen == Data("digits")
    window.dialog.reject()
    window.actions_["open_round"].trigger()
    assert window.preferences.data_of(folder / "round-003.keras") == Data("digits")


@pytest.fixture
def unmeasured_run(empty_window, files, cut_files, tmp_path):
    """A window with a finished run that never measured FIRE, whose layers have been read: (window, layer, went)."""
    folder, graph = tmp_path / "by_l1", read_profile(files[1]).graph
    layer, went = next(iter(cut_files[2].items()))
    begin(folder, graph.widths)
    less = {**graph.widths, layer: graph.widths[layer] - len(went)}
    left = {**whole_round(1, True, 0.91, 0.9, less, {layer: went}), "model": "round-001.keras"}
    events = [start(), left, {"event": "stop", "reason": "target reached"}]
    (folder / "events.jsonl").write_text("".join(json.dumps({**event, "time": ""}) + "\n" for event in events))
    (folder / "round-000.keras").write_bytes(files[0].read_bytes())
    (folder / "round-001.keras").write_bytes(cut_files[0].read_bytes())
    empty_window.open_path(folder)
    reading.main(folder / "round-000.keras", tmp_path / "layers.npz", reading.RANKED)
    empty_window.structure.unscored.emit(reading.read(tmp_path / "layers.npz")[1])
    return empty_window, layer, went, folder


def test_a_run_that_measured_no_fire_is_shown_all_the_same(unmeasured_run, qtbot):
    window, layer, went, _ = unmeasured_run
    session = window.session
    assert session.has_fire and session.lacks_fire and session.measured.scores.criterion == "l1"
    assert "the network that the run began with is not measured yet (F5). Its filters are ranked by l1" in (
        window.banner.words.text()
    )
    assert session.mode is Mode.CUTS and session.comparison.name == "round 1" and words.of_what(session)
    assert np.flatnonzero(session.hatched).tolist() == [session.measured.number(layer, filter) for filter in went]
    assert session.cut.widths[layer] == session.opened.row(layer).filters - len(went)
    for name in ("fire", "fire or l1"):
        window.rank_by(name)
        assert "cannot be ranked by FIRE yet" in window.banner.words.text()
    assert "FIRE is not measured yet" in window.actions_["predict"].statusTip()
    session.point_at(layer, 0)
    assert window.panel.map.caption.text() == "FIRE is not measured yet (F5)."


def test_fire_of_a_run_is_measured_without_leaving_it(replay, unmeasured_run, qtbot, files, cut_files):
    window, *_, folder = unmeasured_run
    session = window.session

    def measure(key, source, target):
        replay([{"sleep": 0.05}])
        window.actions_[key].trigger()
        window.dialog.data.box.setEditText("synthetic")
        (folder / target).write_bytes(source.read_bytes())  # as the child would
        window.dialog.accept()
        qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)

    measure("measure_round", cut_files[1], "round-001.fire.h5")
    assert window.banner.words.text() == (
        "Measured. Measure the network that the run began with too (F5), then choose FIRE in the list above the "
        "heatmap to see FIRE after round 1."
    )
    measure("measure", files[1], "round-000.fire.h5")
    assert session.of_run and session.document.profile is not None and not session.lacks_fire
    assert window.running.view is not None and "finished" in window.run_panel.status.text()
    window.rank_by("fire")
    window.running.choose_round(1)
    assert session.mode.of_fire_after and session.comparison.after is not None
    window.open_path(folder)  # what was measured is found again
    assert session.measured is not None and session.ranks_by_fire


def test_a_lock_is_not_ticked_if_the_run_cut_the_layer(history):
    """A run that ranks by more than FIRE also cuts layers that FIRE alone cannot rank."""
    window, *_ = history
    session = window.session
    row = next(row for row in session.rows if row.locked)
    removed = {row.name: [0]}
    session.compare(Comparison.of_cuts(session.measured.profile, removed, "round 3"), Mode.CUTS)
    index = window.table.model.index(session.opened.row_of(row.name), Column.LOCK)
    assert index.data(QtCore.Qt.ItemDataRole.CheckStateRole) == QtCore.Qt.CheckState.Unchecked
    session.compare(None, Mode.BEFORE)
    assert index.data(QtCore.Qt.ItemDataRole.CheckStateRole) == QtCore.Qt.CheckState.Checked
