"""Plans made or changed by hand are held against the model before anything is cut."""

import dataclasses

import networks
import numpy as np
import pytest

import firekeras


@pytest.fixture(scope="module")
def model():
    return networks.scramble(networks.two_convs())


@pytest.fixture(scope="module")
def plan(model):
    return firekeras.plan_pruning(model, firekeras.score_filters(model), pruning_ratio=0.2)


@pytest.mark.parametrize(
    ("removed", "words"),
    [
        ([0.9, 1.2], r"removes filters \[0\.9, 1\.2\] of layer 'conv1'\. Expected their indices, whole numbers"),
        ([True, True], r"removes filters \[True, True\] of layer 'conv1'\. Expected their indices"),
        ([-1], r"removes filters \[-1\] of layer 'conv1', which has filters 0 to"),
        ([99], r"removes filters \[99\] of layer 'conv1', which has filters 0 to"),
    ],
)
def test_filters_are_indices(model, plan, removed, words):
    with pytest.raises(ValueError, match=words):
        firekeras.prune(model, dataclasses.replace(plan, removed={"conv1": np.array(removed)}))


def test_widths_are_those_of_every_layer(model, plan):
    with pytest.raises(ValueError, match=r"for another model: it does not know layer 'conv1'"):
        firekeras.prune(model, dataclasses.replace(plan, widths={}))
    with pytest.raises(ValueError, match=r"for another model: it expects 3 filters in layer 'conv1'"):
        firekeras.prune(model, dataclasses.replace(plan, widths={**plan.widths, "conv1": 3}))


@pytest.mark.parametrize("steps", [0, 3])
def test_an_optimizer_that_has_taken_no_step_gets_no_slots(plan, steps):
    model = networks.scramble(networks.two_convs())
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)  # as Keras does when it loads a model
    model.optimizer.iterations.assign(steps)
    smaller = firekeras.prune(model, plan)
    assert smaller.compiled and smaller.optimizer.built == bool(steps)
