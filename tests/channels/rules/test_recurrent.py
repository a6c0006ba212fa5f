"""Recurrent units go like filters: with their part of every gate, and with what reads them one step later."""

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
from firekeras.scores.criteria.readers import Readers

pytestmark = pytest.mark.usefixtures("uncompiled")

STEPS, INPUTS = 5, 4
ALL = {"*": 1.0}  # units go only if a cap names their layer
EXACT = 1e-5  # of how much the outputs vary


def network(*layers, shape=(STEPS, INPUTS)):
    keras.utils.clear_session(free_memory=False)
    inputs = x = keras.Input(shape, name="series")
    for layer in layers:
        x = layer(x)
    return scramble(keras.Model(inputs, L.Dense(3, name="logits")(x)))


def cut(model, ratio=0.5):
    plan = firekeras.plan_pruning(
        model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=ratio, layer_caps=ALL
    )
    return plan, firekeras.prune(model, plan)


def proven(model):
    """Cuts the model, and proves it by zeroing the rows of the original that read what is gone, and by masking."""
    plan, smaller = cut(model)
    assert plan.removed
    assert_pruned_equals_masked(model, plan, smaller, EXACT)
    assert firekeras.count_costs(smaller) == plan.costs_after
    masked = MaskedNetwork(model)
    masked.remove(masked.graph.units_of(plan.removed))
    x = samples(model)
    for one, other in zip(predictions(masked.model, x), predictions(smaller, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    return plan, smaller


def bent(x):
    return x / (1 + keras.ops.abs(x))


def with_unregistered_activation(layer):
    layer.forward_layer.cell.activation = layer.backward_layer.cell.activation = bent
    return layer


SEQUENCES = {"return_sequences": True}
LAYERS = {
    "lstm": lambda: (L.LSTM(8, name="a"),),
    "lstm in a row": lambda: (L.LSTM(8, **SEQUENCES), L.LSTM(6, go_backwards=True, use_bias=False)),
    "gru": lambda: (L.GRU(8, **SEQUENCES), L.GRU(6, reset_after=False, unroll=True)),
    "simple": lambda: (L.SimpleRNN(8, **SEQUENCES), L.SimpleRNN(6, activation="relu", recurrent_dropout=0.1)),
    "both ways": lambda: (L.Bidirectional(L.LSTM(8, **SEQUENCES)), L.Bidirectional(L.GRU(6))),
    "sum": lambda: (L.Bidirectional(L.LSTM(8), merge_mode="sum"),),
    "mul": lambda: (L.Bidirectional(L.SimpleRNN(8, **SEQUENCES), merge_mode="mul"), L.Flatten()),
    "ave": lambda: (L.Bidirectional(L.GRU(8), merge_mode="ave"),),
    "other kind backward": lambda: (L.Bidirectional(L.LSTM(8), backward_layer=L.GRU(8, go_backwards=True)),),
    "apart": lambda: (L.Bidirectional(L.LSTM(8), merge_mode=None), L.Add()),
    "cell": lambda: (L.RNN(L.LSTMCell(8)),),
    "cell both ways": lambda: (L.Bidirectional(L.RNN(L.GRUCell(8))),),
    "lambda": lambda: (L.LSTM(8, activation=lambda x: x / (1 + keras.ops.abs(x))),),
    "unregistered": lambda: (with_unregistered_activation(L.Bidirectional(L.LSTM(8))),),
    "behind a convolution": lambda: (L.Conv1D(6, 2, activation="relu"), L.LSTM(8, **SEQUENCES), L.Conv1D(4, 2)),
}


@pytest.mark.parametrize("name", every_backend_runs(LAYERS, "lstm", "both ways", "apart"))
def test_units_go_exactly(name):
    layers = LAYERS[name]()
    model = network(*layers, *([L.Flatten()] if name == "behind a convolution" else []))
    plan, _ = proven(model)
    own = [layer.name for layer in layers if isinstance(layer, (L.RNN, L.Bidirectional))]
    assert set(own) <= set(plan.removed)
    assert not any("model's output" not in reason for reason in firekeras.channel_graph(model).locks.values())


def test_units_inside_time_distributed_go_exactly():
    proven(network(L.TimeDistributed(L.LSTM(8)), L.Flatten(), shape=(2, STEPS, INPUTS)))


VIDEO = (2, 6, 5, 3)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (lambda: (L.ConvLSTM2D(6, 3, padding="same", **SEQUENCES), L.ConvLSTM2D(5, 2, strides=2)), VIDEO),
        (lambda: (L.ConvLSTM1D(6, 3, use_bias=False, **SEQUENCES), L.BatchNormalization()), (3, 6, 3)),
        (lambda: (L.Conv3D(5, 1, activation="relu"), L.ConvLSTM2D(6, 3, dilation_rate=2)), VIDEO),
    ],
)
def test_units_of_conv_lstms_go_exactly(layers, shape):
    model = network(*layers(), L.Flatten(), shape=shape)
    plan, _ = proven(model)
    assert len(plan.removed) == len([layer for layer in model.layers if layer.weights and layer.name != "logits"]) - (
        "batch_normalization" in [layer.name for layer in model.layers]
    )


def test_costs_of_a_smaller_conv_lstm_by_hand():
    model = network(L.ConvLSTM2D(6, (3, 2), padding="same", name="a"), L.GlobalAveragePooling2D(), shape=VIDEO)
    plan, smaller = cut(model)
    left = 6 - plan.removed["a"].size
    assert firekeras.count_costs(smaller).macs == 2 * 6 * 5 * 3 * 2 * 4 * (3 + left) * left + left * 3
    assert firekeras.count_costs(smaller) == plan.costs_after


def test_conv_lstms_that_begin_with_channels_are_followed():
    """TensorFlow does not run them on a CPU: there the cut is made, and only its sizes are looked at."""
    first = {"data_format": "channels_first"}
    layers = L.ConvLSTM2D(6, 3, name="a", **SEQUENCES, **first), L.ConvLSTM2D(5, 2, name="b", **first)
    model = network(*layers, L.GlobalAveragePooling2D(**first), shape=(2, 3, 6, 5))
    plan, smaller = cut(model)
    assert set(plan.removed) == {"a", "b"}
    assert smaller.count_params() == plan.costs_after.params
    if keras.backend.backend() != "tensorflow":
        assert_pruned_equals_masked(model, plan, smaller, EXACT)


def test_a_mask_behind_the_layer_is_not_the_same():
    """The trap: what is multiplied by zero behind the layer still feeds back inside."""
    model = network(L.LSTM(8, name="a"))
    plan, smaller = cut(model)
    outside = network(L.LSTM(8, name="a"), mask := L.Rescaling(np.ones(8, "float32")))
    mask.scale[plan.removed["a"]] = 0
    outside.set_weights(model.get_weights())
    x = samples(model)
    assert np.abs(predictions(outside, x)[0] - predictions(smaller, x)[0]).max() > 1e-3


def test_the_smaller_layers_are_keras_own_and_load(tmp_path):
    model = network(L.Bidirectional(L.LSTM(8, name="inner"), name="a"))
    plan, smaller = cut(model)
    layer = smaller.get_layer("a")
    left = 8 - plan.removed["a"].size
    assert layer.forward_layer.units == layer.backward_layer.units == left < 8
    assert layer.forward_layer.name == "forward_inner"
    assert smaller.get_layer("logits").kernel.shape == (2 * left, 3)
    smaller.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    x = samples(model)
    np.testing.assert_array_equal(predictions(loaded, x)[0], predictions(smaller, x)[0])


def test_costs_of_what_is_left_by_hand():
    model = network(L.LSTM(8, name="a", **SEQUENCES), L.Bidirectional(L.GRU(6, reset_after=True), name="b"))
    plan, smaller = cut(model)
    a, b = 8 - plan.removed["a"].size, 6 - plan.removed["b"].size
    macs = STEPS * 4 * (INPUTS + a) * a + 2 * STEPS * 3 * (a + b) * b + 2 * b * 3
    params = 4 * (INPUTS + a + 1) * a + 2 * 3 * (a + b + 2) * b + (2 * b + 1) * 3
    found = firekeras.count_costs(smaller)
    assert (found.macs, found.params, smaller.count_params()) == (macs, params, params)
    assert found == plan.costs_after


def test_a_layer_that_is_called_twice_in_a_nested_model():
    keras.utils.clear_session(free_memory=False)
    inner = keras.Input((None, INPUTS))
    tower = keras.Model(inner, L.LSTM(8, name="a", **SEQUENCES)(inner), name="tower")
    last = L.Bidirectional(L.GRU(6), name="last")
    series = [keras.Input((STEPS, INPUTS), name=name) for name in ("left", "right")]
    model = keras.Model(series, L.Dense(3)(L.Concatenate()([last(tower(one)) for one in series])))
    plan, _ = proven(scramble(model))
    assert set(plan.removed) == {"tower/a", "last"}


def test_states_carry_units_from_an_encoder_to_a_decoder():
    keras.utils.clear_session(free_memory=False)
    source, target = keras.Input((STEPS, INPUTS), name="source"), keras.Input((3, 2), name="target")
    _, *states = L.LSTM(8, return_state=True, name="encoder")(source)
    decoded = L.LSTM(8, return_sequences=True, name="decoder")(target, initial_state=states)
    model = scramble(keras.Model([source, target], L.Dense(3)(decoded)))
    plan, _ = proven(model)
    np.testing.assert_array_equal(plan.removed["encoder"], plan.removed["decoder"])


def test_states_of_both_directions():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((STEPS, INPUTS))
    y, *states = L.Bidirectional(L.GRU(6, return_state=True), name="a")(inputs)
    proven(scramble(keras.Model(inputs, L.Dense(3)(L.Concatenate()([y, *states])))))


def test_words_behind_an_embedding_with_a_mask():
    keras.utils.clear_session(free_memory=False)
    words = keras.Input((STEPS,), dtype="int32")
    x = L.Embedding(7, INPUTS, mask_zero=True)(words)
    x = L.Bidirectional(L.LSTM(8, return_sequences=True, name="deep"))(x)
    model = scramble(keras.Model(words, L.Dense(3)(L.GRU(6, name="last")(x))))
    plan, smaller = cut(model)
    assert {"bidirectional", "last"} <= set(plan.removed)
    masked = MaskedNetwork(model)
    masked.remove(masked.graph.units_of(plan.removed))
    x = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [6, 5, 4, 3, 2]])
    np.testing.assert_allclose(predictions(masked.model, x)[0], predictions(smaller, x)[0], rtol=0, atol=1e-6)


# What must stay


def softmaxed(x):
    return keras.ops.softmax(x, axis=-1)


def ragged():
    return L.Bidirectional(L.LSTM(8), backward_layer=L.LSTM(6, go_backwards=True), merge_mode=None, name="a")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: L.LSTM(8, activation="softmax", name="a"), "a (LSTM) takes a softmax over these channels"),
        (lambda: L.GRU(8, recurrent_activation=softmaxed, name="a"), "has the activation softmaxed, which mixes"),
        (lambda: L.Bidirectional(L.SimpleRNN(8, activation="softmax"), name="a"), "a (Bidirectional) takes a softmax"),
    ],
)
def test_units_that_mix_must_stay(layer, words):
    graph = firekeras.channel_graph(network(layer()))
    assert words in graph.lock("a", 3)


def test_units_of_a_stateful_layer_must_stay_but_its_inputs_may_go():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input(batch_shape=(2, STEPS, INPUTS))
    x = L.LSTM(8, stateful=True, name="a")(L.Conv1D(6, 1, name="conv")(inputs))
    model = scramble(keras.Model(inputs, L.Dense(3)(x)))
    graph = firekeras.channel_graph(model)
    assert graph.lock("a", 0) == "a (LSTM) is stateful: it carries its units from batch to batch"
    plan, smaller = cut(model)
    assert list(plan.removed) == ["conv"]
    assert smaller.get_layer("a").cell.kernel.shape == (3, 32)


def test_units_that_start_from_an_input_must_stay():
    keras.utils.clear_session(free_memory=False)
    inputs, start = keras.Input((STEPS, INPUTS)), keras.Input((8,))
    model = keras.Model([inputs, start], L.Dense(3)(L.GRU(8, name="a")(inputs, start)))
    assert firekeras.channel_graph(model).lock("a", 0) == "a (GRU) starts from a state that is fixed"


def test_units_made_into_an_output_must_stay():
    inputs = keras.Input((STEPS, INPUTS))
    graph = firekeras.channel_graph(keras.Model(inputs, L.LSTM(8, name="a")(inputs)))
    assert "model's output" in graph.lock("a", 0)


@keras.saving.register_keras_serializable("tests")
class Counting(L.LSTMCell):
    """A cell of somebody's own."""

    def call(self, x, states, training=False):
        return super().call(x, states, training)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: L.RNN([L.LSTMCell(8), L.GRUCell(6)], name="a"), "a (RNN) runs several cells"),
        (lambda: L.RNN(Counting(8), name="a"), "or cells other than those of LSTM, GRU and SimpleRNN"),
        (lambda: L.Bidirectional(L.RNN(Counting(8)), name="a"), "a (Bidirectional) runs several cells"),
    ],
)
def test_strange_cells_lock_what_they_read(layer, words):
    graph = firekeras.channel_graph(network(L.Conv1D(6, 1, name="conv"), layer()))
    assert "a" not in graph.filter_layers
    assert words in graph.lock("conv", 0)


def test_directions_of_different_width_lock_what_they_read():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((STEPS, INPUTS))
    x = L.Conv1D(6, 1, name="conv")(inputs)
    one, other = ragged()(x)
    graph = firekeras.channel_graph(keras.Model(inputs, [L.Dense(3)(one), L.Dense(3)(other)]))
    assert graph.lock("conv", 0) == "a (Bidirectional) has directions of different widths"


# Scores, and what is done around the cut


def test_units_are_scored_by_the_weights_of_all_their_gates():
    model = network(L.Bidirectional(L.LSTM(8), name="a"))
    cells = model.get_layer("a").forward_layer.cell, model.get_layer("a").backward_layer.cell
    norms = sum(
        np.abs(keras.ops.convert_to_numpy(kernel)).reshape(-1, 8).sum(axis=0)
        for cell in cells
        for kernel in (cell.kernel, cell.recurrent_kernel)
    )
    np.testing.assert_allclose(firekeras.score_filters(model, "l1")["a"], -norms, rtol=1e-6)


def test_fire_says_that_units_have_no_relu():
    model = network(L.SimpleRNN(8, activation="relu", name="a"), L.Dense(6, activation="relu", name="fc"))
    profile = firekeras.measure_fire(model, samples(model))
    assert np.isnan(profile["a"]).all() and np.isfinite(profile["fc"]).all()
    assert profile.reasons["a"] == "its output feeds back within a (SimpleRNN), and has no ReLU of its own"
    plan = firekeras.plan_pruning(model, profile, pruning_ratio=0.5, layer_caps=ALL)
    assert "feeds back within a (SimpleRNN)" in plan.explain("a", 0)


def test_criteria_of_readers_say_nothing_of_units_that_read_themselves():
    model = network(L.GRU(8, name="a"), L.Dense(6, activation="relu", name="fc"))
    model.compile("adam", "mse")
    scores = firekeras.score_filters(model, "taylor", data=(samples(model), np.ones((4, 3), "float32")))
    assert np.isnan(scores["a"]).all() and np.isfinite(scores["fc"]).all()
    assert scores.reasons["a"] == "its output feeds back within a (GRU)"
    assert Readers(model)["fc"].units.tolist() == firekeras.channel_graph(model).filters("a").tolist()


def test_means_of_units_are_folded_where_they_are_read_but_not_within_the_layer():
    model = network(L.LSTM(8, name="a"))
    plan, smaller = cut(model)
    x = samples(model, 32)
    expected = predictions(model, x)[0].mean(axis=0)
    before = np.abs(predictions(smaller, x)[0].mean(axis=0) - expected).sum()
    notes = fold_means(model, smaller, plan, x)
    assert notes == [
        "The mean of what a (LSTM) no longer reads is lost: it is neither a convolution nor a dense layer."
    ]
    assert np.abs(predictions(smaller, x)[0].mean(axis=0) - expected).sum() < before


def test_training_goes_on_with_the_optimizers_state():
    model = network(L.Bidirectional(L.GRU(8), name="a"))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(1)  # without a step there is no state
    _, smaller = cut(model)
    slots = [v for v in smaller.optimizer.variables if "momentum" in v.path]
    assert [tuple(v.shape) for v in slots] == [tuple(v.shape) for v in smaller.trainable_variables]
    smaller.fit(samples(model), np.ones((4, 3), "float32"), verbose=0)


def test_units_go_only_if_a_cap_names_their_layer():
    inputs = keras.Input((STEPS, INPUTS))
    x = L.LSTM(8, name="lstm")(L.Conv1D(8, 3, padding="same", activation="relu", name="conv")(inputs))
    model = keras.Model(inputs, L.Dense(2, name="out")(x))
    scores = firekeras.score_filters(model, "l1")
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.5)
    assert {name: filters.size for name, filters in plan.removed.items()} == {"conv": 4}
    assert "go only if a cap names their layer, such as layer_caps={'lstm': 0.5}" in plan.explain("lstm", 0)
    for caps in ({"lstm": 0.5}, {"LSTM": 0.5}, {"l*": 0.5}):
        asked = firekeras.plan_pruning(model, scores, pruning_ratio=0.5, layer_caps=caps)
        assert {name: filters.size for name, filters in asked.removed.items()} == {"conv": 4, "lstm": 4}


def test_a_network_of_recurrent_layers_alone_says_how_to_prune_it():
    inputs = keras.Input((STEPS, INPUTS))
    model = keras.Model(inputs, L.Dense(2)(L.LSTM(8, name="lstm")(inputs)))
    model.compile("sgd", "mse")
    data = np.ones((4, STEPS, INPUTS)), np.ones((4, 2))
    with pytest.raises(ValueError, match=r"no filter that may be removed: .*layer_caps={'lstm': 0\.5}"):
        firekeras.compress(model, data, data, method="l1_global", verbose=0)
