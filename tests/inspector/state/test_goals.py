"""Goals as people type them."""

import dataclasses

import pytest

from firekeras.export.boards import Board
from inspector.state.goals import goal_of, proposals

MINE = Board("mine", 256_000, 1_000_000, "My board")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("50% of MACs", {"macs": 0.5}),
        ("50 % of the conv MACs", {"conv_macs": 0.5}),
        ("0.25 of parameters", {"params": 0.25}),
        ("256 kB of RAM", {"ram": "256 kB"}),
        ("256kb ram", {"ram": "256kb"}),
        ("256 KiB of int8 RAM", {"ram": "256 KiB"}),
        ("10M MACs", {"macs": "10M"}),
        ("256 kB of RAM and 512 kB of flash", {"ram": "256 kB", "flash": "512 kB"}),
        ("50% of MACs, 1 MB of float32 flash", {"macs": 0.5, "flash_float32": "1 MB"}),
        ("2 ms", {"latency": "2 ms"}),
        ("0.5s", {"latency": "0.5s"}),
        ("60% of latency", {"latency": 0.6}),
        ("800 µs of the latency and 50% of flash", {"latency": "800 µs", "flash": 0.5}),
        ("this board", {"ram": 256_000, "flash": 1_000_000}),
        ("my board", {"ram": 256_000, "flash": 1_000_000}),
    ],
)
def test_a_text_is_a_goal(text, target):
    goal = goal_of(text, [MINE], MINE)
    assert goal.target == target and goal.of_board == ("board" in text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2 of latency", "Received"),
        ("2 ms of MACs", "Received"),
        ("this board", "No board is chosen"),
        ("half of it", "Expected “50% of MACs”.*Received: “half of it”"),
        ("50 of MACs", "An amount is above 0, with k, M or G: “1.5 M”. Expected"),
        ("150% of MACs", "A share is above 0%, up to 100%. Expected"),
        ("3 kB of MACs", "with k, M or G"),
        ("0 ms", "An amount is above 0, with s, ms or us"),
        ("50%", "50% of what[?] Expected"),
        ("64 kB", "64 kB of what[?] Expected"),
        ("2,5 ms", "Decimals are written with a point"),
        ("50 % MAC", "Did you mean MACs[?]"),
        ("50% of FLOPs", "Did you mean MACs[?] Expected"),
        ("50% of lead", "Received"),
        ("1.2.3% of MACs", "Received"),
    ],
)
def test_what_is_no_goal_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        goal_of(text)


def test_what_is_proposed_is_less_than_there_is(session):
    costs = dataclasses.replace(session.opened.costs, ram=300_000, flash=2_300_000)
    said = proposals(costs, MINE)
    assert said[-4:] == ["256 kB of RAM", "2 MB of flash", "256 kB of RAM and 2 MB of flash", "this board"]
    assert all(goal_of(text, [MINE], MINE).target for text in said)
    timed = proposals(dataclasses.replace(costs, latency=3.17e-3), None)
    assert "2 ms" in timed and "50% of latency" in timed and goal_of("2 ms").target == {"latency": "2 ms"}
    assert not [text for text in said if "latency" in text or "ms" in text]
    assert not [text for text in proposals(dataclasses.replace(costs, ram=None, flash=900), None) if "B of" in text]
