"""What a network needs of a board."""

import io
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from firekeras.channels.costs import Costs
from firekeras.export.boards import Board
from firekeras.report.board_report import board_table, missing, needs_of

BOARD = Board("mine", ram=40_000, flash=100_000, title="Mine")


def stage(name, ram, flash, size):
    return SimpleNamespace(path=Path(name), costs=Costs(1, 1, 1, {}, ram=ram, flash=flash), size=size)


def shown(*stages):
    console = Console(file=io.StringIO(), width=120)
    console.print(board_table(stages, BOARD))
    return console.file.getvalue()


def test_a_model_counts_as_int8_and_a_file_as_it_is():
    assert needs_of(stage("a.keras", 10, 20, 999)) == {"ram": 10, "flash": 20}
    assert needs_of(stage("a.tflite", 10, None, 999)) == {"ram": 10, "flash": 999}


def test_what_is_missing_is_said():
    text = shown(
        stage("fits.keras", 40_000, 100_000, 0),
        stage("large.keras", 41_000, 150_000, 0),
        stage("net.onnx", None, None, 10),
    )
    fits, large, unknown = (
        next(line for line in text.splitlines() if name in line) for name in ("fits", "large", "onnx")
    )
    assert fits.rstrip().endswith("fits") and "1.000 kB RAM missing, 50.00 kB flash missing" in large
    assert "RAM unknown" in unknown
    assert missing({"ram": 41_000, "flash": 1}, BOARD) == {"ram": 1000}
