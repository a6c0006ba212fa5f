"""Every layer and operation that channels can pass: right, or refused with a reason."""

import keras
import numpy as np
import pytest
from keras import layers as L
from networks import scramble
from oracle import assert_pruned_equals_masked
from rule_networks import INEXACT, NETWORKS, conv, head, image

import firekeras
from firekeras.channels import registry, rule

# The graph is symbolic and the same on all backends; that surgery computes the same is shown on each for a sample.
PROVEN = list(NETWORKS)[:: 1 if keras.backend.backend() == "tensorflow" else 4]
ALL = {"*": 1.0}  # recurrent units and attention heads too
LOCKED = {
    "strided_slice": "selects single channels",
    "mean_channels": "reduces over these channels",
    "gate_one": "broadcasts this single channel over many",
    "unit_softmax": "takes a softmax over these channels",
    "roll_ops": "computes something else when channels are missing",
    "depth_to_space": "mixes channels, or moves them to several axes",
    "dot_layer": "several tensors, and has no rule for its type",
    "einsum_heads": "multiplies by 'abc,cde->abde'; only products over the last axis are tracked",
    "einsum_positions": "multiplies by 'abc,bd->adc'",
    "attention": "pairs queries with keys",
}


@pytest.mark.every_backend
@pytest.mark.parametrize("name", PROVEN)
def test_pruned_equals_masked(name):
    model = scramble(NETWORKS[name]())
    scores = firekeras.score_filters(model, "random", seed=0)
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.4, layer_caps=ALL)
    smaller = firekeras.prune(model, plan)
    assert plan.removed
    assert firekeras.count_costs(smaller) == plan.costs_after
    assert smaller.count_params() == plan.costs_after.params
    if name not in (*INEXACT, "lambda_ok"):  # Keras will not clone a lambda, as the oracle has to
        assert_pruned_equals_masked(model, plan, smaller)


@pytest.mark.parametrize("name", INEXACT)
def test_what_normalises_over_channels_is_pruned_and_says_that_it_is_not_exact(name):
    graph = firekeras.channel_graph(NETWORKS[name]())
    assert any("normalises over channels" in note for note in graph.notes)


@pytest.mark.parametrize("name", LOCKED)
def test_what_mixes_channels_locks_them_and_says_why(name):
    graph = firekeras.channel_graph(NETWORKS[name]())
    assert any(LOCKED[name] in reason for reason in graph.locks.values())


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in LOCKED and name not in ("lambda_ok",)])
def test_nothing_else_is_locked_but_the_outputs(name):
    graph = firekeras.channel_graph(NETWORKS[name]())
    assert {reason for reason in graph.locks.values() if "model's output" not in reason} == set()


def units(graph, layer):
    return graph.filters(layer).tolist()


def test_residual_stages_are_one_group_and_count_each_filter():
    i = image()
    x = conv(i, 8, name="stem")
    x = L.Add()([x, conv(L.ReLU()(x), 8, name="block")])
    graph = firekeras.channel_graph(head(i, x))
    assert graph.groups[0] == ["stem", "block"]
    assert graph.coupled("stem", 3) == [("stem", 3), ("block", 3)]
    assert graph.unit_sizes[:8].tolist() == [2] * 8


def test_concatenation_keeps_channels_apart_and_addition_ties_them_by_position():
    i = image()
    a, b, c = conv(i, 2, name="a"), conv(i, 3, name="b"), conv(i, 5, name="c")
    graph = firekeras.channel_graph(head(i, L.Add()([L.Concatenate()([a, b]), c])))
    assert units(graph, "c") == units(graph, "a") + units(graph, "b")


def test_a_channel_shuffle_ties_the_same_channel_of_every_group():
    graph = firekeras.channel_graph(NETWORKS["shuffle"]())
    first = graph.filters(graph.filter_layers[0]).reshape(4, 4)
    assert (first == first[0]).all() and len(set(first[0])) == 4


def test_zero_padded_shortcuts_keep_track_of_each_channel():
    i = image()
    x = conv(i, 4, name="narrow")
    padded = keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [1, 3]])
    graph = firekeras.channel_graph(head(i, L.Add()([padded, conv(x, 8, name="wide")])))
    assert units(graph, "wide")[1:5] == units(graph, "narrow")
    assert len(set(units(graph, "wide"))) == 8


def test_grouped_convolutions_lose_whole_groups():
    graph = firekeras.channel_graph(NETWORKS["grouped"]())
    first, second = (graph.filters(name) for name in graph.filter_layers[:2])
    assert (first.reshape(4, 4) == second.reshape(4, 6)[:, :1]).all()
    assert len(set(first)) == 4


class Doubled(L.Layer):
    """Unknown, without weights, channel by channel."""

    def call(self, x):
        return 2 * keras.ops.maximum(x, -1)


class Reversed(L.Layer):
    def call(self, x):
        return keras.ops.flip(x, axis=-1)


class Centred(L.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=-1, keepdims=True)


class Largest(L.Layer):
    """Mixes channels where NaN alone would not show it."""

    def call(self, x):
        return keras.ops.where(x >= keras.ops.max(x, axis=-1, keepdims=True), x, 0.0)


class Fickle(L.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        return x + keras.random.uniform(keras.ops.shape(x), seed=self.seeds)


class Fixed(L.Layer):
    """Works on eight channels alone."""

    def call(self, x):
        return x * keras.ops.arange(1, 9, dtype="float32")


class ByPosition(L.Layer):
    """Follows one channel each, but the mapping depends on how many there are."""

    def call(self, x):
        n = x.shape[-1]
        return keras.ops.take(x, [(3 * k + 1) % n for k in range(n)], axis=-1)


def with_layer(layer, filters=8):
    i = image()
    return head(i, conv(layer(conv(i, filters, name="first")), 6))


@pytest.mark.every_backend
@pytest.mark.parametrize("layer", [Doubled, Reversed])
def test_unknown_layers_that_treat_channels_one_by_one_are_tried_out_and_followed(layer):
    model = scramble(with_layer(layer()))
    graph = firekeras.channel_graph(model)
    assert graph.lock("first", 0) is None
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=0.4)
    assert "first" in plan.removed
    smaller = firekeras.prune(model, plan)
    x = np.random.default_rng(0).uniform(size=(3, 12, 12, 3)).astype("float32")
    second = model.layers[3]
    kernel = keras.ops.convert_to_numpy(second.kernel).copy()
    gone = plan.removed["first"] if layer is Doubled else 7 - plan.removed["first"]
    kernel[:, :, gone] = 0
    second.kernel.assign(kernel)
    dense = model.layers[-1]
    kernel = keras.ops.convert_to_numpy(dense.kernel).copy()
    kernel[plan.removed.get(second.name, [])] = 0
    dense.kernel.assign(kernel)
    np.testing.assert_allclose(model.predict(x, verbose=0), smaller.predict(x, verbose=0), atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Centred, "mixes channels: channel 0 of its output follows 8 of its input"),
        (Largest, "mixes channels, or moves them to several axes"),
        (Fickle, "gives a different result each time"),
        (Fixed, "fails when it is tested"),
        (ByPosition, "computes something else when channels are missing"),
    ],
)
def test_unknown_layers_that_do_not_give_a_clean_answer_lock_their_channels(layer, words):
    graph = firekeras.channel_graph(with_layer(layer()))
    assert layer.__name__ in graph.lock("first", 0) and words in graph.lock("first", 0)


class Scale(L.Layer):
    """A user's layer with a weight per channel."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


def test_a_user_registers_a_rule_in_a_few_lines(monkeypatch):
    monkeypatch.setattr(registry, "_RULES", dict(registry._RULES))
    assert "no rule for its type; register one" in firekeras.channel_graph(with_layer(Scale())).lock("first", 0)

    @rule(Scale)
    def scale(call, x):
        call.weight(call.layer.factor, call.vector(x, -1))
        return call.passed_on(x)

    model = scramble(with_layer(Scale()))
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=0.4)
    smaller = firekeras.prune(model, plan)
    assert smaller.layers[2].factor.shape == (8 - plan.removed["first"].size,)
    assert_pruned_equals_masked(model, plan, smaller)


class Halved(L.Conv2D):
    def call(self, x):
        return super().call(x) * 0.5


class Renamed(L.Conv2D):
    """A subclass that computes what a Conv2D does."""


def test_a_subclass_is_trusted_only_where_it_computes_what_its_base_does():
    i = image()
    graph = firekeras.channel_graph(
        head(i, Renamed(6, 3, name="renamed")(Halved(8, 3, name="halved")(conv(i, 4, name="first"))))
    )
    assert "Halved" in graph.lock("first", 0)
    assert "halved" not in graph.filter_layers
    assert graph.lock("renamed", 0) is None


def test_a_lambda_is_tried_out_and_kept():
    model = NETWORKS["lambda_ok"]()
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=0.4)
    smaller = firekeras.prune(model, plan)
    assert smaller.get_layer(model.layers[2].name).function is model.layers[2].function


def test_quantised_layers_are_refused_by_name():
    model = keras.Sequential([keras.Input((8,)), L.Dense(16, name="wide"), L.Dense(4)])
    model.layers[0].quantize("int8")
    with pytest.raises(ValueError, match="'wide' is quantised"):
        firekeras.channel_graph(model)


def test_weights_shared_between_layers_are_refused_by_name():
    class Transposed(L.Layer):
        def __init__(self, source):
            super().__init__(name="back")
            self.kernel = source.kernel

        def call(self, x):
            return x @ keras.ops.transpose(self.kernel)

    encoder = L.Dense(5, name="encoder")
    i = keras.Input((8,))
    code = encoder(i)
    model = keras.Model(i, Transposed(encoder)(code))
    with pytest.raises(ValueError, match="share the weight"):
        firekeras.channel_graph(model)


def channels_first():
    i = keras.Input((3, 12, 12))
    x = L.Conv2D(16, 3, padding="same", activation="relu", data_format="channels_first", name="first")(i)
    x = L.BatchNormalization(axis=1)(x)
    x = L.MaxPooling2D(data_format="channels_first")(x)
    x = L.Conv2D(8, 3, padding="same", data_format="channels_first")(x)
    x = L.Concatenate(axis=1)([x, L.DepthwiseConv2D(3, padding="same", data_format="channels_first")(x)])
    return keras.Model(i, L.Dense(4)(L.Flatten(data_format="channels_first")(x)))


def test_channels_first_networks_are_followed():
    graph = firekeras.channel_graph(channels_first())
    assert [graph.filters(name).size for name in graph.filter_layers] == [16, 8, 8, 4]
    assert not any(graph.lock("first", k) for k in range(16))


@pytest.mark.every_backend
def test_channels_first_networks_are_cut_where_the_backend_runs_them():
    """TensorFlow has no such convolutions on a CPU: there the cut is made and only its sizes are looked at."""
    model = scramble(channels_first())
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=0.4)
    smaller = firekeras.prune(model, plan)
    assert smaller.count_params() == plan.costs_after.params < model.count_params()
    if keras.backend.backend() != "tensorflow":
        assert_pruned_equals_masked(model, plan, smaller)


@pytest.mark.filterwarnings("ignore:.*was passed an input with a mask")
def test_a_normalization_with_a_mask_locks_what_it_reads():
    i, mask = keras.Input((6, 6, 2)), keras.Input((6, 6), dtype="bool")
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, padding="same", name="conv")(i), mask=mask)
    graph = firekeras.channel_graph(keras.Model([i, mask], L.GlobalAveragePooling2D()(L.ReLU()(x))))
    assert "norm (BatchNormalization) is called with inputs that firekeras does not follow" in graph.lock("conv", 0)


def test_a_call_that_a_rule_stumbles_over_is_refused_in_a_sentence(monkeypatch):
    """As `Flatten()([x])`, which files of strangers hold."""
    monkeypatch.setitem(registry._RULES, L.ReLU, lambda call, x: [x].rank)
    i = keras.Input((6, 6, 2))
    x = L.GlobalAveragePooling2D()(L.ReLU(name="act")(L.Conv2D(4, 3)(i)))
    with pytest.raises(ValueError, match=r"act \(ReLU\) is called in a way that cannot be followed: 'list' object has"):
        firekeras.channel_graph(keras.Model(i, L.Dense(2)(x)))
