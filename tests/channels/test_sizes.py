"""Sizes that are open behind the inputs do not end the tracing: what can be run is exact, and the rest is said."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from keras import ops
from oracle import assert_pruned_equals_masked

import firekeras


class Patches(L.Layer):
    """As vision transformers cut an image: how many patches there are is not known before it runs."""

    def call(self, x):
        patches = ops.image.extract_patches(x, 4)
        return ops.reshape(patches, (ops.shape(x)[0], -1, patches.shape[-1]))


def strided():
    return L.Lambda(lambda x: x[:, 0, ::2], output_shape=(None, 3))


def network(first, shape=(16, 16, 3), dtype=None):
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input(shape, dtype=dtype)
    x = L.Dense(8, activation="relu", name="one")(first(inputs))
    x = L.Dense(8, activation="relu", name="two")(L.Conv1D(8, 3, padding="same", name="conv")(x))
    return networks.scramble(keras.Model(inputs, L.Dense(2, name="out")(L.GlobalAveragePooling1D()(x))))


def macs(positions, features):
    return positions * (8 * features + 3 * 8 * 8 + 8 * 8) + 8 * 2


@pytest.mark.parametrize(("first", "positions", "features"), [(Patches, 16, 48), (strided, 8, 3)])
def test_what_can_be_run_is_counted_exactly(first, positions, features):
    graph = firekeras.channel_graph(network(first()))
    assert firekeras.count_costs(graph).macs == macs(positions, features)
    assert graph.notes == []


def test_what_is_read_behind_an_open_size_is_cut_exactly():
    model = network(Patches())
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.4)
    smaller = firekeras.prune(model, plan)
    assert {"one", "two", "conv"} <= set(plan.removed)
    assert_pruned_equals_masked(model, plan, smaller)
    assert plan.costs_after == firekeras.count_costs(smaller)


def test_texts_are_counted_for_a_nominal_size_and_it_is_said():
    words = L.TextVectorization(vocabulary=["a", "b"])
    model = network(lambda x: L.Embedding(4, 5)(words(x)), (1,), "string")
    graph = firekeras.channel_graph(model)
    assert firekeras.count_costs(graph).macs == macs(224, 5)
    assert any("TextVectorization) is open, (None, None): MACs are counted for 224" in note for note in graph.notes)


def masked(x):
    """Padded steps are masked, and the mask is worked on."""
    x = L.Embedding(9, 6, mask_zero=True)(x)
    return L.LSTM(5, return_sequences=True)(x) * ops.cast(ops.logical_not(x[..., :1] > 0.5), "float32")


def test_masks_and_comparisons_over_open_steps():
    model = network(masked, (None,), "int32")
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.4)
    smaller = firekeras.prune(model, plan)
    x = np.arange(14).reshape(2, 7) % 9
    assert smaller.predict(x, verbose=0).shape == (2, 2)
    assert plan.costs_after.macs == firekeras.count_costs(smaller).macs


def reshaped(shape):
    """A reshape that fits images of 4 x 4, and not the 224 x 224 that stand in for an open size."""
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((None, None, 3))
    x = L.Reshape(shape)(L.Conv2D(8, 1, name="conv")(inputs))
    return networks.scramble(keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling1D()(x))))


def test_a_reshape_of_open_sizes_that_mixes_channels_and_positions_locks_them():
    graph = firekeras.channel_graph(reshaped((8, 16)))
    assert all(graph.lock("conv", k) for k in range(8))


def test_a_reshape_of_open_sizes_that_leaves_the_channels_last_is_cut_exactly():
    model = reshaped((16, 8))
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.5)
    smaller = firekeras.prune(model, plan)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    kernel, bias = model.get_layer("conv").get_weights()
    gone = plan.removed["conv"]
    kernel[..., gone], bias[gone] = 0, 0
    model.get_layer("conv").set_weights([kernel, bias])
    assert gone.size == 4
    np.testing.assert_allclose(model.predict(x, verbose=0), smaller.predict(x, verbose=0), atol=1e-6)


def test_dense_behind_a_reshape_to_as_many_rows_as_there_are():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((8, 8, 3))
    x = L.Reshape((-1, 8))(L.Conv2D(8, 1, name="conv")(inputs))
    model = networks.scramble(keras.Model(inputs, L.Dense(2)(L.GlobalMaxPooling1D()(x))))
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.5)
    assert plan.removed["conv"].size == 4
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))
