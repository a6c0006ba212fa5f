"""Profiles of strangers: each number within what is possible, and nothing read from another file."""

import errno
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from sealed_files import edited

from firekeras.scores.profile import FireProfile

WHOLE = FireProfile.load(Path(__file__).parents[1] / "files" / "profile-2.fire.h5")
CONV, OUT = "layers/00000/", "layers/00001/"


@pytest.fixture
def path(tmp_path):
    WHOLE.save(tmp_path / "a.fire.h5")
    return tmp_path / "a.fire.h5"


def put(name, value, **settings):
    def change(file):
        del file[name]
        file.create_dataset(name, data=value, **settings)

    return change


def say(name, value, of="/"):
    return lambda file: file[of].attrs.update({name: value})


def counts(zeros, seen):
    """Counts, and the FIRE that they give."""

    def change(file):
        for part, value in (("zeros", zeros), ("seen", seen), ("fire", np.array(zeros) / np.array(seen))):
            put(CONV + part, value)(file)

    return change


def graph(change):
    def changed(file):
        data = json.loads(file["graph"][()])
        change(data)
        put("graph", json.dumps(data))(file)

    return changed


def link(target):
    def change(file):
        del file[CONV + "zeros"]
        file[CONV + "zeros"] = target

    return change


def outside(file):
    del file[CONV + "zeros"]
    file.create_dataset(CONV + "zeros", (4,), "i8", external=[("/etc/passwd", 0, 32)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(".", CONV + "zeros", (4,))
    del file[CONV + "zeros"]
    file.create_virtual_dataset(CONV + "zeros", layout)


HOSTILE = {
    "more zeros than outputs": (counts([75] * 4, [25] * 4), "more zeros are counted than outputs were seen"),
    "negative counts": (counts([-20] * 4, [23] * 4), "more zeros are counted"),
    "one count for all": (put(CONV + "seen", 64), r"'seen' is of shape \(\). Expected \(4,\)"),
    "other lengths": (put(CONV + "zeros", [1, 2, 3]), r"'zeros' is of shape \(3,\). Expected \(4,\)"),
    "counts that are no whole numbers": (put(CONV + "zeros", [0.5] * 4), "'zeros' holds float64. Expected int64"),
    "another FIRE": (put(CONV + "fire", [3.0] * 4), "FIRE is not what the counts give"),
    "three columns": (put(CONV + "features", np.ones((4, 3))), "'features' has 3 columns"),
    "one column": (put(CONV + "features", np.ones(4)), r"'features' is of shape \(4,\)"),
    "no number": (put(CONV + "features", np.full((4, 18), np.nan)), "numbers that are not finite"),
    "a promise": (put(CONV + "features", None, shape=(4, 10**12), dtype="f8"), "an array that is larger than any"),
    "a map of nothing": (
        lambda file: file.update({CONV + "map": np.zeros((4, 0, 9), "f4")}),
        r"'map' is of shape \(4, 0, 9\)",
    ),
    "a negative number of samples": (say("samples", -5), "expected int >= 1 at samples"),
    "a mode": (say("mode", "x"), "invalid enum value 'x' at mode"),
    "a long date": (say("date", "x" * 99), "expected str of length <= 64 at date"),
    "a layer twice": (say("name", "conv", OUT), "its layer 'conv' is there twice, or is not in its graph"),
    "a layer too many": (say("name", "new", OUT), "its layer 'new' is there twice, or is not in its graph"),
    "another fingerprint": (say("fingerprint", "0" * 16), "its graph is not the one that it was written with"),
    "another kernel": (graph(lambda g: g["layers"][0]["weights"][0].update(factor=7)), "its graph is not the one"),
    "a factor": (graph(lambda g: g["layers"][0]["weights"][0].update(factor="9")), r"weights\[0\]\.factor"),
    "filters": (graph(lambda g: g["layers"][0].update(filters=99)), "its layer 'conv' names the axis 99 of 3"),
    "large costs": (
        graph(lambda g: g["layers"][0]["macs"][0].update(factor=2**61)),
        "costs are larger than those of any",
    ),
    "many axes": (graph(lambda g: g["layers"][0]["macs"][0].update(axes=[0] * 99)), "array of length <= 16 at layers"),
    "a lock": (graph(lambda g: g["locks"].update({"10000": "x"})), "it locks a unit 10000, and has 6"),
    "a name for a lock": (graph(lambda g: g["locks"].update(x="y")), "expected int, received str as a key of locks"),
    "half a unit": (graph(lambda g: g["axes"].insert(0, [0.5])), r"expected int, received float at axes\[0\]\[0\]"),
    "a large unit": (graph(lambda g: g["axes"][0].append(10**8)), "its units are not numbered from 0 without gaps"),
    "a link": (link(h5py.SoftLink("/" + CONV + "seen")), "a link that firekeras does not write"),
    "an external link": (link(h5py.ExternalLink("/dev/zero", "/")), "a link that firekeras does not write"),
    "external storage": (outside, "external storage that firekeras does not write"),
    "a virtual data set": (virtual, "lies in other files or data sets"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_is_refused_in_words(path, name):
    change, words = HOSTILE[name]
    with edited(path) as file:
        change(file)
    with pytest.raises(ValueError, match=rf"a\.fire\.h5 .*{words}.*measure again with measure_fire\(\.\.\.\)\.save"):
        FireProfile.load(path)


def test_an_edited_file_is_noticed(path):
    with h5py.File(path, "r+") as file:
        file[CONV + "features"][0, 0] = 3.5
    with pytest.raises(ValueError, match=r"is not a whole \.fire\.h5 file: its checksum"):
        FireProfile.load(path)


def test_a_full_disk_is_told_and_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match=r"Cannot write .*a\.fire\.h5: No space left on device"):
        WHOLE.save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]
