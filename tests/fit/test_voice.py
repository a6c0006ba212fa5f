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
    lines = re.search(rf"```python\n(import {package}\n.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    space = {}
    exec(lines, space)
    voice = Voice(0, space["on_event"])
    voice.event("cut", number=2)
    voice.event("round", **ROUND)
    assert logged == [(2, {"number": 2, "accepted": True, "accuracy": 0.9, "macs": 100})]


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
