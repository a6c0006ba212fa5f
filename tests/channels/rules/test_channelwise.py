"""Activations of any kind: Keras's own, functions, layers, lambdas; what no rule knows is tried out."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from keras import ops
from oracle import assert_pruned_equals_masked

import firekeras
from firekeras.channels import traced


def plan_of(model):
    return firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.4)


def tensorflow_relu(x):
    import tensorflow as tf

    return tf.nn.relu(x)


RELUS = [lambda: ops.relu, lambda: ops.relu6, lambda: L.ReLU(), lambda: lambda x: ops.maximum(x, 0)]
OTHERS = [lambda: L.LeakyReLU(), lambda: lambda x: x * ops.sigmoid(x), lambda: ops.tanh]
MIXING = [
    (lambda x: ops.softmax(x), "mixes channels"),
    (lambda x: x - ops.mean(x, axis=-1, keepdims=True), "mixes channels"),
    (lambda x: ops.flip(x, axis=-1), "moves channels"),
    (lambda x: x + keras.random.normal(ops.shape(x)), "a different result each time"),
    (lambda x: ops.reshape(x, (-1, 6, 6, 2)), "fails"),
]


@pytest.mark.parametrize("activation", RELUS)
def test_a_relu_by_any_name_is_pruned_and_measured(activation):
    model = networks.scramble(networks.two_convs(activation=activation()))
    plan = plan_of(model)
    assert plan.num_removed == 8
    smaller = firekeras.prune(model, plan)
    assert_pruned_equals_masked(model, plan, smaller)
    assert smaller.get_layer("conv1").activation.__class__ is model.get_layer("conv1").activation.__class__
    assert len(traced(model).relus) == 2


def test_fire_is_counted_behind_a_relu_without_a_name():
    models = [networks.scramble(networks.two_convs(activation=one)) for one in (lambda x: 2 * ops.relu(x), "relu")]
    found, expected = (firekeras.measure_fire(model, networks.samples(model, 8)) for model in models)
    np.testing.assert_array_equal(found["conv1"], expected["conv1"])


@pytest.mark.tensorflow
def test_a_function_of_tensorflow_is_known_by_what_it_does():
    model = networks.scramble(networks.two_convs(activation=tensorflow_relu))
    assert plan_of(model).num_removed == 8 and len(traced(model).relus) == 2


@pytest.mark.parametrize("activation", OTHERS)
def test_what_works_on_each_channel_is_pruned(activation):
    model = networks.scramble(networks.two_convs(activation=activation()))
    plan = plan_of(model)
    assert plan.num_removed == 8
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))
    assert not traced(model).relus and "not a ReLU" in traced(model).unscored["conv1"]


@pytest.mark.parametrize("activation, reason", MIXING)
def test_what_does_not_is_locked_with_a_reason(activation, reason):
    image = keras.Input((8, 8, 3), name="image")
    x = L.Activation(activation, name="odd")(L.Conv2D(2, 3, name="conv1")(image))
    model = keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    lock = firekeras.channel_graph(model).lock("conv1", 0)
    assert "odd (Activation)" in lock and reason in lock
    assert "in odd (Activation), not a ReLU" in traced(model).unscored["conv1"]


def test_an_activation_with_weights_is_locked():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, activation=L.PReLU(shared_axes=[1, 2], name="slopes"), name="conv1")(image)
    model = keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    assert "slopes, which has weights" in firekeras.channel_graph(model).lock("conv1", 0)
