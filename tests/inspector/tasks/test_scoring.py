import json
import shlex
import sys

import numpy as np
import pytest
from PySide6 import QtCore

from firekeras import methods
from firekeras.cli.method_options import parsed_options
from inspector.children import scoring
from inspector.models import Column
from inspector.state import BY_FIRE, criteria
from inspector.state.comparison import Comparison, Mode


@pytest.fixture
def child(window):
    """A child that writes l2 norms in place of scores, and refuses "fpgm"; gives what it was asked."""
    asked = []

    def start(command, title, then):
        asked.append([str(part) for part in command[2:]])
        l1 = window.session.measured.profile.l1
        values = {name: (-2 * norms).tolist() for name, norms in l1.items()}
        results = {name: {"values": values, "reasons": {}} for name in asked[-1][4:] if name != "fpgm"}
        if "fpgm" in asked[-1]:
            results["fpgm"] = {"refused": "It cannot."}
        with open(asked[-1][2], "w") as file:
            json.dump(results, file)
        window.work.start([sys.executable, "-c", ""], title, then)

    window.scoring.wished.disconnect()
    window.scoring.wished.connect(start)
    return asked


def choose(window, name):
    box = window.heatmap_panel.criterion
    box.activated.emit(box.findData(name))


def ranked_by(window):
    return window.session.measured.scores.criterion, window.heatmap_panel.criterion.currentData()


def test_what_the_profile_knows_is_shown_at_once(window):
    choose(window, "l1")
    assert ranked_by(window) == ("l1", "l1") and window.work.job is None
    model = window.table.model
    assert model.headerData(Column.FIRE, QtCore.Qt.Orientation.Horizontal) == "Score"
    assert window.heatmap_panel.legend.toolTip().startswith("l1, from dark blue for -")
    assert "--criterion l1 " in window.command_text()
    assert "only FIRE has a scale" in window.actions_["contrast"].statusTip()
    choose(window, "fire")
    assert ranked_by(window) == ("fire", "fire") and "--scores" in window.command_text()


def test_a_run_ranks_by_l1_as_the_preview_does(window):
    """The method "l1" is that of a paper, and cuts no coupled layers."""
    choose(window, "l1")
    window.actions_["run"].trigger()
    command = shlex.split(window.dialog.command.toPlainText())
    name, option = (command[command.index(flag) + 1] for flag in ("--method", "--option"))
    method = methods.get(name, **parsed_options([option]))
    assert isinstance(method, methods.ByScore) and (method.criterion, method.balance) == ("l1", None)


def test_saved_choices_bring_their_criterion_along(window, tmp_path):
    choose(window, "l1")
    window.editor.set_ratio(0.2)
    gone = window.session.cut.gone.tolist()
    window.saving.save_choices(tmp_path / "mine.json")
    choose(window, "fire")
    window.editor.set_ratio(0.4)
    window.open_path(tmp_path / "mine.json")
    assert ranked_by(window) == ("l1", "l1") and window.session.cut.gone.tolist() == gone
    file = tmp_path / "mine.json"
    file.write_text(file.read_text().replace('"l1"', '"l9"'))
    window.open_path(file)
    assert "ranks filters by 'l9', which is no criterion here" in window.banner.words.text()


def test_criteria_of_weights_are_computed_together_and_once(window, qtbot, child):
    choose(window, "l2")
    qtbot.waitUntil(lambda: ranked_by(window) == ("l2", "l2"), timeout=20000)
    assert child == [["inspector.children.scoring", *child[0][1:3], "", "", "l2", *child[0][6:]]]
    assert set(child[0][5:]) == set(criteria.of_weights())
    choose(window, "contribution")
    assert ranked_by(window) == ("contribution", "contribution") and len(child) == 1


def test_a_criterion_that_cannot_score_says_why_and_changes_nothing(window, qtbot, child):
    choose(window, "fpgm")
    qtbot.waitUntil(lambda: window.work.job is None and window.banner.isVisible(), timeout=20000)
    assert window.banner.words.text() == "It cannot." and ranked_by(window) == ("fire", "fire")
    choose(window, "l1")
    assert not window.banner.isVisible()  # of another criterion it would say something untrue


def test_what_was_chosen_last_counts_not_what_arrives_last(window, qtbot, child):
    choose(window, "l2")
    choose(window, "l1")
    assert window.work.job is not None and ranked_by(window) == ("l1", "l1")
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert ranked_by(window) == ("l1", "l1")
    choose(window, "l2")
    assert ranked_by(window) == ("l2", "l2") and len(child) == 1  # it is known by now


def test_criteria_that_need_data_ask_for_them(window, qtbot, child):
    choose(window, "taylor")
    dialog = window.dialog
    dialog.data.box.setEditText("synthetic")
    assert "no labels" in dialog.data.reason.text() and ranked_by(window) == ("fire", "fire")
    dialog.data.box.setEditText(str(window.session.document.model))
    dialog.data.range.setCurrentText("divided by 255")
    dialog.accept()
    qtbot.waitUntil(lambda: ranked_by(window) == ("taylor", "taylor"), timeout=20000)
    assert child[0][3:] == [str(window.session.document.model), "divided by 255", "taylor"]
    window.actions_["copy"].trigger()
    assert "Save the plan" in window.banner.words.text()


def test_comparisons_wait_for_fire(window):
    profile = window.session.measured.profile
    window.session.compare(Comparison.of(profile, profile, "itself"), Mode.DIFFERENCE)
    choose(window, "l1")
    assert window.session.mode is Mode.BEFORE and window.session.comparison is None
    assert "choose FIRE in the list" in window.actions_["DIFFERENCE"].statusTip()
    choose(window, "fire")
    assert window.session.mode is Mode.DIFFERENCE and window.session.comparison.name == "itself"


def test_what_went_in_a_run_is_shown_under_any_ranking(history):
    window, layer, went, _ = history
    session, rows = window.session, window.session.rows
    choose(window, "l1")
    width = next(row.filters for row in rows if row.name == layer)
    assert session.mode is Mode.CUTS and session.cut.widths[layer] == width - len(went) - 1
    assert session.hatched.sum() > 1 and "choose FIRE" in window.actions_["AFTER"].statusTip()
    window.rounds.slider.setValue(1)
    assert session.cut.widths[layer] == width - len(went) and not window.banner.isVisible()
    window.rounds.slider.setValue(0)
    assert session.comparison is None
    window.in_words(window.compare_with, session.document.profile_path)
    assert window.banner.words.text() == BY_FIRE


def test_fire_of_a_round_that_nobody_measured_is_not_a_number(history):
    window, layer, went, _ = history
    session, panel = window.session, window.panel
    panel.tabs.setCurrentWidget(panel.numbers)
    named = lambda: [panel.numbers.topLevelItem(k).text(0) for k in range(panel.numbers.topLevelItemCount())]  # noqa: E731
    session.point_at(layer, next(k for k in range(went[0] + 3) if not session.gone(layer, k)))
    session.compare(session.comparison.cuts(session.measured.planner.fire), Mode.CUTS)
    assert "rank" in named() and "FIRE afterwards" not in named()


def test_the_child_scores_as_the_library(files, tmp_path, capsys):
    scoring.main(str(files[0]), str(tmp_path / "scores.json"), "", "", "l2", "taylor")
    progress = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "progress" in line]
    assert [(event["done"], event["total"]) for event in progress] == [(0, 2), (1, 2)]  # never all, while it works
    scores, refused = scoring.read(tmp_path / "scores.json", {})
    assert set(scores) == {"l2"} and "measured on data" in refused["taylor"]
    assert all(np.isfinite(values).all() for values in scores["l2"].values())
