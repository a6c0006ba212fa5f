import numpy as np
import pytest

from firekeras.cli.parsing import parsed_factor, parsed_numbers
from inspector.state.data_sources import RANGES, Data, why_not


@pytest.mark.parametrize(
    ("source", "shape", "labels", "why"),
    [
        ("", None, False, "Choose images"),
        ("", (128, 3), False, "Choose samples"),
        ("synthetic", None, False, ""),
        ("synthetic", None, True, "no labels"),
        ("digits", (8, 8, 1), True, ""),
        ("digits", (None, None, 1), True, ""),
        ("digits", (16, 16, 1), False, "images are 8 x 8 x 1, but the model takes 16 x 16 x 1"),
        ("digits", (8, 8), False, ""),
        ("digits", (128, 3), False, "images are 8 x 8 x 1, but the model takes 128 x 3"),
        ("digits", (64,), False, "images are 8 x 8 x 1, but the model takes 64"),
        ("nowhere.npz", None, False, "no file or folder nowhere.npz"),
        ("images.npz", (640,), False, "The model takes 640 values, which no file holds here. Measure it in Python"),
        ("synthetic", (16, 2), False, "generates images, but the model takes 16 x 2"),
        (__file__, None, False, "test_data_sources.py is neither an .npz file nor a folder of images."),
    ],
)
def test_what_is_known_against_data_is_said_before_anything_starts(source, shape, labels, why):
    found = why_not(source, shape, labels=labels)
    assert why in found and bool(found) == bool(why)


def test_the_images_of_a_file_are_compared_by_its_header(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x_train=np.zeros((2, 4, 5, 3), "uint8"))
    assert "4 x 5 x 3" in why_not(str(path), (8, 8, 3), labels=False)
    assert "has no folders in it" in why_not(str(tmp_path), (4, 5, 3), labels=True)
    (tmp_path / "cats").mkdir()
    assert why_not(str(path), (4, 5, 3), labels=False) == why_not(str(tmp_path), (4, 5, 3), labels=True) == ""


def test_a_file_without_the_arrays_that_are_needed_is_refused_at_once(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((2, 4, 4, 1)), y=np.zeros(2, "int64"))
    assert why_not(str(path), (4, 4, 1), labels=False) == (
        "data.npz lacks x_train: it has x, y. Expected x_train; labels are not needed."
    )
    np.savez(path, x_train=np.zeros((2, 4, 4, 1)), y_train=np.zeros(2, "int64"))
    assert why_not(str(path), (4, 4, 1), labels=False) == ""
    assert "lacks x_test, y_test: it has x_train, y_train. Expected" in why_not(str(path), (4, 4, 1), labels=True)


@pytest.mark.parametrize("values", RANGES)
def test_the_command_line_takes_what_a_range_is_called(values):
    data = Data("images.npz", values)
    given = dict(zip(*[iter(data.options)] * 2, strict=True))
    scale, mean = parsed_factor(given["--scale"]), parsed_numbers(given["--mean"]) if "--mean" in given else None
    assert data.scaling == {"scale": scale, "mean": mean[0] if mean else 0}
    assert Data.of_run({"data": "images.npz", "scale": scale, "mean": mean}) == data


def test_data_as_they_are_need_no_range():
    data = Data("images.npz")
    assert data.options == ["--data", "images.npz"] and data.scaling == {}
    assert data == Data.of_run({"data": "images.npz"}) == Data.of_run({"data": "images.npz", "scale": 0.3})


def test_no_data_are_no_option():
    assert Data().options == [] and Data.of_run({}) == Data()
