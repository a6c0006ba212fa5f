"""Targets of a run: several at once, as shares and amounts."""

import networks
import pytest
from plans import graph_of

import firekeras
from firekeras.rounds.targets import Target


@pytest.fixture(scope="module")
def graph():
    return graph_of(networks.residual)


def target_of(graph, asked):
    return Target.of(asked, None, firekeras.count_costs(graph))


def test_goals_are_amounts_and_said_as_they_were_asked(graph):
    before = firekeras.count_costs(graph)
    target = target_of(graph, {"ram": 0.5, "flash": "3 kB"})
    assert target.goals == {"ram": before.ram / 2, "flash": 3000}
    assert str(target) == "{'ram': 0.5, 'flash': '3 kB'}"
    assert target.share == pytest.approx(min(0.5, 3000 / before.flash)) and target.counted == "ram"


def test_stages_lead_down_to_all_goals(graph):
    target = target_of(graph, {"ram": 0.5, "macs": 0.2})
    half = target.stage(0.5, {"ram": 1000, "macs": 100})
    assert half == {"ram": (1000 + target.goals["ram"]) / 2, "macs": (100 + target.goals["macs"]) / 2}


def test_a_target_is_reached_when_all_its_goals_are(graph):
    before = firekeras.count_costs(graph)
    assert target_of(graph, {"ram": before.ram + 1000, "macs": 1.0}).reached(None, before)
    assert not target_of(graph, {"ram": 0.9, "macs": 1.0}).reached(None, before)


def test_what_cannot_be_reached_is_named_with_the_layer_in_the_way(graph):
    target = target_of(graph, {"ram": 0.001, "macs": 0.9})
    limits = {"layer_caps": {}, "original_widths": graph.sizes, "round_to": 1, "min_keep": 0.1}
    with pytest.raises(
        ValueError, match=r"cannot be reached.* the least is ram 0\.\d+ \(the peak stands at \w+\)\. Loosen"
    ):
        target.check_feasible(None, graph, **limits)
