"""Plans of strangers: each number within what is possible, and none that contradicts another."""

import json
from pathlib import Path

import pytest

from firekeras.plan.planning import PruningPlan

WHOLE = json.loads((Path(__file__).parents[1] / "files" / "plan-2.json").read_text())

HOSTILE = {
    "half filters": ({"removed": {"conv": [0.9, 1.2]}}, r"expected int, received float at removed\[...\]\[0\]"),
    "a mask": ({"removed": {"conv": [True, True, False, False]}}, "expected int, received bool"),
    "a large filter": ({"removed": {"conv": [2**70]}}, "expected int <="),
    "one filter": ({"removed": {"conv": 3}}, "expected array, received int"),
    "a filter beyond": ({"removed": {"conv": [4]}}, "Expected filters from 0 to 3, ascending"),
    "a filter twice": ({"removed": {"conv": [1, 1]}}, "Expected filters from 0 to 3, ascending"),
    "all filters": ({"removed": {"conv": [0, 1, 2, 3]}}, "it removes all filters of layer 'conv'"),
    "no widths": ({"widths": {}}, "it removes filters of a layer 'conv' that it does not have"),
    "a list of widths": ({"widths": []}, "expected object, received array at widths"),
    "no width": ({"widths": {"conv": 0, "out": 2}}, "expected int >= 1"),
    "verdicts of one layer": ({"verdicts": {"conv": [0, 1, 0, 0]}}, "'verdicts' does not hold one number for each"),
    "a verdict beyond": ({"verdicts": {"conv": [9, 0, 0, 0], "out": [0, 0]}}, "a sentence that it does not have"),
    "a rank beyond": ({"ranked": 2}, "a rank is beyond the number of ranked filters"),
    "a large score": ({"scores": {"conv": [[]], "out": []}}, "expected float \\| null, received array"),
    "costs that are text": ({"costs_after": {**WHOLE["costs_after"], "macs": "1"}}, "at costs_after.macs"),
    "costs that are no sum": (
        {"costs_after": {**WHOLE["costs_after"], "macs": 1000}},
        "is not the sum over its layers",
    ),
    "costs that grow": (
        {"costs_before": WHOLE["costs_after"], "costs_after": WHOLE["costs_before"]},
        "it costs more after the cut than before, in layer 'conv'",
    ),
    "a balance": ({"balance": 1.5}, "expected float <= 1.0 at balance"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_is_refused_in_words(tmp_path, name):
    change, words = HOSTILE[name]
    (tmp_path / "p.json").write_text(json.dumps({**WHOLE, **change}))
    with pytest.raises(ValueError, match=rf"p\.json is not a whole pruning plan: .*{words}.* Make it again with plan_"):
        PruningPlan.load(tmp_path / "p.json")


def test_costs_of_a_file_are_shown_as_what_they_are(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps(WHOLE))
    plan = PruningPlan.load(tmp_path / "p.json")
    assert repr(plan).endswith("75% by its file>")
    assert f"Thecostsarewhat{tmp_path / 'p.json'}says" in "".join(plan.summary().split())
