"""How commands end: mistakes are found before Keras is imported, one line each, exit code 2."""

import json
import math
import warnings
import zipfile
from pathlib import Path

import pytest
import typer
from processes import run
from typer.testing import CliRunner

from firekeras import cli, methods
from firekeras.cli import checks
from firekeras.cli.caps import check_caps
from firekeras.cli.checks import CONTROLS, MODES, check_method, check_tolerance
from firekeras.cli.program import NothingDoneError, OneCommand, Program
from firekeras.cli.words import in_options
from firekeras.discovery import registered
from firekeras.methods import fire
from firekeras.scores.criteria import CRITERIA
from firekeras.studies.compare import entries

FILES = Path(__file__).parents[1] / "files"
TABLE = [
    ("compress", "Missing: MODEL.keras"),
    ("compress m.keras", "Missing: --data"),
    ("compress m.keras --data nowhere", "Unknown data source 'nowhere'"),
    ("compress none.keras --data digits", "There is no file none.keras"),
    ("compress old.h5 --data digits", "firekeras convert old.h5 old.keras"),
    ("compress m.keras --data digits --cap c0", "--cap is LAYER=SHARE"),
    ("compress m.keras --data digits --cap c0=3", "The cap of 'c0' must be the share"),
    (
        "compress m.keras --data digits --macs 50",
        "--macs must be the share that is left, above 0, up to 1. Received: 50.0.",
    ),
    ("compress m.keras --data digits --params 20", "20% is 0.2."),
    ("compress m.keras --data digits --ratio 30", "--ratio must be the share of filters to remove"),
    ("compress m.keras --data digits --run-dir used", "There is already a run in used. Continue it (--resume)"),
    ("compress m.keras --data digits --run-dir m.keras", "it is a file"),
    ("compress m.keras --data digits --method fires", "Did you mean 'fire'?"),
    ("compress m.keras --data digits --mode guessed", "--mode must be one of 'learned', 'measured'"),
    ("compress m.keras --data digits --seed -1", "--seed must be a whole number, from 0 to 4294967295"),
    ("compress m.keras --data digits --tolerance 1", "For 1 point give --tolerance 0.01"),
    ("compress m.keras --data digits --tolerance 5", "For 5 points give --tolerance 0.05"),
    ("compress m.keras --data digits --learning-rate inf", "--learning-rate must be a number, above 0"),
    ("compress m.keras --data digits --macs 0.5 --ratio 0.1", "--ratio 0.1 would not be used"),
    ("compress m.keras --data digits --macs 0.5 --ratio 0.1", "pass --epochs none"),
    ("compress m.keras --data digits --output no/p.keras", "there is no folder no"),
    ("compress m.keras --data digits --tensorboard m.keras", "--tensorboard m.keras is a file"),
    ("compress m.keras --data digits --tolerance 0.5", "For 0.5 points give --tolerance 0.005"),
    ("compress m.keras --data digits --epochs-per-round x", "Expected a whole number, at least 0. Received: x."),
    ("compress m.keras --data digits --scale 0", "Expected a number other than 0. Received: 0."),
    ("compress m.keras --data digits --std 1,0", "Expected a number other than 0. Received: 0."),
    ("compress m.keras --data digits --ram 0kB", "--ram must be a share above 0, up to 1, or an amount"),
    (f"compress m.keras --data digits --batch-size {'9' * 30}", "Expected a whole number, at least 1"),
    (f"compress m.keras --data digits --epochs {'9' * 5000}", "--epochs must be a whole number, at least 0, or none"),
    ("compress m.keras --data broken.npz", "broken.npz is not an .npz file, or is truncated"),
    ("compress named.keras --data digits --cap conf1=0.5", "Did you mean 'conv1'? firekeras channels named.keras"),
    ("compress --resume nowhere", "nowhere is not the folder of a run"),
    ("compress --resume used", "begun in Python"),
    ("measure", "Missing argument 'MODEL.keras'. See firekeras measure --help."),
    ("measure m.keras --data digits --fraction 20", "20% is 0.2."),
    ("measure m.keras --data digitts", "Did you mean 'digits'?"),
    ("prune m.keras --criterion taylor", "prune takes none"),
    ("prune m.keras --criterion l3", "Did you mean"),
    ("prune m.keras --ratio 0.3 --conv-macs 0.5", "Expected --ratio, or a target that sizes the cut."),
    (
        "prune m.keras --conv-macs 50",
        "--conv-macs must be the share that is left, above 0, up to 1. Received: 50.0. 50% is 0.5.",
    ),
    ("prune m.keras --ratio 30%", "Received: 30%. 30% is 0.3."),
    ("prune m.keras --ratio nan", "Expected a number. Received: nan."),
    ("prune m.keras --ratio 30", "30% is 0.3."),
    ("prune m.keras --conv-macs 50%", "Received: '50%'. 50% is 0.5."),
    ("compress m.keras --data digits --method FIRE", "Did you mean 'fire'?"),
    ("report m.keras --board pico", "Did you mean 'raspberry-pi-pico'?"),
    ("channels m.keras --output /proc/x.json", "Cannot write /proc/x.json: "),
    ("prune m.keras --min-keep 2", "--min-keep must be the share"),
    ("prune m.keras --plan none.json", "There is no file none.json"),
    ("channels m.onnx", "There is no file m.onnx"),
    ("channels m.keras --output graph.txt", "ends in .json"),
    ("sensitivity m.keras --data digits --criterion nope", "Unknown criterion 'nope'"),
    ("sensitivity m.keras --data digits --tolerance 2", "For 2 points give --tolerance 0.02"),
    ("compare m.keras --data digits --methods fire,nope", "Unknown method 'nope'"),
    ("compare m.keras --data digits --macs 50", "--macs must be the share that is left"),
    ("compare m.keras --data digits --output m.keras", "--output m.keras is a file"),
    ("report m.keras b.keras", "There is no file or folder b.keras"),
    ("report old.h5 m.keras", "convert old.h5"),
    ("export m.keras --to tflit", "Did you mean 'tflite'?"),
    ("export m.keras --to onnx --output m.tflite", "contradict each other"),
    (
        "export m.keras --output m.foo",
        "Expected --output NAME.tflite, --output NAME.onnx or --to saved-model --output FOLDER. Received: m.foo.",
    ),
    ("export m.keras --int8", "needs --data"),
    ("widths 8", "Expected a whole number, at least 9. Received: 8."),
    ("widths --to saved-model", "--to is 'litert' or 'onnx' here"),
    ("widths --to onnx --int8", "--int8 is for"),
    ("convert m.keras new.keras", "Expected a file of Keras 2"),
    ("convert nowhere.h5 new.keras", "There is no file or folder nowhere.h5"),
    ("demo --conv-macs 50", "--conv-macs must be the share that is left"),
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
sys.modules["tensorflow"] = None  # as if it were not installed
result = CliRunner().invoke(app, ["prune", "m.keras"], env={"TERM": "dumb"})
print(json.dumps([result.exit_code, result.stderr]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command of the table says, by the command, all from one process."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name in ("m.keras", "old.h5"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("config.json", "{}")
    with zipfile.ZipFile(folder / "named.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [{"config": {"name": "conv1"}}]}}))
        archive.writestr("model.weights.h5", "")
    (folder / "broken.npz").write_text("PK")
    (folder / "used").mkdir()
    (folder / "used" / "run.json").write_bytes((FILES / "run-2" / "run.json").read_bytes())
    commands = [command for command, _ in TABLE]
    lines = run(CODE, folder, json.dumps(commands), KERAS_BACKEND="tensorflow").splitlines()
    return dict(zip([*commands, "no backend"], map(json.loads, lines), strict=True))


@pytest.mark.parametrize(("command", "words"), TABLE)
def test_a_mistake_is_one_line_found_before_keras_is_imported(said, command, words):
    code, line = said[command]
    assert words in line
    assert (code, line.count("\n")) == (2, 1)


def test_a_missing_backend_is_named_with_its_cure(said):
    code, line = said["no backend"]
    assert code == 1 and line.startswith("tensorflow is not installed.") and "firekeras[tensorflow]" in line


def test_the_right_names_are_known_without_importing_what_registers_them():
    for name in methods.names():
        check_method(name)
    assert set(MODES) == set(fire.MODES) and set(CONTROLS) == set(entries.CONTROLS)
    for name, criterion in CRITERIA.items():
        assert registered("scores/criteria", "criterion")[name].get("needs", "kernel") == criterion.needs


def test_a_tolerance_that_keeps_almost_everything_is_asked_about_on_a_terminal(monkeypatch):
    monkeypatch.setattr(checks, "_can_ask", lambda: True)
    monkeypatch.setattr(typer, "confirm", lambda text, err: "do you mean 2 points?" in text)
    assert check_tolerance(2) == 0.02 and check_tolerance(0.4) == 0.4 and check_tolerance(math.inf) == math.inf
    with pytest.raises(ValueError, match=r"--tolerance 0\.03"):
        check_tolerance(3)


@pytest.mark.filterwarnings("default")
def test_warnings_are_lines_in_the_words_of_the_command():
    app = typer.Typer(cls=Program)
    app.command(cls=OneCommand)(warning)
    app.command(cls=OneCommand)(failing)
    result = CliRunner().invoke(app, ["warning"])
    assert (result.exit_code, result.stderr) == (0, "Warning: It is over. Give --max-rounds for more.\n")
    result = CliRunner().invoke(app, ["failing", "--max-rounds", "1"])
    assert (result.exit_code, result.stderr) == (1, "--max-rounds 1 is reached by a b.\n")


def warning(max_rounds: int = 3):
    warnings.warn("It is over. Give max_rounds=... for more.", stacklevel=2)


def failing(max_rounds: int = 3):
    raise NothingDoneError(f"max_rounds={max_rounds} is reached by a\x1bb.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The target {'macs': 0.5} cannot be reached.", "The target --macs 0.5 cannot be reached."),
        ("macs must be a number.", "--macs must be a number."),
        ("Pass layer_caps={'conv1': 0.5} or resume=True.", "Pass --cap conv1=0.5 or --resume."),
        ("FirePruning(mode='measured') is safer.", "--mode measured is safer."),
        ("Lower min_keep, distill=False.", "Lower --min-keep, --no-distill."),
        ("Expected 'min_keep' in /min_keep/x.py, dense=3, a_b=4.", None),
    ],
)
def test_sentences_of_the_library_name_options(text, expected):
    options = {"macs", "cap", "resume", "mode", "min_keep", "distill"}
    assert in_options(text, options) == (expected or text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("compress --method f", "fire"),
        ("export --to o", "onnx"),
        ("prune --criterion tay", "taylor"),
        ("com", "compare"),
    ],
)
def test_the_shell_completes(line, found):
    words = f"firekeras {line}"
    asked = {"_FIREKERAS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    assert found in CliRunner().invoke(cli.app, [], prog_name="firekeras", env=asked).stdout.split()


@pytest.mark.parametrize("command", ["compress", "prune", "export", "report", "widths", "compare"])
def test_help_shows_no_types_of_python(command):
    shown = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).stdout
    assert "--help" in shown and "<" not in shown and "x>=" not in shown and "…" not in shown


def test_layers_inside_others_and_types_are_left_to_planning(tmp_path):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [{"config": {"name": "block"}}]}}))
        archive.writestr("model.weights.h5", "")
    check_caps({"block/conv": 0.5, "EinsumDense": 0.5, "conv*": 0.5, "block": 0}, path)
    check_caps({}, tmp_path / "none.keras")
    with pytest.raises(ValueError, match="no layer with filters named 'blok'"):
        check_caps({"blok": 0.5}, path)
