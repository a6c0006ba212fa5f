import dataclasses
import math

import numpy as np
import pytest

from firekeras.rounds.figures import RoundFigures
from firekeras.rounds.lines import plain, read
from firekeras.rounds.records import NOT_WRITTEN, RoundRecord

LEAST = {"event": "round", "number": 2, "accepted": True, "filters_removed": 3, "accuracy": 0.9,
         "conv_macs": 10, "macs": 20, "params": 4}  # fmt: skip


def test_older_lines_lack_newer_fields():
    figures = read(RoundFigures, {**LEAST, "notes": None, "colour": "red"})
    assert figures.notes == [] and figures.epochs is None and math.isnan(figures.seconds)


@pytest.mark.parametrize("key", sorted(LEAST.keys() - {"event"}))
def test_a_line_without_one_of_the_needed_fields_is_refused(key):
    line = {name: value for name, value in LEAST.items() if name != key}
    with pytest.raises(ValueError, match=f"An event 'round' lacks '{key}': the run directory is damaged"):
        read(RoundFigures, line)


def test_null_stands_for_nan():
    record = read(RoundFigures, {**LEAST, "accuracy": None, "accuracy_after_cut": None})
    assert math.isnan(record.accuracy) and math.isnan(record.accuracy_after_cut)


def test_a_record_comes_back_from_its_line():
    figures = {name: value for name, value in LEAST.items() if name != "event"}
    record = RoundRecord(criterion="l1", baseline=math.nan, model="a model", notes=["Cut."], kept="cut", **figures)
    again = RoundRecord.from_event({"event": "round", **plain(record.to_dict())}, "a model")
    assert repr(again) == repr(record)
    assert set(record.to_dict()) == {field.name for field in dataclasses.fields(RoundRecord)} - set(NOT_WRITTEN)


def test_settings_are_written_as_plain_values():
    given = {
        "a": np.float32(0.5),
        "b": (np.int64(2), None),
        "c": test_settings_are_written_as_plain_values,
        "d": {1: math},
    }
    assert plain(given) == {
        "a": 0.5,
        "b": [2, None],
        "c": "test_settings_are_written_as_plain_values",
        "d": {"1": "module"},
    }
