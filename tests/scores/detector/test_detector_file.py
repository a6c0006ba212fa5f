"""Detectors of strangers: each number within what is possible."""

from pathlib import Path

import numpy as np
import pytest
from sealed_files import edited

from firekeras.scores.detector.fire_detector import FireDetector

WHOLE = FireDetector.load(Path(__file__).parents[2] / "files" / "detector-2.h5")


def put(name, value, **settings):
    def change(file):
        del file[name]
        file.create_dataset(name, data=value, **settings)

    return change


HOSTILE = {
    "a large FIRE": (put("y", [4.6e18, 0, 0, 0]), "'y' holds a FIRE out of the range from 0 to 1"),
    "a negative FIRE": (put("y", [-3.0, 0, 0, 0]), "'y' holds a FIRE out of the range from 0 to 1"),
    "no FIRE": (put("y", [np.nan, 0, 0, 0]), "'y' holds a FIRE out of the range from 0 to 1"),
    "no features": (put("X", np.full((4, 18), np.inf)), "'X' has no rows, or holds numbers that are not finite"),
    "a promise": (put("X", None, shape=(4, 10**12), dtype="f8"), "an array that is larger than any"),
    "reasons that are numbers": (put("reasons", [1, 2]), "'reasons' holds int64. Expected object"),
    "other lengths": (put("reasons", [b"x"]), r"'reasons' is of shape \(1,\). Expected \(2,\)"),
    "a layer twice": (put("layers", [b"conv", b"conv"]), "two of its layers have the same name"),
    "a list of features": (lambda file: file.attrs.update(features=["bn", "bn"]), "an attribute is an array"),
    "half a seed": (lambda file: file.attrs.update(seed=0.5), "expected int, received float at seed"),
    "a large seed": (lambda file: file.attrs.update(seed=2**40), "expected int <= 4294967295 at seed"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_is_refused_in_words(tmp_path, name):
    path, (change, words) = tmp_path / "d.h5", HOSTILE[name]
    WHOLE.save(path)
    with edited(path) as file:
        change(file)
    with pytest.raises(ValueError, match=rf"d\.h5 .*{words}.*Fit a detector again"):
        FireDetector.load(path)


def test_a_regressor_that_is_not_known_names_the_file(tmp_path):
    WHOLE.save(tmp_path / "d.h5")
    with edited(tmp_path / "d.h5") as file:
        file.attrs["regressor"] = "lineal"
    with pytest.raises(ValueError, match=r"The detector in .*d\.h5 cannot be fitted again: .*Did you mean 'linear'"):
        FireDetector.load(tmp_path / "d.h5")


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_what_a_regressor_says_on_several_lines_becomes_one(tmp_path):
    WHOLE.save(tmp_path / "d.h5")
    with edited(tmp_path / "d.h5") as file:
        file.attrs["regressor"] = "svr"
        file["X"][...] = np.resize([1.7e308, -1.7e308, 0], file["X"].shape)
    with pytest.raises(ValueError, match=r"The detector in .*d\.h5 cannot be fitted again: ") as refusal:
        FireDetector.load(tmp_path / "d.h5")
    assert "\n" not in str(refusal.value)
