"""Runs in a folder, from the command line: begun, broken off, gone on with, stopped, read by programs and people."""

import importlib
import json
import tempfile
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from command_line import names, refused, run, small_cnn

from firekeras.report.progress import RoundsOnTerminal
from firekeras.rounds.run_directory import RunDirectory

command = importlib.import_module("firekeras.cli.compress")
pytestmark = pytest.mark.usefixtures("uncompiled")

ROUNDS = (
    *("--data", "digits", "--limit", 64, "--max-rounds", 2, "--ratio", 0.2, "--tolerance", "inf"),
    *("--epochs", 4, "--learning-rate", 0.01),
)


def weights(path):
    return keras.models.load_model(path).get_weights()


def rounds_of(folder):
    return [
        {name: value for name, value in event.items() if name not in ("time", "seconds")}
        for event in RunDirectory.open(folder).rounds()
    ]


def interrupt_after_a_round(monkeypatch):
    show = RoundsOnTerminal.event

    def event(self, event):
        show(self, event)
        if event["event"] == "round":
            raise KeyboardInterrupt

    monkeypatch.setattr(RoundsOnTerminal, "event", event)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a finished run, and what it printed with --events."""
    folder = tmp_path_factory.mktemp("undisturbed")
    model, output = folder / "model.keras", folder / "whole.keras"
    small_cnn().save(model)
    result = run("compress", model, *ROUNDS, "--run-dir", folder / "run", "--events", "--output", output)
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_programs_get_lines_of_json_and_nothing_else(undisturbed):
    folder, printed = undisturbed
    events = [json.loads(line) for line in printed.splitlines()]
    assert events[:-1] == RunDirectory.open(folder / "run").events()
    assert events[-1] == {"event": "written", "path": str(folder / "whole.keras")}
    assert [event["number"] for event in events if event["event"] == "round"] == [1, 2, 3]  # the last trains to the end


def test_a_finished_run_is_reported_as_text_and_as_a_page(undisturbed, folder):
    shown = run("report", undisturbed[0] / "run", "--html", "run.html")
    assert shown.exit_code == 0, shown.output
    assert "--max-rounds 2 is reached" in shown.stdout and shown.stdout.endswith("Written: run.html\n")
    assert (folder / "run.html").read_text().startswith("<!doctype html>")


def test_a_run_that_has_ended_cannot_be_stopped(undisturbed):
    shown = run("stop", undisturbed[0] / "run")
    assert shown.exit_code == 0 and "has ended already (finished)" in shown.stdout
    assert not (undisturbed[0] / "run" / "stop").exists()


def test_an_interrupted_run_says_how_to_go_on_and_ends_as_an_undisturbed_one(undisturbed, folder, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after_a_round(patch)
        broken = run("compress", "model.keras", *ROUNDS, "--run-dir", "broken")
    assert broken.exit_code == 130 and "Continue: firekeras compress --resume broken" in broken.stderr
    assert not (folder / "pruned.keras").exists() and len(rounds_of("broken")) == 1

    resumed = run("compress", "--resume", "broken")
    assert resumed.exit_code == 0, resumed.output
    for one, other in zip(weights("pruned.keras"), weights(undisturbed[0] / "whole.keras"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    removed = [[event["filters_removed"] for event in rounds_of(at)] for at in ("broken", undisturbed[0] / "run")]
    assert removed[0] == removed[1] and len(removed[0]) == 3


def test_a_run_is_asked_to_stop_and_goes_on_later(folder, monkeypatch):
    asked = []
    show = RoundsOnTerminal.event

    def event(self, event):
        show(self, event)
        if event["event"] == "cut" and not asked:
            asked.append(run("stop", "run"))

    monkeypatch.setattr(RoundsOnTerminal, "event", event)
    stopped = run("compress", "model.keras", *ROUNDS, "--run-dir", "run")
    assert stopped.exit_code == 0 and "Continue later: firekeras compress --resume run" in asked[0].stdout
    assert len(rounds_of("run")) == 1 and (folder / "pruned.keras").exists()
    assert run("compress", "--resume", "run").exit_code == 0
    assert len(rounds_of("run")) == 3  # two that cut, then training to the end


TARGET = ("--data", "digits", "--limit", 64, "--conv-macs", 0.7, "--epochs", 2, "--no-distill")


def settings_of(folder):
    events = RunDirectory.open(folder).events()
    return [(one["target"], one["epochs"]) for one in events if one["event"] in ("start", "resume")]


def test_a_finished_run_goes_on_to_another_target(folder, monkeypatch):
    assert run("compress", "model.keras", *TARGET, "--run-dir", "run").exit_code == 0
    done = len(rounds_of("run"))
    assert "Received: many" in refused("compress", "--resume", "run", "--epochs", "many")
    with monkeypatch.context() as patch:
        interrupt_after_a_round(patch)
        assert run("compress", "--resume", "run", "--macs", 0.5, "--epochs", 4, "--tolerance", "inf").exit_code == 130
    resumed = run("compress", "--resume", "run", "--output", "smaller.keras")  # what it was continued with still holds
    assert resumed.exit_code == 0, resumed.output
    assert settings_of("run") == [({"conv_macs": 0.7}, 2), ({"macs": 0.5}, 4), ({"macs": 0.5}, 4)]
    before, after = RunDirectory.open("run").settings["costs"], rounds_of("run")
    assert len(after) > done and after[-1]["macs"] <= 0.5 * before["macs"]
    assert names(folder) == {"model.keras", "run", "pruned.keras", "smaller.keras"}
    assert RunDirectory.open("run").changed() == {"target": {"macs": 0.5}, "epochs": 4, "tolerance": None}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume", "nowhere"], "nowhere"),
        (["--resume", ".", "--ratio", 0.2, "--epochs", 3], "--ratio cannot change them"),
        (["model.keras", *ROUNDS, "--conv-macs", 0.5], "With a target the cuts are sized by it"),
        ([], "Missing: MODEL.keras"),
        (["model.keras"], "Missing: --data"),
        (["model.keras", *ROUNDS, "--ram", "much"], "--ram must be a share above 0, up to 1, or an amount"),
        (["model.keras", *ROUNDS, "--run-dir", "model.keras"], "it is a file. Expected a new or empty folder"),
    ],
)
def test_compress_refuses(folder, arguments, words):
    assert words in refused("compress", *arguments)
    assert names(folder) == {"model.keras"}


@pytest.mark.parametrize("command", ["report", "stop"])
def test_a_folder_without_a_run_is_refused(folder, command):
    assert "run.json" in refused(command, ".")


def test_a_file_of_a_run_is_no_output(undisturbed, folder):
    run_dir = undisturbed[0] / "run"
    for name in ("round-000.keras", "best.keras"):
        before = (run_dir / name).read_bytes()
        words = refused("prune", "model.keras", "--criterion", "l1", "--output", run_dir / name)
        assert "would replace a file of the run in" in words and (run_dir / name).read_bytes() == before


def test_the_result_is_written_before_it_is_measured(folder, monkeypatch):
    def full(model):
        raise OSError(28, "No space left on device")

    class Result:
        model, monitor, target, rounds = small_cnn(), "accuracy", None, ()

    heard = []
    listener = types.SimpleNamespace(event=heard.append, show=lambda table: None)
    monkeypatch.setattr(command, "_comparison", lambda *given: full(None))
    monkeypatch.setattr("firekeras.report.tables.outcome_lines", lambda result: [])
    rounds = types.SimpleNamespace(result=Result, arrived=True)
    command.finish(None, rounds, None, folder / "pruned.keras", listener)
    assert (folder / "pruned.keras").exists()
    assert [event["event"] for event in heard] == ["note", "written"] and "No space left" in heard[0]["text"]


def test_a_result_that_cannot_be_written_after_all_is_kept_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OSError, match=r"Cannot write .*pruned\.keras: .*\. The result was saved as .* instead"):
        command.save_result(small_cnn(), Path("/proc/pruned.keras"))
    (rescued,) = tmp_path.rglob("pruned.keras")
    assert keras.models.load_model(rescued)
