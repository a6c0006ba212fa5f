"""Graphs, scores and plans in a line."""

from types import SimpleNamespace

import networks
import numpy as np

import firekeras
from firekeras.plan.planning import plan_pruning
from firekeras.rounds.targets import Target
from firekeras.scores.profile import FilterScores


def graph_of(build=networks.two_convs):
    return firekeras.channel_graph(build())


def scores_of(graph, values, **settings):
    drawn = {name: np.zeros(width) for name, width in graph.widths.items()}
    return FilterScores({**drawn, **values}, criterion="mine", **settings)


def removed(graph, scores, ratio):
    plan = firekeras.plan_pruning(graph, scores, pruning_ratio=ratio, balance=0, max_cut=1)
    return {name: len(filters) for name, filters in plan.removed.items()}


def removed_lists(plan):
    return {name: filters.tolist() for name, filters in plan.removed.items()}


def counts(plan):
    return {name: filters.size for name, filters in plan.removed.items()}


def run_on(model, target=None, halvings=0, ratio=0.05, original=None, balance=0.0, **limits):
    """What a method sees of a run."""
    graph = firekeras.channel_graph(model)
    widths = original or graph.widths
    limits = {"layer_caps": {}, "original_widths": widths, "round_to": 1, "min_keep": 0.1, **limits}
    spread = {"balance": balance, "max_cut": 1.0}
    goal = Target.of(target, model, firekeras.count_costs(graph)) if target else None

    def plan(network, scores):
        make = goal.plan if goal else plan_pruning
        return make(firekeras.channel_graph(network), scores, pruning_ratio=ratio, **limits, **spread)

    return SimpleNamespace(
        original_widths=widths,
        limits=limits,
        halvings=halvings,
        target=goal,
        plan=plan,
        records=[],
        train_data=None,
    )


def planned(method, model, **run):
    return method.plan(model, run_on(model, **run))
