import io
import math
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firekeras.report import heatmap
from firekeras.report.tensorboard import SCALARS, TensorBoardRounds

PROFILE = {"conv1": np.array([1.0, 0.0, np.nan, 0.5]), "add": np.array([np.nan, np.nan])}


def record(number, **changes):
    fields = {
        "accuracy": 0.875,
        "accuracy_after_cut": 0.5,
        "conv_macs": 125_485_056,
        "macs": 1 << 27,
        "params": 855_770,
        "ram": 65_536,
        "flash": 938_000,
        "filters_removed": 31,
        "accepted": True,
    }
    return SimpleNamespace(number=number, **{**fields, **changes})


def read_back(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def scalars(events, name):
    return [(one.step, one.value) for one in events.Scalars(f"rounds/{name}")]


def test_every_round_is_a_step(tmp_path):
    board = TensorBoardRounds(tmp_path / "logs" / "pruning")
    board.write(record(1))
    board.write(record(2, accuracy=0.25, accepted=False))
    events = read_back(tmp_path / "logs" / "pruning")
    assert scalars(events, "accuracy") == [(1, 0.875), (2, 0.25)]
    assert scalars(events, "accepted") == [(1, 1), (2, 0)]
    assert scalars(events, "conv_macs") == [(1, 125_485_056), (2, 125_485_056)]
    assert scalars(events, "filters_removed") == [(1, 31), (2, 31)]
    assert set(events.Tags()["scalars"]) == {f"rounds/{name}" for name in SCALARS}


def test_what_is_written_is_there_at_once(tmp_path):
    board = TensorBoardRounds(tmp_path)
    for number in (1, 2):
        board.write(record(number))
        assert len(scalars(read_back(tmp_path), "macs")) == number


def test_a_resumed_run_adds_to_what_is_there(tmp_path):
    for number in (1, 2):
        TensorBoardRounds(tmp_path).write(record(number))
    assert [step for step, _ in scalars(read_back(tmp_path), "params")] == [1, 2]


def test_no_number_is_not_made_one(tmp_path):
    board = TensorBoardRounds(tmp_path)
    board.write(record(1, accuracy=math.nan, accuracy_after_cut=None))
    events = read_back(tmp_path)
    assert math.isnan(scalars(events, "accuracy")[0][1])
    assert "rounds/accuracy_after_cut" not in events.Tags()["scalars"]


def test_a_round_that_cut_nothing_has_no_metric_after_a_cut(tmp_path):
    board = TensorBoardRounds(tmp_path)
    board.write(record(1))
    board.write(record(2, filters_removed=0))
    events = read_back(tmp_path)
    assert scalars(events, "accuracy_after_cut") == [(1, 0.5)]
    assert scalars(events, "filters_removed") == [(1, 31), (2, 0)]


def test_fire_is_a_picture(tmp_path):
    board = TensorBoardRounds(tmp_path)
    board.write(record(1))
    board.write(record(2), PROFILE)
    (image,) = read_back(tmp_path).Images("rounds/fire")
    drawn = Image.open(io.BytesIO(image.encoded_image_string))
    assert image.step == 2
    assert (image.width, image.height) == drawn.size == (heatmap.NAMES + heatmap.COLUMNS, heatmap.ROW)
    assert np.array_equal(np.asarray(drawn), np.asarray(heatmap.picture(PROFILE)))


def test_the_picture_is_sorted_from_active_to_inactive():
    pixels = np.asarray(heatmap.picture({"ü[red]" * 20: PROFILE["conv1"]}))
    row = pixels[heatmap.ROW // 2, heatmap.NAMES + 32 :: 64]
    assert row.tolist() == [[0, 34, 78], [125, 124, 120], [254, 232, 56], [255, 255, 255]]
    assert (pixels[:, : heatmap.NAMES] < 128).any()  # the name


def test_colours_keep_the_shape():
    assert heatmap.colours(np.zeros((2, 3))).shape == (2, 3, 3)
    assert heatmap.colours(np.zeros((2, 3))).dtype == np.uint8
    assert heatmap.colours([1 / 16]).tolist() == [[13, 45, 94]]


def test_without_fire_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="No layer of this profile has FIRE"):
        heatmap.picture({"add": PROFILE["add"]})


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        TensorBoardRounds(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_writing_imports_no_tensorflow(tmp_path):
    code = (
        "import sys; from types import SimpleNamespace;"
        "from firekeras.report.tensorboard import SCALARS, TensorBoardRounds;"
        "TensorBoardRounds(sys.argv[1]).write(SimpleNamespace(number=1, **dict.fromkeys(SCALARS, 0.5)));"
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, tmp_path]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "set()"
    assert scalars(read_back(tmp_path), "accuracy") == [(1, 0.5)]
