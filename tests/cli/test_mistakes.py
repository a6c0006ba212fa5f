"""Mistakes on the command line: found before Keras is imported, one line each, exit code 2."""

import json
import zipfile

import pytest
from processes import run

TABLE = [
    ("compress", "Missing: MODEL.keras"),
    ("compress m.keras", "Missing: --data"),
    ("compress m.keras --data nowhere", "Unknown data source 'nowhere'"),
    ("compress none.keras --data digits", "There is no file none.keras"),
    ("compress old.h5 --data digits", "firekeras convert old.h5 old.keras"),
    ("compress m.keras --data digits --cap c0", "--cap is LAYER=SHARE"),
    ("compress m.keras --data digits --cap c0=3", "The cap of 'c0' is the share"),
    ("compress m.keras --data digits --macs 50", "--macs is the share that is left, above 0, up to 1. Received: 50.0."),
    ("compress m.keras --data digits --params 20", "20% is 0.2."),
    ("compress m.keras --data digits --ratio 30", "--ratio is the share of filters to remove"),
    ("compress m.keras --data digits --run-dir used", "There is already a run in used. Continue it (--resume)"),
    ("compress m.keras --data digits --run-dir m.keras", "it is a file"),
    ("compress m.keras --data digits --method fires", "Did you mean 'fire'?"),
    ("compress m.keras --data digits --mode guessed", "--mode is one of 'learned', 'measured'"),
    ("compress m.keras --data digits --seed -1", "--seed is a whole number, from 0 to 4294967295"),
    ("compress m.keras --data digits --tolerance 1", "For 1 point give --tolerance 0.01"),
    ("compress m.keras --data digits --tolerance 5", "For 5 points give --tolerance 0.05"),
    ("compress m.keras --data digits --learning-rate inf", "--learning-rate is a number, above 0"),
    ("compress m.keras --data digits --macs 0.5 --ratio 0.1", "--ratio 0.1 would not be used"),
    ("compress m.keras --data digits --macs 0.5 --ratio 0.1", "pass --epochs none"),
    ("compress m.keras --data digits --output no/p.keras", "there is no folder no"),
    ("compress m.keras --data digits --tensorboard m.keras", "--tensorboard m.keras is a file"),
    ("compress --resume nowhere", "nowhere is not the folder of a run"),
    ("compress --resume used", "begun in Python"),
    ("measure", "Missing argument 'MODEL.keras'. See firekeras measure --help."),
    ("measure m.keras --data digits --fraction 20", "20% is 0.2."),
    ("measure m.keras --data digitts", "Did you mean 'digits'?"),
    ("prune m.keras --criterion taylor", "prune takes none"),
    ("prune m.keras --criterion l3", "Did you mean"),
    ("prune m.keras --ratio 30", "--ratio is the share of filters to remove"),
    ("prune m.keras --min-keep 2", "--min-keep is the share"),
    ("prune m.keras --plan none.json", "There is no file none.json"),
    ("channels m.onnx", "There is no file m.onnx"),
    ("channels m.keras --output graph.txt", "ends in .json"),
    ("sensitivity m.keras --data digits --criterion nope", "Unknown criterion 'nope'"),
    ("sensitivity m.keras --data digits --tolerance 2", "For 2 points give --tolerance 0.02"),
    ("compare m.keras --data digits --methods fire,nope", "Unknown method 'nope'"),
    ("compare m.keras --data digits --macs 50", "--macs is the share that is left"),
    ("compare m.keras --data digits --output m.keras", "--output m.keras is a file"),
    ("report m.keras b.keras", "There is no file or folder b.keras"),
    ("report old.h5 m.keras", "convert old.h5"),
    ("export m.keras --to tflit", "Did you mean 'tflite'?"),
    ("export m.keras --to onnx --output m.tflite", "contradict each other"),
    ("export m.keras --int8", "needs --data"),
    ("widths --to saved-model", "--to is 'litert' or 'onnx' here"),
    ("widths --to onnx --int8", "--int8 is for"),
    ("convert nowhere.h5 new.keras", "There is no file or folder nowhere.h5"),
    ("demo --conv-macs 50", "--conv-macs is the share that is left"),
    ("demo --epochs 0", "Invalid value for '--epochs'"),
    ("stop nowhere", "nowhere is not the folder of a run"),
    ("comprss m.keras", "Did you mean 'compress'"),
]

CODE = """
import json, sys
from typer.testing import CliRunner
from firekeras.cli import app

for line in json.load(sys.stdin):
    result = CliRunner().invoke(app, line.split(), env={"TERM": "dumb"})
    print(json.dumps([result.exit_code, result.stderr]))
came_along = [name for name in ("keras", "tensorflow", "jax", "torch", "sklearn") if name in sys.modules]
assert not came_along, came_along
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command of the table says, by the command, all from one process."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name in ("m.keras", "old.h5"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("config.json", "{}")
    (folder / "used").mkdir()
    (folder / "used" / "run.json").write_text(json.dumps({"format": 2}))
    commands = [command for command, _ in TABLE]
    lines = run(CODE, folder, json.dumps(commands)).splitlines()
    return dict(zip(commands, map(json.loads, lines), strict=True))


@pytest.mark.parametrize(("command", "words"), TABLE)
def test_a_mistake_is_one_line_found_before_keras_is_imported(said, command, words):
    code, line = said[command]
    assert words in line
    assert (code, line.count("\n")) == (2, 1)
