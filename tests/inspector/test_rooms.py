"""Rooms import downwards only, and the state knows no Qt."""

import os
import subprocess
import sys

import pytest
import rooms

FLOORS = (
    "state",
    "figures",
    "children",
    "widgets",
    "models",
    "dialogs",
    "views",
    "tasks",
    "window",
    "app",
    "__main__",
    "__init__",
)
QT = ("PySide6", "shiboken6", "pyqtgraph")
ALL_OF_STATE = """
import importlib, pkgutil, sys
import inspector.state
for module in pkgutil.walk_packages(inspector.state.__path__, "inspector.state."):
    importlib.import_module(module.name)
sys.stdout.write(" ".join(sys.modules))
"""


def test_rooms_import_downwards_only():
    graph = rooms.imports("inspector")
    assert rooms.circles(graph) == []
    assert rooms.upwards(graph, FLOORS) == []
    assert graph["window"] >= {"views", "tasks"} and graph["state"] == graph["__init__"] == set()


def test_a_room_is_entered_by_its_face():
    for module, path in rooms.sources("inspector").items():
        own = module.split(".")[1]
        deep = [name for name in rooms.imported(module, path) if name.startswith("inspector.") and name.count(".") > 2]
        assert not [name for name in deep if name.split(".")[1] != own], path


def test_the_state_knows_no_qt():
    for module, path in rooms.sources("inspector").items():
        if module.startswith(("inspector.state", "inspector.figures")):
            assert not [name for name in rooms.imported(module, path) if name.split(".")[0] in QT], path


def test_nothing_that_the_state_imports_brings_qt_along():
    done = subprocess.run(
        [sys.executable, "-c", ALL_OF_STATE], capture_output=True, text=True, timeout=120, env=dict(os.environ)
    )
    loaded = done.stdout.split()
    assert done.returncode == 0 and "inspector.state.session" in loaded, done.stderr[-3000:]
    assert not {name.split(".")[0] for name in loaded} & {*QT, "keras", "tensorflow"}


# the graph itself


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A package of which each room imports as files say."""

    def build(**files):
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path / "house" / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return rooms.imports("house")

    return build


def test_rooms_are_folders_and_modules_and_every_import_counts(house):
    graph = house(
        cellar__in____init__="from .wine import red",
        cellar__in__wine="red = 1",
        hall__in____init__="",
        hall__in__door="import numpy\n\ndef late():\n    from house.cellar import wine",
        roof="import house.hall.door as door\nfrom house import cellar, late_name",
        ladder="from . import roof\nfrom .cellar import wine",
    )
    assert graph == {
        "__init__": set(),
        "cellar": set(),
        "hall": {"cellar"},
        "ladder": {"roof", "cellar"},
        "roof": {"hall", "cellar", "__init__"},
    }
    assert rooms.circles(graph) == []
    assert rooms.upwards(graph, ("__init__", "cellar", "roof", "hall", "ladder")) == [("roof", "hall")]
    with pytest.raises(ValueError, match="both a room and a floor: \\['ladder'\\]"):
        rooms.upwards(graph, ("__init__", "cellar", "hall", "roof"))


def test_circles_are_found(house):
    graph = house(
        a="from house import b",
        b="from house.c import x",
        c="from house import a",
        d="import house.a",
        e="import house.d",
    )
    assert rooms.circles(graph) == [{"a", "b", "c"}]
