"""The trials of a study, one after another or several at once, through joblib."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def each_done(work: Callable[[Any], Any], tasks: Sequence, n_jobs: int | None) -> Iterator[Any]:
    """Yields the result of each task as it ends: in order in this process, in any order if others work.

    Args:
        work: A function of a task. Other processes get it, the task and the result by pickle.
        tasks: The tasks.
        n_jobs: How many processes work, as joblib takes it: -1 for one per core. None for one, unless
            `joblib.parallel_config` says otherwise, which may also name a cluster: `parallel_config("dask")`.

    Raises:
        ImportError: If `n_jobs` is given and joblib is not installed.
    """
    if workers(n_jobs) == 1:
        yield from map(work, tasks)
        return
    joblib = _joblib()
    at_once = n_jobs if n_jobs is None else min(n_jobs, len(tasks))
    parallel = joblib.Parallel(n_jobs=at_once, return_as="generator_unordered")
    for whole in parallel(joblib.delayed(_wholly)(work, task) for task in tasks):
        yield whole.result


class _Whole:
    """A result that travels in one piece: dask takes tuples apart, and its own way with models fails in Keras 3."""

    def __init__(self, result):
        self.result = result


def _wholly(work, task):
    return _Whole(work(task))


def workers(n_jobs: int | None) -> int:
    """How many processes work, at least 1.

    Args:
        n_jobs: As in `each_done`.
    """
    if n_jobs is None and "joblib" not in sys.modules:
        return 1  # nobody can have configured it
    return _joblib().effective_n_jobs(n_jobs)


def _joblib():
    try:
        import joblib
    except ImportError as error:
        raise ImportError(
            'n_jobs needs joblib, which is not installed: pip install "firekeras[detector]". Without n_jobs, trials '
            "run one after another."
        ) from error
    return joblib
