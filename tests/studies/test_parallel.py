"""Trials through joblib: in order in this process, or several at once."""

import math
import sys

import joblib
import pytest

from firekeras.studies.parallel import each_done, workers


def test_alone_tasks_begin_when_they_are_asked_for():
    begun = []
    results = each_done(lambda task: begun.append(task) or -task, [1, 2], None)
    assert next(results) == -1 and begun == [1] and list(results) == [-2]


def test_other_processes_do_tasks_in_any_order():
    assert sorted(each_done(math.sqrt, [1, 4, 9], 2)) == [1, 2, 3]


def test_who_configures_joblib_needs_no_argument(monkeypatch):
    assert workers(None) == 1
    with joblib.parallel_config("threading", n_jobs=3):
        assert workers(None) == 3 and sorted(each_done(abs, [-1, -2], None)) == [1, 2]
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ImportError, match=r"n_jobs needs joblib.*firekeras\[detector\]"):
        workers(2)
