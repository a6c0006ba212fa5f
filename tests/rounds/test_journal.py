"""A run that is killed before any of its file operations, or finds the disk full at it, goes on and ends the same."""

import errno
import types
from pathlib import Path

import pytest
from described_runs import COSTS, SETTINGS
from file_operations import Killed
from file_operations import Operations as FileOperations

from firekeras.atomic import write_text
from firekeras.rounds import fingerprints, journal, ownership, run_directory
from firekeras.rounds.journal import Journal, check_same_data
from firekeras.rounds.run_directory import RunDirectory

DESCRIPTION = {**SETTINGS, "target": None, "max_rounds": 2, "epochs": 1, "data": {}}
KEPT = (True, False)  # the rounds of the run


class Stub:
    """Saves like a model, at once."""

    def __init__(self, text):
        self.text = text

    def save(self, path):
        path.write_text(self.text)


class ProfileStub(Stub):
    def save(self, path):
        write_text(path, self.text)


def record(number):
    fields = {"number": number, "accepted": KEPT[number - 1], "filters_removed": 1, "accuracy": 0.5, **COSTS}
    return types.SimpleNamespace(**fields, model=Stub(f"model {number}"), to_dict=lambda: fields)


def go(folder):
    """A run without networks: begun, or continued, to its end."""
    told = Journal(folder)
    resumes = (folder / "run.json").exists()
    with told.claimed(resumes):
        if resumes:
            told.resume(DESCRIPTION)
        else:
            told.begin(DESCRIPTION, Stub("model 0"))
    for number in range(len(told.directory.rounds()) + 1, len(KEPT) + 1):
        with told.at_work():
            try:
                told.report("cut", number=number)
                told.round(record(number), {}, ProfileStub(f"profile {number}"), {"step": number})
            except BaseException as error:
                told.broken_off(error)
                raise
    told.leave()


class Operations(FileOperations):
    """Those of a run."""

    def __init__(self, monkeypatch):
        super().__init__(monkeypatch)
        monkeypatch.setattr(run_directory, "_write_all", self.half_written)

    def half_written(self, file, data):
        try:
            self.step("write")
        except BaseException:
            file.write(data[: len(data) // 2])
            raise
        file.write(data)

    def run(self, folder, fails_at=None):
        try:
            super().run(go, folder, fails_at=fails_at)
        finally:
            for owned in list(ownership._OWNED.values()):  # as the end of a process does
                owned.release()


class FullDisk(Operations):
    def fail(self, name):
        if name not in ("unlink",):
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def without_networks(monkeypatch):
    monkeypatch.setattr(fingerprints, "of_weights", lambda model: model.text)
    monkeypatch.setattr(journal, "_check_loads", lambda directory: None)
    monkeypatch.setattr(run_directory, "versions", dict)
    monkeypatch.setattr(ownership, "PATIENCE", 0.0)


def files(folder):
    texts = {file.name: file.read_text() for file in folder.iterdir()}
    texts = {name: text for name, text in texts.items() if name not in ("run.json", "events.jsonl", "lock")}
    rounds = [{**event, "time": None} for event in RunDirectory.open(folder).rounds()]
    return sorted(file.name for file in folder.iterdir()), texts, rounds


def test_killed_before_any_operation_it_ends_the_same(tmp_path, monkeypatch):
    operations = Operations(monkeypatch)
    operations.run(tmp_path / "undisturbed")
    expected, count = files(tmp_path / "undisturbed"), operations.count
    assert count > 50 and expected[1].keys() == {
        *("round-000.keras", "round-001.keras", "best.keras"),
        *("profile-001.fire.h5", "profile-002.fire.h5", "profile.fire.h5"),
    }
    for number in range(1, count + 1):
        folder = tmp_path / str(number)
        with pytest.raises(Killed):
            operations.run(folder, fails_at=number)
        operations.run(folder)
        assert files(folder) == expected, number


def test_a_disk_that_is_full_at_any_operation_loses_no_finished_work(tmp_path, monkeypatch):
    operations = FullDisk(monkeypatch)
    operations.run(tmp_path / "undisturbed")
    expected, count = files(tmp_path / "undisturbed"), operations.count
    for number in range(1, count + 1):
        folder = tmp_path / str(number)
        try:
            operations.run(folder, fails_at=number)
        except OSError as error:
            assert error.errno == errno.ENOSPC and str(folder) in str(error), number
        operations.run(folder)
        assert files(folder) == expected, number


def test_what_breaks_a_round_off_is_not_hidden_by_a_full_disk(tmp_path, monkeypatch):
    told = Journal(tmp_path / "run")
    with told.claimed(False):
        told.begin(DESCRIPTION, Stub("model 0"))

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_directory, "_write_all", full)
    told.broken_off(KeyboardInterrupt())
    assert ownership.owner_of(tmp_path / "run") is None


@pytest.mark.parametrize(
    ("error", "kind"), [(KeyboardInterrupt(), "interrupted"), (SystemExit(143), "interrupted"), (OSError("x"), "error")]
)
def test_what_was_asked_to_end_is_interrupted_and_no_error(tmp_path, error, kind):
    told = Journal(tmp_path / "run")
    with told.claimed(False):
        told.begin(DESCRIPTION, Stub("model 0"))
        told.broken_off(error)
    assert RunDirectory.open(tmp_path / "run").events()[-1]["event"] == kind


def test_a_run_that_is_refused_before_it_begins_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), Journal(tmp_path / "a" / "run").claimed(False):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_listener_that_cannot_write_ends_no_run(tmp_path):
    heard = []

    def listener(event):
        heard.append(event["event"])
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    told = Journal(tmp_path / "run", listener)
    with (
        told.claimed(False),
        pytest.warns(UserWarning, match="Nobody hears of the run any more, which goes on: Broken"),
    ):
        told.begin(DESCRIPTION, Stub("model 0"))
    told.report("stop", reason="done")
    events = RunDirectory.open(tmp_path / "run").events()
    assert heard == ["start"] and [event["event"] for event in events] == ["start", "note", "stop"]


def test_two_runs_in_one_folder_exclude_each_other(tmp_path):
    first = Journal(tmp_path / "run")
    with first.claimed(False):
        first.begin(DESCRIPTION, Stub("model 0"))
        with pytest.raises(ValueError, match="belongs to process"), Journal(tmp_path / "run").claimed(True):
            pass
    second = Journal(tmp_path / "run")
    with second.claimed(True):  # the first is not at work
        second.resume(DESCRIPTION)
    with pytest.raises(ValueError, match="Others have changed"), first.at_work():
        pass


def test_other_data_are_refused():
    check_same_data({}, {"train_data": "a"})  # of an older run
    check_same_data({"train_data": "a"}, {"train_data": "a"})
    with pytest.raises(ValueError, match="The train_data are not those that the run was begun with"):
        check_same_data({"train_data": "a"}, {"train_data": "b"})


def test_a_profile_is_of_the_network_that_its_round_began_with():
    files = Path(__file__).parents[1] / "files"
    first, later = {"conv": 4, "out": 2}, {"conv": 3, "out": 2}

    def run(*widths):
        rounds = [{"number": k, "accepted": True, "profile": None, "widths": w} for k, w in enumerate(widths, 1)]
        rounds[-1]["profile"] = "profile-2.fire.h5"
        return types.SimpleNamespace(settings={"widths": first}, rounds=lambda: rounds, existing=files.joinpath)

    assert journal.loaded_profile(run(later)).graph.widths == first
    with pytest.raises(ValueError, match="was not measured in this run: it is of a network with other widths"):
        journal.loaded_profile(run(later, later))
