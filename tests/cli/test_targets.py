"""Options for targets follow from the costs that are registered."""

import pytest

from firekeras.channels import costs
from firekeras.cli import checks, targets
from firekeras.cli.words import in_options
from firekeras.plan.goals import TIMES


def test_there_is_an_option_for_each_cost():
    assert tuple(targets.COSTS) == tuple(costs.COSTS) and tuple(targets.LATENCIES) == tuple(TIMES)


def test_shares_are_numbers_and_amounts_stay_text():
    given = {"ram": "256kB", "macs": "0.5", "params": None}
    assert checks.parsed_targets(given) == {"ram": "256kB", "macs": 0.5, "params": None}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("ram", "much", r"--ram must be a share above 0, up to 1, or an amount, such as 256kB"),
        ("latency", "256kB", r"--latency must be a share above 0, up to 1, or a time, such as 2ms. Received"),
        ("macs", "50", r"--macs must be .*50% is 0\.5"),
    ],
)
def test_what_is_neither_is_refused(name, text, words):
    with pytest.raises(ValueError, match=words):
        checks.parsed_targets({name: text})


def test_several_targets_are_said_as_options():
    said = in_options("target {'ram': '256 kB', 'macs': 0.5} cannot be reached.", {"ram", "macs"})
    assert said == "target --ram 256kB --macs 0.5 cannot be reached."
