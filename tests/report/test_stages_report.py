"""Files side by side: what is compared with what."""

import io
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from firekeras.channels.costs import Costs
from firekeras.report.stages_report import stages_table


def stage(name, ram, flash, size):
    return SimpleNamespace(
        path=Path(name),
        accuracy=None,
        costs=Costs(500, 500, 50, {}, ram=ram, flash=flash),
        size=size,
        latency=SimpleNamespace(median=1e-3, spread=1e-4, fastest=1e-3, batch_size=1, runtime="LiteRT", threads=1),
    )


def row(stages, title):
    console = Console(file=io.StringIO(), width=200)
    console.print(stages_table(stages))
    (line,) = [line for line in console.file.getvalue().splitlines() if line.strip().startswith(title)]
    return line.strip().removeprefix(title).replace("(.keras: int8)", "").split("  ")


def cells(stages, title):
    return [cell.strip() for cell in row(stages, title) if cell.strip()]


def test_ram_and_flash_are_compared_with_files_of_the_same_kind():
    stages = [stage("m.keras", 200, 400, 900), stage("s.keras", 100, 300, 800), stage("s.tflite", 400, None, 700)]
    assert cells(stages, "RAM") == ["200 B", "100 B (50.0%)", "400 B"]
    assert cells(stages, "flash") == ["400 B", "300 B (75.0%)", "700 B"]
    assert cells([*stages[2:], stage("q.tflite", 100, None, 350)], "flash") == ["700 B", "350 B (50.0%)"]


def test_a_file_that_no_microcontroller_reads_takes_no_flash():
    assert cells([stage("m.keras", 200, 400, 900), stage("m.onnx", None, None, 700)], "flash") == ["400 B", "-"]
