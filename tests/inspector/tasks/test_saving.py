import json
import os

import keras
import pytest

from firekeras.plan.planning import PruningPlan, plan_pruning
from inspector.state.comparison import Mode
from inspector.tasks import saving


def test_a_model_that_cannot_be_pruned_is_not_saved(window, qtbot, replay, tmp_path):
    replay([{"err": "no"}, {"exit": 1}])
    window.saving.save_model(tmp_path / "small.keras")
    qtbot.waitUntil(lambda: window.work.job is None, timeout=20000)
    assert "Saving small.keras failed: no" in window.banner.words.text()
    assert not (tmp_path / "small.keras").exists()


def test_a_model_of_other_size_than_planned_is_not_kept(window, qtbot, replay, tmp_path, files, monkeypatch):
    """The child writes the model as it was: the count does not agree, and nothing appears."""
    replay([])
    unchecked = tmp_path / ".unchecked.keras"
    monkeypatch.setattr(saving, "beside", lambda path: unchecked)
    window.saving.save_model(tmp_path / "small.keras")
    unchecked.write_bytes(files[0].read_bytes())
    qtbot.waitUntil(lambda: window.work.job is None and window.banner.isVisible(), timeout=20000)
    assert "is not kept: it has" in window.banner.words.text()
    assert not unchecked.exists() and not (tmp_path / "small.keras").exists()
    assert window.run_panel.status.text() == "small.keras is not kept."


def test_the_source_is_never_overwritten(window, files):
    window.in_words(window.saving.save_model, files[0])
    assert "never overwritten" in window.banner.words.text() and window.work.job is None


def test_the_plan_is_what_the_command_line_makes(window, tmp_path):
    free = next(row.name for row in window.session.rows if not row.locked)
    window.editor.set_caps([free], 0.25)
    window.saving.save_plan(tmp_path / "plan.json")
    plan, session = PruningPlan.load(tmp_path / "plan.json"), window.session
    expected = plan_pruning(
        session.measured.profile.graph, session.measured.profile, pruning_ratio=0.3, layer_caps=session.choices.caps
    )
    assert {n: f.tolist() for n, f in plan.removed.items()} == {n: f.tolist() for n, f in expected.removed.items()}
    assert window.isWindowModified()  # it does not hold the cap


@pytest.mark.parametrize(
    ("choose", "kept"),
    [
        (lambda editor, layer: editor.set_ratio(0.4), True),
        (lambda editor, layer: editor.set_goal("60% of MACs"), True),
        (lambda editor, layer: editor.set_limits(4, 0.1), False),
        (lambda editor, layer: editor.set_limits(1, 0.3), False),
        (lambda editor, layer: editor.set_locks([layer], True), False),
    ],
)
def test_a_plan_keeps_a_share_or_a_goal_and_no_more(window, qtbot, tmp_path, choose, kept):
    choose(window.editor, next(row.name for row in window.session.rows if not row.locked))
    qtbot.waitUntil(lambda: not window.session.pending)
    assert window.isWindowModified()
    window.saving.save_plan(tmp_path / "plan.json")
    assert window.isWindowModified() != kept


def test_tables_and_numbers_for_viewers_are_written(window, tmp_path):
    for key, name in (
        ("csv", "layers.csv"),
        ("filters", "filters.csv"),
        ("netron", "fire.json"),
        ("explorer", "net-nodes.json"),
    ):
        window.actions_[key].trigger()
        window.dialog.fileSelected.emit(str(tmp_path / name))
        assert "Saved: " in window.banner.words.text()
    assert json.loads((tmp_path / "net-graph.json").read_text())[0]["nodes"]
    assert json.loads((tmp_path / "fire.json").read_text())["metrics"]
    assert len((tmp_path / "layers.csv").read_text().splitlines()) == len(window.session.rows) + 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_where_nothing_can_be_written_that_is_said(window, tmp_path):
    window.actions_["csv"].trigger()
    window.dialog.fileSelected.emit(str(tmp_path / "nowhere" / "layers.csv"))
    assert "there is no folder" in window.banner.words.text()


def test_choices_are_saved_and_opened_again(window, tmp_path):
    free = next(row.name for row in window.session.rows if not row.locked)
    window.editor.set_caps([free], 0.25)
    window.editor.set_ratio(0.6)
    chosen = window.session.choices
    window.actions_["save_choices"].trigger()
    window.dialog.fileSelected.emit(str(tmp_path / "mine.json"))
    assert not window.isWindowModified()
    window.editor.set_limits(4, 0.3)
    window.actions_["open_choices"].trigger()
    window.dialog.fileSelected.emit(str(tmp_path / "mine.json"))
    assert window.session.choices == chosen and not window.isWindowModified()  # the file has them
    assert window.banner.words.text().startswith("Opened the choices of mine.json. Undo (Ctrl+Z) restores yours.")
    assert window.banner.words.text().endswith("Filters are ranked by FIRE.")
    window.editor.stack.undo()
    assert window.session.choices.round_to == 4 and not window.banner.isVisible()


def test_an_opened_plan_shows_what_it_removes(window, tmp_path):
    window.editor.set_ratio(0.5)
    window.saving.save_plan(tmp_path / "plan.json")
    gone = window.session.measured.preview.gone
    window.editor.set_ratio(0.1)
    window.open_path(tmp_path / "plan.json")
    assert window.session.mode is Mode.CUTS and window.session.hatched.tolist() == gone.tolist()
    assert window.session.choices.ratio == 0.1 and window.banner.isVisible()
    window.actions_["BEFORE"].trigger()
    assert not window.banner.isVisible()
    window.saving.save_choices(tmp_path / "choices.json")
    window.open_path(tmp_path / "plan.json")
    window.open_path(tmp_path / "choices.json")  # the same ones: their cut is to be seen all the same
    assert not window.session.shows_other and "Opened the choices" in window.banner.words.text()
    plan = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "other.json").write_text(json.dumps({**plan, "format": "mine"}))
    window.open_path(tmp_path / "other.json")
    assert "other.json is neither choices, nor a plan, nor a latency table" in window.banner.words.text()
    (tmp_path / "net.sensitivity.json").write_text("{}")
    window.open_path(tmp_path / "net.sensitivity.json")
    assert "open the model beside which it lies" in window.banner.words.text()


def test_a_model_that_was_written_again_is_not_cut_by_what_was_chosen_before(window, files, tmp_path):
    window.editor.set_ratio(0.5)
    keras.models.load_model(files[0]).save(files[0])
    window.saving.in_words(window.saving.save_model, tmp_path / "small.keras")
    assert "net.keras was written again since it was opened" in window.banner.words.text() and window.work.job is None
    files[0].unlink()
    window.saving.in_words(window.judging.check_unchanged)
    assert "net.keras is no longer there" in window.banner.words.text()


def test_a_model_has_the_ending_of_models(window, tmp_path):
    window.editor.set_ratio(0.5)
    window.actions_["save"].trigger()
    window.dialog.fileSelected.emit(str(tmp_path / "small.h5"))
    assert "must end with .keras." in window.banner.words.text() and window.work.job is None


def test_errors_of_the_system_are_words(window, tmp_path):
    """Python would put "[Errno 2]" before them."""
    for error, expected in (
        (OSError(2, "Cannot write a.json: No such file"), "Cannot write a.json: No such file"),
        (FileNotFoundError(2, "No such file or directory", "a.json"), "a.json: No such file or directory"),
        (OSError("nothing more"), "nothing more"),
    ):
        window.saving.in_words(_raise, error)
        assert window.banner.words.text() == expected


def _raise(error):
    raise error
