"""A run that is killed at any instant goes on, and ends as if nothing had happened."""

import multiprocessing
import os
import random
import signal
import time

import keras
import numpy as np
import pytest
import run_in_child

from firekeras.rounds.run_directory import RunDirectory

KILLS = 4 if keras.backend.backend() == "tensorflow" else 2
PATIENCE = 900  # seconds, for a process that nobody kills, on a machine that others may keep busy


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Processes that have everything imported already: a kill then strikes the run, not the imports."""
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(tmp_path_factory.mktemp("compiled"))  # nor the compiling
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["run_in_child", "firekeras.rounds.engine", "sklearn.ensemble"])
    return context


@pytest.fixture(scope="module")
def undisturbed(processes, tmp_path_factory):
    """A folder of the run, not killed, and how long it took, once all is compiled."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name in ("first", "second"):
        started = time.monotonic()
        child = processes.Process(target=run_in_child.run_or_go_on, args=(str(folder / name),))
        child.start()
        child.join(PATIENCE)
        assert child.exitcode == 0
    return str(folder / "second"), time.monotonic() - started


def weights(folder):
    model = keras.models.load_model(os.path.join(folder, "best.keras"))
    return [np.array(v) for v in (*model.weights, *model.optimizer.variables)]


def without_time(event):
    return {name: value for name, value in event.items() if name not in ("time", "seconds")}


@pytest.mark.every_backend
def test_a_run_killed_at_random_instants_ends_as_the_undisturbed_one(processes, undisturbed, tmp_path):
    expected, seconds = undisturbed
    rng, kills, runs = random.Random(0), 0, 0
    while kills < KILLS:
        folder = str(tmp_path / f"run{runs}")
        kills += killed_until_done(processes, folder, seconds, rng, KILLS - kills)
        runs += 1
        for one, other in zip(weights(folder), weights(expected), strict=True):
            np.testing.assert_array_equal(one, other)
        assert sorted(os.listdir(folder)) == sorted(os.listdir(expected))
        rounds = [[without_time(event) for event in RunDirectory.open(one).rounds()] for one in (folder, expected)]
        assert rounds[0] == rounds[1] and len(rounds[0]) == 3  # two cuts, then training


def killed_until_done(processes, folder, seconds, rng, most):
    """Starts the run, kills it after a random time, goes on with it, and so on; returns how often it was killed."""
    kills = 0
    while True:
        child = processes.Process(target=run_in_child.run_or_go_on, args=(folder,))
        child.start()
        child.join(rng.uniform(0.1, seconds) if kills < most else PATIENCE)
        if child.exitcode is None:
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            kills += 1
        else:
            assert child.exitcode == 0
            return kills
