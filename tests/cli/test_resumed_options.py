"""A run's own file says how it was begun, and may be a stranger's: options have types, places are confirmed."""

from pathlib import Path

import pytest

from firekeras.cli.compress import compress
from firekeras.cli.resumed_options import check_place, options_in
from firekeras.rounds.run_directory import places_outside

FILE = Path("run/run.json")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"cap": 3}, r"run\.json: source\.cap is not what --cap takes: expected array \| null, received int"),
        ({"ratio": "0.1"}, r"source\.ratio is not what --ratio takes: expected float \| null, received str"),
        ({"output": ["a"]}, r"source\.output is not what --output takes"),
        ({"data": {}}, r"source\.data"),
        ({"exec": "rm"}, r"has an option 'exec', which compress does not take"),
    ],
)
def test_options_are_of_the_types_that_the_command_takes(source, words):
    with pytest.raises(ValueError, match=words):
        options_in(source, compress, FILE)


def test_options_come_back():
    source = {
        "cap": ["conv*=0.5"],
        "tolerance": None,
        "limit": None,
        "output": "a.keras",
        "distill": True,
        "epochs": "4",
    }
    assert options_in(source, compress, FILE) == source


def test_a_run_that_was_moved_asks_where_to_write(tmp_path):
    source = {"run_dir": str(tmp_path / "run"), "output": "/home/me/thesis.keras", "tensorboard": None}
    check_place(source, tmp_path / "run", [])
    check_place(source, tmp_path / "x" / ".." / "run", [])
    check_place(source, tmp_path / "moved", ["output"])
    with pytest.raises(ValueError, match=r"would write outside of its folder: --output /home/me/thesis\.keras"):
        check_place(source, tmp_path / "moved", [])
    with pytest.raises(ValueError, match=r"folder: --tensorboard /x"):
        check_place({**source, "tensorboard": "/x"}, tmp_path / "moved", ["output"])


@pytest.mark.parametrize("begun", ["run", "/proc/self/cwd/run", ["run"], 3])
def test_a_place_that_depends_on_who_looks_is_nobodys(tmp_path, monkeypatch, begun):
    monkeypatch.chdir(tmp_path)
    assert places_outside({"run_dir": begun, "output": "/a.keras"}, tmp_path / "run") == {"output": "/a.keras"}
