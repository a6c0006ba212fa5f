import json

import pytest

from inspector.state import choices_file
from inspector.state.choices import Choices
from inspector.state.goals import Goal


@pytest.mark.parametrize("goal", [None, Goal("256 kB of RAM", {"ram": "256 kB", "macs": 0.5})])
def test_what_is_saved_is_read_again(tmp_path, goal):
    choices = Choices(0.4, {"conv1": 0.25}, frozenset({"conv2"}), 8, 0.2, goal)
    choices_file.save(choices, tmp_path / "mine.json", "l1")
    assert choices_file.format_of(tmp_path / "mine.json") == choices_file.FORMAT
    assert choices_file.load(tmp_path / "mine.json", ["conv1", "conv2"]) == (choices, "l1")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("caps", {"conv9": 0.5}, "of another network: there is no layer 'conv9'. Did you mean 'conv1'"),
        ("caps", {"conv1": 2}, "is not a file of choices: expected float <= 1"),
        ("round_to", 0, "is not a file of choices: expected int >= 1"),
        (
            "goal",
            {"text": "x", "target": {"mac": 1}, "of_board": False},
            "is not a file of choices: target must be one of",
        ),
        ("extra", 1, "is not a file of choices: "),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, field, value, words):
    choices_file.save(Choices(), tmp_path / "mine.json")
    data = {**json.loads((tmp_path / "mine.json").read_text()), field: value}
    (tmp_path / "mine.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"mine\.json") as refused:
        choices_file.load(tmp_path / "mine.json", ["conv1"])
    assert words in str(refused.value)
