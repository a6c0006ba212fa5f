"""Who measures, prunes or exports and is killed before any operation on files leaves the old result or the new one.

Of whole commands a few operations are tried; all of them, which takes a minute, with FIREKERAS_FUZZ=1.
"""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from command_line import run
from file_operations import Killed, Operations

import firekeras
from firekeras.atomic import is_temporary, save_model
from firekeras.export import exporting
from firekeras.export.formats import FORMATS, Format
from firekeras.export.running import open_runtime
from firekeras.export.verification import Difference

FILES = Path(__file__).parent / "files"
OLD = b"as it was before"
EVERY = bool(int(os.environ.get("FIREKERAS_FUZZ", 0)))
COMMANDS = {
    "measure": ("net.fire.h5", ("--data", "images.npz"), firekeras.FireProfile.load),
    "prune": ("pruned.keras", (), keras.saving.load_model),
    "export": ("net.tflite", (), lambda path: open_runtime(path).costs()),
}


class Halves(Format):
    """A format whose files, or folders, are written in two halves."""

    title, runtime = "two halves", "none"

    def __init__(self, name, ending):
        super().__init__(name)
        self.ending = ending

    def write(self, model, path, **settings):
        if not self.ending:
            path.mkdir()
        for name in ("one", "other"):
            with (path if self.ending else path / name).open("a") as file:
                file.write(name)


def halves(path):
    """Whether both are there."""
    parts = [path] if path.is_file() else sorted(path.iterdir())
    return "".join(part.read_text() for part in parts) == "oneother"


def export(monkeypatch, ending):
    """Exports without a network: only the files are real."""
    monkeypatch.setitem(FORMATS, "halves", Halves("halves", ending))
    for name, value in {"samples_of": {}, "open_runtime": None, "run": [[0]], "compare": Difference(0, 0)}.items():
        monkeypatch.setattr(exporting, name, lambda *given, value=value: value)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    return lambda path: firekeras.export_model(model, path, to="halves")


def writer(result, monkeypatch):
    """A function that writes a result to a path, and one that reads it, or says whether it is whole."""
    if result.startswith("export"):
        return export(monkeypatch, Path(result).suffix), halves
    if result == "net.fire.h5":
        return firekeras.FireProfile.load(FILES / "profile-3.fire.h5").save, firekeras.FireProfile.load
    if result == "plan.json":
        return firekeras.PruningPlan.load(FILES / "plan-3.json").save, firekeras.PruningPlan.load
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    return lambda path: save_model(model, path), keras.saving.load_model


@pytest.mark.parametrize("result", ["net.fire.h5", "plan.json", "pruned.keras", "export.half", "export"])
def test_killed_before_any_operation_a_result_is_the_old_or_the_new_one(tmp_path, monkeypatch, result):
    write, read = writer(result, monkeypatch)
    operations, path = Operations(monkeypatch), tmp_path / result
    operations.run(write, path)
    assert read(path) and operations.count >= 4
    for number in range(1, operations.count + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / result
        if path.suffix:
            path.write_bytes(OLD)
        with pytest.raises(Killed):
            operations.run(write, path, fails_at=number)
        assert not path.exists() or (path.is_file() and path.read_bytes() == OLD) or read(path), number
        assert all(is_temporary(file) for file in folder.iterdir() if file != path), number
        if path.suffix or not path.exists():  # a folder is never replaced
            operations.run(write, path)
        assert read(path)


def images(path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 8, 8, 1)).astype("float32"), np.arange(8)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_leaves_the_old_result_or_the_new_one(command, folder, monkeypatch):
    name, options, read = COMMANDS[command]
    images(folder / "images.npz")
    operations, done = Operations(monkeypatch), []
    arguments = (command, "model.keras", *options, "--output", folder / name)
    for _ in range(2):  # the first time, imports leave files too
        operations.run(lambda: done.append(run(*arguments)))
    count = operations.count
    assert count >= 4 and done[-1].exit_code == 0 and read(folder / name), done[-1].output
    for number in range(1, count + 1) if EVERY else (1, count // 2, count):
        (folder / name).write_bytes(OLD)
        with pytest.raises(Killed):
            operations.run(lambda: run(*arguments), fails_at=number)
        assert (folder / name).read_bytes() == OLD or read(folder / name), number
        left = [file for file in folder.iterdir() if not is_temporary(file)]
        assert {file.name for file in left} == {"model.keras", "images.npz", name}, number
    assert run(*arguments).exit_code == 0 and read(folder / name)
