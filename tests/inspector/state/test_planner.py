"""The preview is what the library plans, and what its surgery leaves."""

import keras
import networks
import numpy as np
import pytest
from random_graphs import random_graph, random_scores

import firekeras
from firekeras.plan.selection import Ranking
from inspector.state.choices import Choices
from inspector.state.goals import Goal
from inspector.state.planner import Planner, plan_of


@pytest.mark.parametrize("seed", range(60))
def test_a_preview_takes_what_a_plan_takes(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, shared=seed % 3 > 0, split=seed % 4 == 0)
    planner = Planner(graph, random_scores(rng, graph))
    for ratio in (0, 0.02, 0.2, 0.4, 0.5, 0.6, 0.8, 0.95):
        caps = {name: float(rng.choice([0, 0.3, 0.5, 1])) for name in graph.filter_layers}
        choices = Choices(ratio, caps if seed % 2 else {}, round_to=1 + 3 * (seed % 5 == 0))
        plan = planner.plan(choices)
        assert (planner.preview(choices).units == graph.units_of(plan.removed)).all()
        assert (planner.places == np.concatenate([plan.ranks[name] for name in graph.filter_layers])).all()


def test_another_ratio_is_previewed_without_another_ranking(monkeypatch):
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    planner, made = Planner(graph, random_scores(rng, graph)), []
    monkeypatch.setattr("inspector.state.planner.Ranking", lambda *args: made.append(args) or Ranking(*args))
    for ratio in (0.1, 0.5, 0.9):
        planner.preview(Choices(ratio))
    assert len(made) == 1


def test_preview_is_the_plan_and_the_surgery(residual_files):
    model = keras.models.load_model(residual_files[0])
    profile = firekeras.FireProfile.load(residual_files[1])
    planner = Planner(profile.graph, profile)
    free = next(name for name in profile.graph.filter_layers if planner.preview(Choices(ratio=0.9)).widths[name] < 4)
    choices = Choices(ratio=0.6, caps={free: 0.5}, min_keep=0.2)
    preview, plan = planner.preview(choices), plan_of(profile.graph, profile, choices)
    smaller = firekeras.prune(model, plan)
    assert preview.num_gone == plan.num_removed > 0
    assert preview.costs == plan.costs_after
    assert preview.costs.params == smaller.count_params()
    assert preview.costs == firekeras.count_costs(smaller)
    assert preview.widths == firekeras.channel_graph(smaller).widths
    assert smaller.predict(networks.samples(model, 2), verbose=0).shape == (2, 4)


def test_a_search_for_a_goal_calls_what_may_end_it_between_its_steps(residual_files):
    profile = firekeras.FireProfile.load(residual_files[1])
    choices = Choices(goal=Goal("half", {"macs": 0.5}))

    def end():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Planner(profile.graph, profile).preview(choices, end)
    called = []
    Planner(profile.graph, profile).preview(choices, lambda: called.append(1))
    assert len(called) > 2
