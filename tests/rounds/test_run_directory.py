"""Run directories: what a kill, a full disk or a stranger leaves in them is not taken for results."""

import errno
import json

import keras
import numpy as np
import pytest
from described_runs import COSTS, SETTINGS
from keras import layers as L

from firekeras.rounds import run_directory
from firekeras.rounds.run_directory import RunDirectory


def network():
    return keras.Sequential([keras.Input((4,)), L.Dense(2)])


class Stub:
    """Saves like a model, at once."""

    def save(self, path):
        path.write_bytes(np.random.default_rng().bytes(8))


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", SETTINGS, Stub())


def round_event(number, model=None, profile=None):
    told = {"event": "round", "number": number, "accepted": model is not None, "filters_removed": 1, "accuracy": 0.5}
    return {**told, **COSTS, "model": model, "profile": profile, "state": {"step": number}}


def names(run):
    return {file.name for file in run.path.iterdir()}


def test_a_new_run_has_settings_and_its_first_model(run):
    assert names(run) == {"run.json", "events.jsonl", "round-000.keras"}
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
    run.save_model(Stub(), 1)
    run.append(round_event(1, "round-001.keras"))
    for name in ("round-002.keras", "profile-002.fire.h5", ".123.round-002.keras", "notes.txt"):
        (run.path / name).write_text("x")
    run.publish()
    (run.path / ".firekeras-0123456789abcdef.keras").write_text("x")
    run.clean()
    assert names(run) - {"best.keras"} == {
        "run.json",
        "events.jsonl",
        "round-000.keras",
        "round-001.keras",
        "notes.txt",
    }


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
    run = RunDirectory.create(folder, SETTINGS, network())
    assert names(run) == {"run.json", "events.jsonl", "round-000.keras"}
    keras.models.load_model(folder / "round-000.keras")


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="the folder is not empty"):
        RunDirectory.create(tmp_path, {}, Stub())
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_with_a_run_is_refused(run):
    with pytest.raises(ValueError, match=r"There is already a run in .*. Continue it \(resume=True\)"):
        RunDirectory.create(run.path, {}, Stub())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "it holds no run.json"),
        ("{", r"run\.json is not the settings of a run: it is cut off.*Restore the file"),
        ("[]", "expected object, received array"),
        (json.dumps({"format": 9}), "is of format 9; this firekeras reads runs of format 2"),
        (json.dumps({"format": 1, "versions": {"firekeras": "0.0.1"}}), "firekeras 0.0.1 wrote it: read it with that"),
        (json.dumps({**SETTINGS, "format": 2, "widths": 3}), "expected object, received int at widths"),
        (json.dumps({**SETTINGS, "format": 2, "costs": None}), "expected object, received null at costs"),
        (json.dumps({**SETTINGS, "format": 2, "source": "x"}), "received str at source"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
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


# What was lost or is another one's is refused, and stays as it is


def finished(run, count):
    """Has a run finish rounds."""
    for number in range(1, count + 1):
        run.append(round_event(number, run.save_model(Stub(), number)))
        run.publish()


def lines(run):
    return (run.path / "events.jsonl").read_text().splitlines(keepends=True)


def line(number, **changes):
    return json.dumps({**round_event(number), **changes}) + "\n"


def rewrite(run, *kept):
    """Rewrites the file of events with some of its lines, or others."""
    (run.path / "events.jsonl").write_text("".join(kept))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: rewrite(run, lines(run)[0], lines(run)[2]), r"rounds \[1, 3\].*Expected each round from 1 on"),
        (lambda run: rewrite(run, *lines(run), lines(run)[2]), r"rounds \[1, 2, 3, 3\]"),
        (lambda run: rewrite(run, *lines(run)[:2]), r"has round-003\.keras, but events\.jsonl ends with round 2"),
        (lambda run: rewrite(run, *lines(run)[:1]), r"has round-003\.keras, but events\.jsonl ends with round 1"),
        (lambda run: rewrite(run), r"has round-002\.keras, round-003\.keras"),
        (lambda run: run.append({"event": "cut", "number": 5}), "has events of round 5, but events.jsonl ends with"),
        (lambda run: (run.path / "events.jsonl").unlink(), "has lost events.jsonl"),
        (lambda run: (run.path / "round-000.keras").unlink(), r"round-000\.keras is missing"),
        (lambda run: (run.path / "round-003.keras").unlink(), r"round-003\.keras is missing"),
        (
            lambda run: rewrite(run, *lines(run)[:1], "{\n"),
            r"events\.jsonl, line 2, is not an event of a run: it is cut",
        ),
        (lambda run: rewrite(run, "[1]\n"), "line 1, is not an event of a run: expected object, received array"),
        (lambda run: rewrite(run, "{}\n"), "missing required field event"),
        (lambda run: rewrite(run, '{"event": "note", "text": 3}\n'), "expected str, received int at text"),
        (lambda run: rewrite(run, line(1, model="/etc/hostname")), "names the model '/etc/hostname'"),
        (lambda run: rewrite(run, lines(run)[0], lines(run)[1], line(3, accepted=True)), "names no model"),
    ],
)
def test_damage_is_told_and_nothing_is_deleted(run, damage, words):
    finished(run, 3)
    damage(run)
    before = names(run), lines(run) if (run.path / "events.jsonl").exists() else None
    with pytest.raises(ValueError, match=words):
        run.clean()
    assert (names(run), lines(run) if (run.path / "events.jsonl").exists() else None) == before


@pytest.mark.parametrize("name", ["events.jsonl", "run.json", "best.keras", "round-001.keras", "stop"])
def test_links_are_not_followed(run, tmp_path, name):
    finished(run, 1)
    (tmp_path / "precious").write_text("my only copy")
    (run.path / name).unlink(missing_ok=True)
    (run.path / name).symlink_to(tmp_path / "precious")
    with pytest.raises(ValueError, match=rf"{name} is a link, which the files of a run never are"):
        opened = RunDirectory.open(run.path)
        opened.ask_to_stop()
        opened.clean()
        opened.publish()
    assert (tmp_path / "precious").read_text() == "my only copy"


def test_a_whole_last_line_counts_without_its_end(run):
    finished(run, 1)
    rewrite(run, lines(run)[0].rstrip("\n"))
    run.clean()
    assert [event["number"] for event in run.rounds()] == [1] and lines(run)[0].endswith("\n")


def test_models_without_settings_are_not_overwritten(run):
    finished(run, 1)
    (run.path / "run.json").unlink()
    with pytest.raises(ValueError, match="the folder is not empty"):
        RunDirectory.create(run.path, SETTINGS, Stub())


def test_a_run_ends_where_others_have_written_meanwhile(run):
    run.append(round_event(1))
    RunDirectory.open(run.path).append(round_event(2))
    with pytest.raises(ValueError, match=r"Others have changed .*events\.jsonl"):
        run.append(round_event(2))
    assert len(lines(run)) == 2
