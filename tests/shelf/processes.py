"""Code that tests run in a process of its own."""

import importlib.util
import os
import pathlib
import subprocess
import sys

SHELF = pathlib.Path(__file__).parent
PATHS = os.pathsep.join(map(str, (SHELF, SHELF.parents[1])))  # the helpers, and the packages


def run(code, folder=None, stdin=None, **environment):
    """Runs code in a new process, maybe in a folder; its error is the test's."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        input=stdin,
        timeout=240,
        env={**os.environ, "PYTHONPATH": PATHS, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def need(backend):
    assert importlib.util.find_spec(backend), (
        f"{backend} is not installed, so that its backend goes untested. It is needed for development: "
        f"pip install -e '.[dev,jax,torch]'."
    )
