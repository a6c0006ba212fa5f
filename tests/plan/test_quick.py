"""What goes at once is what goes one by one, and for the same reasons."""

import numpy as np
import pytest
from random_graphs import random_graph, random_scores

from firekeras.plan.selection import Limits, Ranking, Selection
from firekeras.plan.verdicts import Verdicts


def ranking_of(seed, round_to=1, split=False):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, shared=seed % 3 > 0, split=split)
    return Ranking(graph, random_scores(rng, graph), round_to, balance=(seed % 4) / 3)


def one_by_one(ranking):
    """The same ranking, whose units go one after the other."""
    slow = Ranking(ranking.graph, ranking.source, ranking.round_to, ranking.balance)
    slow.kinds.apart = False
    return slow


@pytest.mark.parametrize("seed", range(150))
def test_units_that_go_at_once_are_those_that_go_one_by_one(seed):
    ranking, rng = ranking_of(seed, split=seed % 4 == 0), np.random.default_rng(seed)
    slow = one_by_one(ranking)
    for budget in range(0, ranking.filters + 1, 3):
        caps = {name: float(rng.choice([0, 0.3, 0.5, 1])) for name in ranking.graph.filter_layers}
        limits = Limits.of(ranking.graph, caps, float(rng.choice([0, 0.1, 0.5])), {})
        quick, expected = Selection(ranking, limits, budget), Selection(slow, limits, budget)
        assert (quick.gone == expected.gone).all() and quick.num_gone == expected.num_gone
        assert list(quick.why.items()) == list(expected.why.items())
        one, other = Verdicts(quick), Verdicts(expected)
        assert one.by_unit()[0] == other.by_unit()[0] and (one.by_unit()[1] == other.by_unit()[1]).all()
        assert one.notes() == other.notes()


def test_both_ways_are_taken_by_these_graphs():
    assert 5 < sum(ranking_of(seed).kinds.apart for seed in range(60)) < 55
