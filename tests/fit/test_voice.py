"""Events of the callback, and the lines of the guide that hand them to a logger."""

import re
import sys
import types

import pages
import pytest

from firekeras.fit.voice import Voice

GUIDE = pages.ROOT / "docs" / "guides" / "loggers.md"
ROUND = {"number": 2, "accepted": True, "accuracy": 0.9, "macs": 100, "notes": ["none"], "criterion": "fire"}


@pytest.mark.parametrize(("package", "name"), [("mlflow", "log_metrics"), ("wandb", "log")])
def test_the_lines_of_the_guide_log_the_figures_of_rounds(package, name, monkeypatch):
    logged = []
    stand_in = types.ModuleType(package)
    setattr(stand_in, name, lambda figures, step: logged.append((step, figures)))
    monkeypatch.setitem(sys.modules, package, stand_in)
    voice = Voice(0, listener_of_the_guide(package))
    voice.event("cut", number=2)
    voice.event("round", **ROUND)
    assert logged == [(2, {"number": 2, "accepted": True, "accuracy": 0.9, "macs": 100})]


def listener_of_the_guide(package):
    """The function that the guide writes for a logger."""
    lines = re.search(rf"```python\n(import {package}\n.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    space = {}
    exec(lines, space)
    return space["on_event"]


def test_mlflow_keeps_the_figures_in_its_own_file_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow", reason="mlflow brings 25 packages; above, a stand-in runs the same lines")
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run() as run:
        Voice(0, listener_of_the_guide("mlflow")).event("round", **ROUND)
    kept = mlflow.get_run(run.info.run_id).data.metrics
    assert kept == {"number": 2, "accepted": 1, "accuracy": 0.9, "macs": 100}


def test_a_listener_that_is_away_ends_no_training():
    heard = []

    def listen(event):
        heard.append(event["event"])
        raise ConnectionError("no server")

    voice = Voice(0, listen)
    with pytest.warns(UserWarning, match="on_event is not called any more: ConnectionError: no server"):
        voice.event("cut", number=1)
    voice.event("round", number=1)
    assert heard == ["cut"]


def test_other_errors_are_those_of_the_listener():
    with pytest.raises(ZeroDivisionError):
        Voice(0, lambda event: 1 / 0).event("cut", number=1)
