"""Run directories: what a kill, a full disk or a stranger leaves in them is not taken for results."""

import errno
import json

import keras
import numpy as np
import pytest
from keras import layers as L

from firekeras.rounds import run_directory
from firekeras.rounds.run_directory import RunDirectory


def network():
    return keras.Sequential([keras.Input((4,)), L.Dense(2)])


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", {"baseline": 0.5}, network())


def round_event(number, model=None, profile=None):
    return {"event": "round", "number": number, "model": model, "profile": profile, "state": {"step": number}}


def names(run):
    return {file.name for file in run.path.iterdir()}


def test_a_new_run_has_settings_and_its_first_model(run):
    assert names(run) == {"run.json", "round-000.keras"}
    settings = RunDirectory.open(run.path).settings
    assert settings["baseline"] == 0.5 and settings["format"] == 2
    assert {"firekeras", "keras", "python", keras.backend.backend()} <= set(settings["versions"])


def test_events_are_one_line_each_and_come_back(run):
    run.append({"event": "start", "loss": float("nan")})
    run.append(round_event(1))
    first, second = RunDirectory.open(run.path).events()
    assert first["loss"] is None and second["number"] == 1
    assert len((run.path / "events.jsonl").read_text().splitlines()) == 2


def test_a_line_that_is_still_being_written_is_left_out_and_cleaned(run):
    run.append(round_event(1))
    with open(run.path / "events.jsonl", "a") as file:
        file.write('{"event": "rou')
    assert len(run.events()) == 1
    run.clean()
    run.append(round_event(2))
    assert [event["number"] for event in run.rounds()] == [1, 2]


def test_remains_of_a_killed_round_are_removed_and_nothing_else(run):
    run.save_model(network(), 1)
    run.append(round_event(1, "round-001.keras"))
    for name in ("round-002.keras", "profile-002.fire.h5", ".123.round-002.keras", "notes.txt"):
        (run.path / name).write_text("x")
    run.clean()
    assert names(run) == {"run.json", "events.jsonl", "round-000.keras", "round-001.keras", "notes.txt"}


def test_the_newest_files_are_those_of_finished_rounds(run):
    assert run.newest_model().name == "round-000.keras" and run.newest_profile() is None and run.state() == {}
    run.append(round_event(1, "round-001.keras", "profile-001.fire.h5"))
    run.append(round_event(2))
    assert run.newest_model().name == "round-001.keras" and run.newest_profile().name == "profile-001.fire.h5"
    assert run.state() == {"step": 2}


def test_the_best_model_is_published_and_replaced(run):
    for number in (1, 2):
        model = network()
        run.append(round_event(number, run.save_model(model, number)))
        run.publish()
        run.publish()
        best = keras.models.load_model(run.path / "best.keras")
        np.testing.assert_array_equal(best.get_weights()[0], model.get_weights()[0])
    assert {"round-001.keras", "round-002.keras", "best.keras"} < names(run)


@pytest.mark.parametrize("taken", [0, 7])
def test_on_a_full_disk_no_part_of_a_line_stays(run, monkeypatch, taken):
    run.append(round_event(1))

    def full(file, data):
        file.write(data[:taken])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_directory, "_write_all", full)
    with pytest.raises(OSError, match="No space left"):
        run.append(round_event(2))
    assert (run.path / "events.jsonl").read_bytes().endswith(b"\n") and len(run.events()) == 1


def test_a_file_that_takes_a_part_at_a_time_gets_all():
    class Slow:
        taken = b""

        def write(self, data):
            self.taken += data[:3]
            return len(data[:3])

    file = Slow()
    run_directory._write_all(file, b"0123456789")
    assert file.taken == b"0123456789"


def test_a_run_begins_where_a_killed_one_left_no_run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("round-000.keras", ".77.run.json"):
        (folder / name).write_text("half")
    run = RunDirectory.create(folder, {}, network())
    assert names(run) == {"run.json", "round-000.keras"}
    keras.models.load_model(folder / "round-000.keras")


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="the folder is not empty"):
        RunDirectory.create(tmp_path, {}, network())
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_with_a_run_is_refused(run):
    with pytest.raises(ValueError, match=r"There is already a run in .*. Continue it \(resume=True\)"):
        RunDirectory.create(run.path, {}, network())


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "it holds no run.json"), ("{", "is damaged"), ("[]", "format 2"), (json.dumps({"format": 9}), "format 2")],
)
def test_what_is_no_run_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=words):
        RunDirectory.open(tmp_path)


def test_a_wish_to_stop_is_heard_once(run):
    assert not run.stop_wanted()
    run.ask_to_stop()
    assert run.stop_wanted() and not run.stop_wanted()
