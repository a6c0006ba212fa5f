"""Goals in milliseconds, by mouse and keys: with a table that is measured, opened, or found beside the model."""

import dataclasses
import json

import pytest
from PySide6 import QtCore

from examples.inspector_walk import Walk
from firekeras.channels.latency_table import LatencyTable
from firekeras.plan.planning import plan_pruning
from inspector.tasks import tabling

Qt = QtCore.Qt
LONG = 300000  # milliseconds: the machine may be busy


@pytest.fixture
def walk(window, tmp_path):
    return Walk(window, tmp_path)


def type_goal(walk, text):
    walk.press(Qt.Key.Key_4, Qt.KeyboardModifier.AltModifier)
    walk.type(walk.window.goal.line, text)
    walk.until(lambda: not walk.window.session.pending)


@pytest.fixture
def timed(walk, table_file):
    """A window in which a table was opened with the menu."""
    walk.choose("&File", "open_table")
    walk.give(table_file)
    return walk.window


def most_of(table_file):
    """A time that is less than the network takes, and can be reached."""
    return f"{800 * LatencyTable.load(table_file).seconds[0]:.3g} ms"


def planned(window, table_file, **target):
    profile = window.session.measured.profile
    return plan_pruning(profile.graph, profile, target=target, latency=LatencyTable.load(table_file))


def test_a_time_without_a_table_is_refused_and_the_table_measured_from_there(
    walk, window, replay, monkeypatch, table_file, files, qtbot
):
    monkeypatch.setattr(tabling, "litert_is_here", lambda: True)
    output = files[0].with_name("net.latency.json")
    asked = replay([{"file": str(output), "line": table_file.read_text()}])
    type_goal(walk, "2 ms")
    walk.press(Qt.Key.Key_Return)
    assert window.session.choices.goal is None
    assert window.banner.words.text().startswith("How long the layers take is not known yet. Measure a latency table")
    walk.click(window.banner.way_out)
    assert "takes a minute, or many for large networks. Ctrl+. ends it." in window.banner.words.text()
    qtbot.waitUntil(lambda: window.session.table is not None, timeout=LONG)
    assert asked == [["latency", str(files[0]), "--output", str(output), "--events"]]
    assert window.banner.words.text().startswith("net.latency.json is the latency table of here. A goal can be a time")
    qtbot.waitUntil(lambda: window.session.choices.goal is not None and window.goal.line.text() == "2 ms")
    window.editor.stack.undo()
    assert window.session.choices.goal is None and window.session.table is not None
    time = most_of(table_file)
    type_goal(walk, time)
    plan = planned(window, table_file, latency=time)
    assert window.session.cut.costs == plan.costs_after and 0 < plan.costs_after.latency <= float(time[:-3]) / 1000


def test_slider_label_and_command_follow_a_share_of_the_latency(walk, timed, table_file):
    session = timed.session
    type_goal(walk, "60% of latency")
    plan, before = planned(timed, table_file, latency=0.6), session.opened.costs.latency
    assert session.cut.costs == plan.costs_after and plan.costs_after.latency <= 0.6 * before
    share = 100 * plan.num_removed / session.measured.ranked
    assert timed.ratio.box.value() == pytest.approx(share, abs=0.06)
    label = timed.ratio.latency
    expected = f"latency {1e3 * before:.3g} → {1e3 * plan.costs_after.latency:.3g} ms"
    assert label.text().startswith(expected) and label.text().endswith("predicted for here")
    assert "Keras (fake) on here" in label.toolTip()
    walk.press(Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
    walk.type(timed.ratio.box, "10")
    walk.press(Qt.Key.Key_Return)
    assert session.choices.goal is None and session.choices.ratio == pytest.approx(0.1)
    assert f"→ {1e3 * session.cut.costs.latency:.3g} ms" in label.text() != expected
    type_goal(walk, "60% of latency")
    assert f"--latency 0.6 --latency-table {table_file}" in timed.command_text()


def test_a_run_takes_a_time_as_its_target(walk, timed, table_file):
    time = most_of(table_file)
    type_goal(walk, time)
    walk.press(Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    dialog = timed.dialog
    assert dialog.target.currentText() == time and dialog.options().target == {"latency": time}
    assert f"--latency {time.replace(' ', '')} --latency-table {table_file}" in dialog.command.toPlainText()
    dialog.target.setCurrentText("latency remaining")
    assert dialog.left.isVisible() and set(dialog.options().target) == {"latency"}


def test_what_a_time_cannot_reach_is_said_in_milliseconds(walk, timed):
    type_goal(walk, "1 us")
    least = timed.session.measured.preview.missed[0].least
    assert timed.ratio.most.text() == f"Out of reach: at least {1e3 * least:.4g} ms of latency is left"


def test_the_table_stays_with_its_network(walk, timed, table_file, files):
    type_goal(walk, "60% of latency")
    reached = timed.session.cut.costs
    timed.rank_by("l1")
    walk.until(lambda: not timed.session.pending)
    assert timed.session.cut.costs.latency <= 0.6 * timed.session.opened.costs.latency
    timed.rank_by("fire")
    walk.until(lambda: not timed.session.pending)
    assert timed.session.cut.costs == reached
    timed.saving.save_choices(files[0].with_name("mine.json"))
    timed.open_path(files[0])
    assert timed.session.table is None and timed.session.cut.costs.latency is None
    timed.open_path(files[0].with_name("mine.json"))
    assert "How long the layers take is not known yet" in timed.banner.words.text()
    timed.open_path(table_file)
    timed.open_path(files[0].with_name("mine.json"))
    walk.until(lambda: not timed.session.pending)
    assert timed.session.cut.costs == reached


def test_a_table_beside_the_model_is_opened_with_it(empty_window, files, table_file):
    files[0].with_name("net.latency.json").write_bytes(table_file.read_bytes())
    empty_window.open_path(files[0])
    assert empty_window.session.table is not None and empty_window.session.cut.costs.latency > 0


def test_a_table_of_another_network_is_refused(walk, window, table_file, tmp_path):
    fields = json.loads(table_file.read_text())
    first = next(iter(fields["layers"]))
    fields["layers"]["elsewhere"] = fields["layers"].pop(first)
    (tmp_path / "other.json").write_text(json.dumps(fields))
    window.open_path(tmp_path / "other.json")
    words = window.banner.words.text()
    assert "is of another network" in words and words.endswith("Measure one here (Shift+F7).")
    assert window.session.table is None


def test_widths_are_rounded_to_what_a_device_computes_at_a_time(walk, window, table_file, tmp_path):
    table = dataclasses.replace(
        LatencyTable.load(table_file), step=4, device="A processor with quite a long name, 2 GHz"
    )
    table.save(tmp_path / "wide.json")
    window.open_path(tmp_path / "wide.json")
    assert "computes 4 filters at a time" in window.banner.words.text()
    walk.click(window.banner.way_out)
    assert window.session.choices.round_to == 4
    assert window.ratio.latency.text().endswith("predicted for A processor…name, 2 GHz")
    assert table.device in window.ratio.latency.toolTip()


def test_the_progress_of_a_table_is_shown_as_a_share(window, replay, qtbot):
    replay([{"out": json.dumps({"event": "progress", "done": 21, "total": 84})}, {"sleep": 60}])
    window.actions_["table"].trigger()
    bar = window.run_panel.bar
    qtbot.waitUntil(lambda: bar.maximum() == 84, timeout=LONG)
    assert bar.isVisible() and bar.value() == 21 and "25%" in bar.text()
    window.work.abort_and_wait()


def test_what_cannot_be_exported_is_timed_in_keras(window, replay, monkeypatch, qtbot):
    monkeypatch.setattr(tabling, "litert_is_here", lambda: True)
    asked = replay([{"err": "No disk"}, {"exit": 1}])
    window.actions_["table"].trigger()
    qtbot.waitUntil(lambda: window.work.job is None and len(asked) == 2, timeout=LONG)
    assert asked[1][-2:] == ["--runtime", "keras"] and "--runtime" not in asked[0]
    assert window.banner.words.text() == "Measuring the latency of each layer of net.keras failed: No disk"
    assert window.session.table is None


def test_ranks_under_a_goal_in_time_are_those_of_the_plan(timed, walk, table_file):
    """Such a goal ranks by time saved too, in the steps of the device."""
    type_goal(walk, most_of(table_file))
    measured = timed.session.measured
    plan = measured.plan(timed.session.choices)
    ranks = {name: [measured.place(name, k) for k in range(width)] for name, width in plan.widths.items()}
    assert ranks == {name: ranks.tolist() for name, ranks in plan.ranks.items()} and measured.ranked == plan.ranked
