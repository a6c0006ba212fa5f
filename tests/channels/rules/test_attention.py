"""Heads of attention go like filters: with their slices of all projections; keys and values with their queries."""

import keras
import numpy as np
import pytest
from backends import every_backend_runs
from keras import layers as L
from networks import predictions, samples, scramble
from oracle import assert_pruned_equals_masked

import firekeras
from firekeras.network.masking import MaskedNetwork
from firekeras.recovery import fold_means

STEPS, WIDTH = 6, 8
ALL = {"*": 1.0}  # heads go only if a cap names them
EXACT = 1e-5  # of how much the outputs vary


def attended(build, shape=(STEPS, 5)):
    """A network around what `build` makes of queries, and of keys and values."""
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input(shape, name="series")
    query, value = (L.Dense(WIDTH, name=name)(inputs) for name in ("query", "value"))
    y = keras.tree.flatten(build(query, value))
    return scramble(keras.Model(inputs, [L.Dense(3)(one) for one in y]))


def multi(heads=4, dim=3, **settings):
    return L.MultiHeadAttention(heads, dim, name="a", **settings)


def grouped(**settings):
    return L.GroupQueryAttention(3, 8, 4, name="a", **settings)


def scores_as_features(y):
    return [y[0], L.Permute((2, 3, 1))(y[1])]


CAUSAL = np.tril(np.ones((STEPS, STEPS), bool))
NETWORKS = {
    "itself": lambda q, v: multi()(q, q),
    "another": lambda q, v: multi(value_dim=2, dropout=0.1)(q, v, use_causal_mask=True),
    "key": lambda q, v: multi(output_shape=9, use_bias=False)(q, v, L.Dense(6)(v)),
    "mask": lambda q, v: multi()(q, v, attention_mask=CAUSAL[None]),
    "mask of one head": lambda q, v: multi()(q, v, attention_mask=CAUSAL[None, None]),
    "scores": lambda q, v: scores_as_features(multi()(q, v, return_attention_scores=True)),
    "gate": lambda q, v: multi(use_gate=True)(q, v),
    "residual": lambda q, v: L.Add()([q, multi()(q, q)]),
    "called twice": lambda q, v: (one := multi()) and L.Add()([one(q, v), one(q, v)]),
    "groups": lambda q, v: grouped()(q, v),
    "groups with keys": lambda q, v: grouped()(q, v, L.Dense(6)(v)),
    "groups with a gate": lambda q, v: grouped(use_gate=True, use_bias=False)(q, v),
    "scores of groups": lambda q, v: scores_as_features(grouped()(q, v, return_attention_scores=True)),
}


def cut(model):
    plan = firekeras.plan_pruning(
        model, firekeras.score_filters(model, "random", seed=1), pruning_ratio=0.5, layer_caps=ALL
    )
    return plan, firekeras.prune(model, plan)


def proven(model):
    """Cuts the model, and proves it by zeroing the rows of the original that read what is gone, and by masking."""
    plan, smaller = cut(model)
    assert "a/heads" in plan.removed
    assert_pruned_equals_masked(model, plan, smaller, EXACT)
    assert firekeras.count_costs(smaller) == plan.costs_after
    assert smaller.count_params() == plan.costs_after.params
    masked = MaskedNetwork(model)
    masked.remove(masked.graph.units_of(plan.removed))
    x = samples(model)
    for one, other in zip(predictions(masked.model, x), predictions(smaller, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    return plan, smaller


@pytest.mark.parametrize("name", every_backend_runs(NETWORKS, "itself"))
def test_heads_go_exactly(name):
    model = attended(NETWORKS[name])
    proven(model)
    locks = firekeras.channel_graph(model).locks.values()
    assert not any("model's output" not in reason for reason in locks)


def test_heads_over_one_of_two_axes_with_several_axes_put_out():
    proven(attended(lambda q, v: multi(attention_axes=2, output_shape=(2, 5))(q, q), shape=(3, 4, 5)))


def test_words_behind_an_embedding_with_a_mask():
    keras.utils.clear_session(free_memory=False)
    words = keras.Input((STEPS,), dtype="int32")
    x = L.Embedding(7, 5, mask_zero=True)(words)
    model = scramble(keras.Model(words, L.Dense(3)(multi(output_shape=9)(x, x))))
    plan, smaller = cut(model)
    assert {"a", "a/heads"} == set(plan.removed)
    masked = MaskedNetwork(model)
    masked.remove(masked.graph.units_of(plan.removed))
    x = np.array([[1, 2, 3, 0, 0, 0], [6, 5, 4, 3, 2, 1]])
    np.testing.assert_allclose(predictions(masked.model, x)[0], predictions(smaller, x)[0], rtol=0, atol=1e-5)


def test_the_smaller_layer_is_keras_own_and_loads(tmp_path):
    model = attended(NETWORKS["itself"])
    plan, smaller = cut(model)
    layer, left = smaller.get_layer("a"), 4 - plan.removed["a/heads"].size
    assert (layer.num_heads, layer.key_dim) == (left, 3)
    assert layer.query_dense.kernel.shape[1:] == (left, 3)
    smaller.save(tmp_path / "small.keras")
    x = samples(model)
    loaded = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(predictions(loaded, x)[0], predictions(smaller, x)[0])


def test_costs_of_what_is_left_by_hand():
    plan, smaller = cut(attended(NETWORKS["groups"]))
    heads = 4 - plan.removed["a/heads"].size
    width = WIDTH - plan.removed["query"].size
    dense = STEPS * width * (5 + 5 + 3)
    projections = STEPS * 3 * heads * width * (2 + 1 + 1 + 2)
    assert firekeras.count_costs(smaller).macs == dense + projections + 2 * STEPS * STEPS * 2 * heads * 3


def test_groups_want_values_as_wide_as_queries():
    graph = firekeras.channel_graph(attended(NETWORKS["groups"]))
    assert graph.coupled("query", 3) == [("query", 3), ("value", 3), ("a", 3)]


def test_heads_of_queries_go_with_those_of_keys_and_values():
    model = attended(NETWORKS["groups"])
    graph = firekeras.channel_graph(model)
    assert graph.widths["a/heads"] == 4
    plan, smaller = cut(model)
    left, layer = 4 - plan.removed["a/heads"].size, smaller.get_layer("a")
    assert (layer.num_key_value_heads, layer.num_query_heads) == (left, 2 * left)


def test_one_head_is_kept():
    model = attended(lambda q, v: multi(heads=2)(q, v))
    scores = firekeras.score_filters(model, "l1")
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.9, layer_caps=ALL, max_cut=1.0, min_keep=0)
    assert plan.removed["a/heads"].size == 1
    assert firekeras.prune(model, plan).get_layer("a").num_heads == 1


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda q, v: multi()(q, v, attention_mask=np.stack([CAUSAL] * 4)[None]), "receives a mask for each head"),
        (lambda q, v: multi()(q, v, attention_mask=v[..., :STEPS] > 0), "receives a mask that depends on channels"),
        (lambda q, v: grouped()(q, v, attention_mask=np.stack([CAUSAL] * 8)[None]), "receives a mask for each head"),
    ],
)
def test_masks_by_head_or_by_channel_lock_what_is_read(build, words):
    graph = firekeras.channel_graph(attended(build))
    assert "a/heads" not in graph.filter_layers
    assert words in graph.lock("query", 0)


def test_heads_are_scored_by_all_their_weights():
    model = attended(NETWORKS["another"])
    layer = model.get_layer("a")
    shares = [np.abs(layer.output_dense.get_weights()[0]).sum(axis=(1, 2))]
    for dense in (layer.query_dense, layer.key_dense, layer.value_dense):
        shares.append(np.abs(dense.get_weights()[0]).sum(axis=(0, 2)))
    np.testing.assert_allclose(firekeras.score_filters(model, "l1")["a/heads"], -sum(shares), rtol=1e-6)


def test_fire_says_that_heads_have_no_relu():
    model = attended(lambda q, v: L.Dense(6, activation="relu", name="fc")(multi()(q, v)))
    profile = firekeras.measure_fire(model, samples(model))
    assert np.isnan(profile["a/heads"]).all() and np.isfinite(profile["fc"]).all()
    reason = "its output is weighed by the softmax of a (MultiHeadAttention), and has no ReLU of its own"
    assert profile.reasons["a/heads"] == reason


def test_means_that_attention_no_longer_reads_are_reported():
    model = attended(NETWORKS["another"])
    plan, smaller = cut(model)
    lost = "The mean of what a (MultiHeadAttention) no longer reads is lost: it is neither a convolution nor a dense"
    assert any(note.startswith(lost) for note in fold_means(model, smaller, plan, samples(model)))
