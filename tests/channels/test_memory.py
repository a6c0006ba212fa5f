"""A model is traced once while nothing of it changes, and again once something has."""

import gc
import weakref

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras.channels import memory, registry, trace, traced


@pytest.fixture
def traces(monkeypatch):
    """The models that were traced."""
    done, real = [], trace.trace_model
    monkeypatch.setattr(trace, "trace_model", lambda model: done.append(model.name) or real(model))
    return done


def small():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((4, 4, 3))
    x = L.Lambda(lambda x: x * 2)(L.BatchNormalization()(L.Conv2D(8, 3, activation="relu", name="conv")(inputs)))
    model = networks.scramble(keras.Model(inputs, L.Dense(2, name="dense")(L.Flatten()(x)), name="small"))
    model.compile("sgd", "mse")
    return model


def test_functions_in_a_row_trace_a_model_once(traces):
    model = small()
    graph = firekeras.channel_graph(model)
    scores = firekeras.score_filters(model, "bn_scale")
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.3)
    firekeras.count_costs(model)
    smaller = firekeras.prune(model, plan)
    assert traces == ["small"]
    assert firekeras.count_costs(smaller) == plan.costs_after
    assert len(traces) == 2
    assert graph.widths == firekeras.channel_graph(model).widths


def test_training_and_running_change_nothing_that_a_trace_rests_on(traces):
    model = small()
    firekeras.channel_graph(model)
    model.fit(np.ones((4, 4, 4, 3)), np.ones((4, 2)), verbose=0)
    model.predict(np.ones((1, 4, 4, 3)), verbose=0)
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    firekeras.channel_graph(model)
    assert traces == ["small"]


def test_values_are_those_of_now(traces):
    model = small()
    before = firekeras.score_filters(model, "l1")["conv"]
    model.get_layer("conv").kernel.assign(2 * model.get_layer("conv").kernel)
    np.testing.assert_allclose(firekeras.score_filters(model, "l1")["conv"], 2 * before, rtol=1e-6)
    model.layers[2].gamma.assign(np.full(8, 3.0))
    np.testing.assert_allclose(firekeras.score_filters(model, "bn_scale")["conv"], -3)
    assert traces == ["small"]


def another_activation(model):
    model.get_layer("conv").activation = keras.activations.softmax


def another_closure(model):
    factor = [1, 2]
    model.layers[3].function = lambda x: x * factor[0]


def another_kernel(model):
    conv = model.get_layer("conv")
    conv._tracker.unlock()
    conv._kernel = keras.Variable(conv.kernel)
    conv._tracker.lock()


def another_attribute(model):
    model.layers[-1].kernel_quantizer = object()


@pytest.mark.parametrize("change", [another_activation, another_closure, another_kernel, another_attribute])
def test_what_is_exchanged_is_traced_again(change, traces):
    model = small()
    firekeras.channel_graph(model)
    change(model)
    graph = firekeras.channel_graph(model)
    assert len(traces) == 2
    assert (graph.lock("conv", 0) is not None) == (change is another_activation)


def test_another_model_in_its_place_is_traced_again(traces):
    """As the callback does it: the object stays, and what it consists of is that of the smaller one."""
    model = small()
    scores = firekeras.score_filters(model, "l1")
    smaller = firekeras.prune(model, firekeras.plan_pruning(model, scores, pruning_ratio=0.5))
    model.__dict__ = smaller.__dict__
    assert firekeras.channel_graph(model).widths == firekeras.channel_graph(smaller).widths


def test_a_new_rule_is_heeded(traces):
    model = small()
    firekeras.channel_graph(model)
    known = dict(registry._RULES)
    try:
        firekeras.channels.rule(L.Lambda)(lambda call, x: call.refuse((x,), {}, "is refused")[0])
        assert "is refused" in firekeras.channel_graph(model).lock("conv", 0)
    finally:
        registry._RULES.clear()
        registry._RULES.update(known)
    assert firekeras.channel_graph(model).lock("conv", 0) is None


def test_what_somebody_does_to_a_graph_is_theirs_alone():
    model = small()
    graph = firekeras.channel_graph(model)
    graph.locks[0] = "mine"
    graph.notes.append("mine")
    assert firekeras.channel_graph(model).lock("conv", 0) is None
    assert firekeras.channel_graph(model).notes == []


def test_models_are_let_go():
    model = small()
    traced(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
    assert all(entry[0]() is not None for entry in memory._remembered)


def test_only_the_last_few_are_remembered(traces):
    models = [small() for _ in range(memory.MODELS + 1)]
    for model in [*models, models[0], models[0]]:
        firekeras.channel_graph(model)
    assert len(traces) == memory.MODELS + 2
