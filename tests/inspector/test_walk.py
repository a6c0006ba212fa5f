"""The whole work with the inspector, by mouse and keys: one child process does what its children would."""

import csv
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from examples.inspector_walk import Walk
from inspector.state.comparison import Mode

HERE = Path(__file__).parent
CHILD, OLD = HERE / "one_child.py", HERE.parent / "files" / "keras2-digits.h5"
LONG = 300  # seconds: the child imports Keras, on a machine that may be busy


@pytest.fixture(scope="module")
def server():
    """The address of the child that runs firekeras."""
    folder = tempfile.mkdtemp()  # addresses of sockets are short
    address = f"{folder}/socket"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    with subprocess.Popen([sys.executable, CHILD, address], env=environment) as child:
        yield address
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address)
            client.sendall(b"[]\n")
        assert child.wait(LONG) == 0
    shutil.rmtree(folder)


@pytest.fixture
def walk(server, empty_window, qtbot, monkeypatch, tmp_path):
    def command(arguments):
        return [sys.executable, "-S", "-E", CHILD, server, *map(str, arguments)]

    for module in ("tasks.converting", "tasks.measuring", "tasks.running", "tasks.saving", "children.structure"):
        monkeypatch.setattr(f"inspector.{module}.firekeras_command", command)
    qtbot.waitUntil(lambda: Path(server).exists(), timeout=1000 * LONG)
    shutil.copy(OLD, tmp_path / "digits.h5")
    return Walk(empty_window, tmp_path)


def test_a_file_of_keras_2_becomes_a_smaller_network(walk, tmp_path):
    window, session = walk.window, walk.window.session
    assert walk.convert(tmp_path / "digits.h5") == session.document.model
    assert "Left out of DepthwiseConv2D: groups=1." in window.banner.words.text()
    assert [row.name for row in session.rows] == ["conv1", "depthwise", "pointwise", "conv2", "scores"]
    walk.measure()
    assert session.measured is not None and session.measured.profile.samples == 288  # a fifth
    capped = walk.preview("60% of MACs", 25)
    assert session.choices.goal.target == {"macs": 0.6} and session.choices.caps[capped] == 0.25
    assert 0.5 * session.opened.costs.macs < session.cut.costs.macs <= 0.6 * session.opened.costs.macs
    row = session.opened.row(capped)
    assert row.filters > session.cut.widths[capped] >= 0.75 * row.filters
    walk.run()
    stopped = window.running.view.report
    assert "Stopped on request after round 1" in window.banner.words.text() and len(stopped.rounds) == 1
    walk.resume()
    report = window.running.view.report
    assert report.state == "finished" and len(report.rounds) > 1 and "Stopped" not in report.reason
    walk.compare()
    assert session.of_run and session.mode is Mode.CUTS
    assert session.cut.widths == report.widths_after and session.cut.costs.macs == report.costs_after.macs
    layers = list(csv.DictReader(walk.save().read_text().splitlines()))
    assert {layer["layer"]: int(layer["filters_after"]) for layer in layers} == report.widths_after
    svg = walk.draw().read_text()
    assert all(f">{row.name}<" in svg for row in session.rows) and "After: " in svg
    assert (tmp_path / "digits-pruned.keras").exists()
