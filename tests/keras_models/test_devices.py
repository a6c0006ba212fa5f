"""Two devices count, prune and train as one does; each set-up in processes of its own, by on_devices.py."""

import contextlib
import functools
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import processes
import pytest

SCRIPT = pathlib.Path(processes.__file__).with_name("on_devices.py")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@functools.cache
def facts(kind):
    """What each process of this kind printed."""
    port = str(free_port())
    with contextlib.ExitStack() as files:
        # Errors go to files: a full pipe would stop a process that the other waits for.
        ranks = range(2 if kind == "processes" else 1)
        errors = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in ranks]
        folder = pathlib.Path(files.enter_context(tempfile.TemporaryDirectory()), "run")
        running = [start(kind, str(rank), port, folder, errors[rank]) for rank in ranks]
        found = [json.loads(output(*both)) for both in zip(running, errors, strict=True)]
        events = {"events": events_in(folder), "events of fit": events_in(folder.with_name("run-fit"))}
        return [{**process, **events} for process in found]


def events_in(folder):
    """The kinds of the events of a run, in order, but for notes; none without a run."""
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines() if folder.exists() else []
    return [kind for kind in (json.loads(line)["event"] for line in lines) if kind != "note"]


def start(kind, rank, port, folder, errors):
    command = [sys.executable, SCRIPT, kind, rank, port, folder]
    quiet = {**os.environ, "PYTHONPATH": processes.PATHS, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=quiet)


def output(process, errors):
    """The last line that a process printed."""
    try:
        printed, _ = process.communicate(timeout=280)
    finally:
        process.kill()
    errors.seek(0)
    assert process.returncode == 0, errors.read()[-3000:]
    return printed.splitlines()[-1]


several = pytest.mark.parametrize("kind", ["mirrored", "data_parallel", "processes"])


@several
def test_two_devices_count_exactly_what_one_counts(kind):
    for process in facts(kind):
        assert process["two"] == facts(kind)[0]["one"]
        assert process["two"][0]["samples"] == 33 and process["two"][1]["maps"]


@pytest.mark.parametrize(("kind", "expected"), [("mirrored", [22, 21]), ("data_parallel", [8, 8])])
def test_each_device_counts_a_share(kind, expected):
    assert facts(kind)[0]["shares"] == expected


def test_a_process_without_data_is_said_by_all():
    assert all("received enough for 1" in process["too_few"] for process in facts("processes"))


@several
def test_a_round_of_compress(kind):
    results = [process["compress"] for process in facts(kind)]
    assert results[0]["accepted"] == [True] and results[0]["devices"] == 2
    assert all(result == results[0] for result in results)


def test_the_first_of_several_processes_records_the_run_that_all_resume():
    found = facts("processes")[0]
    assert found["events"] == ["start", "cut", "epoch", "round", "resume", "stop"]
    assert found["events of fit"] == ["start", "cut", "epoch", "round", "stop"]


def test_what_the_first_process_is_refused_ends_all():
    first, other = (process["taken"] for process in facts("processes"))
    assert "There is already a run in" in first and "could not go on" in other


@several
def test_callback_counts_each_sample_of_training_once(kind):
    for process in facts(kind):
        counted, expected = process["callback"], facts(kind)[0]["counted_by_one"]
        assert {key: counted[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        ("callback", "mirrored"),
        ("callback", "data_parallel"),
        ("callback", "processes"),
        ("callback_with_data", "processes"),
    ],
)
def test_callback_prunes_and_training_goes_on(kind, run):
    results = [process[run] for process in facts(kind)]
    assert results[0]["accepted"] == [True] and results[0]["devices"] == 2
    assert all(math.isfinite(loss) for loss in results[0]["losses"])
    assert all(result == results[0] for result in results)


def test_several_workers_of_tensorflow_are_refused():
    for name, message in facts("mirrored")[0]["refused"].items():
        assert message and "MultiWorkerMirroredStrategy" in message and "DataParallel" in message, name
