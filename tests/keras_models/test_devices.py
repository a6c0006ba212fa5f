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
        running = [start(kind, str(rank), port, errors[rank]) for rank in ranks]
        return [json.loads(output(*both)) for both in zip(running, errors, strict=True)]


def start(kind, rank, port, errors):
    command = [sys.executable, SCRIPT, kind, rank, port]
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
        assert process["two"] == process["one"]
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


@several
def test_callback_counts_each_sample_of_training_once(kind):
    for process in facts(kind):
        counted, expected = process["callback"], process["counted_by_one"]
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
