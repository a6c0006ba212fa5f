"""Files side by side: what is compared with what."""

import io
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from firekeras.channels.costs import Costs
from firekeras.report.stages_report import MOSTLY_PYTHON, OF_INT8_INPUTS, footnotes, stages_table


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


def timed(macs, fastest, runtime="Keras (torch)"):
    latency = SimpleNamespace(fastest=fastest, runtime=runtime)
    return SimpleNamespace(path=Path("m.keras"), costs=Costs(macs, macs, 50, {}), latency=latency)


def test_a_note_says_which_file_the_ram_is_that_of():
    keras, lite, unknown = stage("m.keras", 200, 400, 900), stage("m.tflite", 400, None, 700), timed(9, 1e-3)
    assert footnotes([keras, lite]) == [OF_INT8_INPUTS]
    assert footnotes([lite]) == footnotes([unknown]) == []


def test_a_note_says_why_the_time_in_keras_does_not_fall():
    first = timed(1000, 2e-3)
    assert footnotes([first, timed(500, 2.2e-3)]) == footnotes([first, timed(500, 1.9e-3)]) == [MOSTLY_PYTHON]
    assert footnotes([first, timed(500, 1.5e-3)]) == []  # it has fallen
    assert footnotes([first, timed(950, 2e-3)]) == []  # as good as nothing was cut
    assert footnotes([timed(1000, 0.2), timed(500, 0.2)]) == []  # Python does not take that long
    assert footnotes([timed(1000, 2e-3, "LiteRT"), timed(500, 2e-3, "LiteRT")]) == []
