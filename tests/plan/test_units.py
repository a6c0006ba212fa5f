"""Scores of units."""

import networks
import numpy as np
from plans import graph_of

import firekeras
from firekeras.plan.units import completed
from firekeras.rounds.targets import down_to
from firekeras.scores.profile import FilterScores


def partly_scored(graph, unscored):
    values = {name: np.full(width, np.nan if name in unscored else 0.5) for name, width in graph.widths.items()}
    norms = {name: np.arange(width) + 1.0 for name, width in graph.widths.items()}
    return FilterScores(values, criterion="fire", l1=norms)


def test_units_without_a_score_come_last_the_smallest_norm_first():
    graph = graph_of(networks.two_convs)
    scores = completed(partly_scored(graph, ["conv1"]), graph)
    assert (np.diff(scores["conv1"]) < 0).all() and scores["conv1"].max() < 0.5 == scores["conv2"].max()


def test_ram_at_a_layer_without_scores_is_reached_all_the_same():
    graph = graph_of(networks.residual)
    before = firekeras.count_costs(graph)
    scores = partly_scored(graph, list(graph.filter_layers))
    plan = down_to({"ram": 0.7 * before.ram}, graph, scores, min_keep=0.1)
    assert plan.costs_after.ram <= 0.7 * before.ram and "are ranked by l1 norms" in plan.notes[-1]
    assert firekeras.count_costs(graph) == before
