"""MACs of layers that are no convolutions, by hand; and what cannot be counted is named."""

import json
import math

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from keras import ops

import firekeras
from firekeras.channels.graph import ChannelGraph
from firekeras.channels.rules.products import einsum_macs
from firekeras.report.tables import cost_rows


def costs(shape, layer, name=None):
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input(shape)
    return firekeras.count_costs(keras.Model(inputs, layer(inputs)))


RECURRENT = [
    ((7, 5), lambda: L.SimpleRNN(3), 7 * (5 * 3 + 3 * 3)),
    ((7, 5), lambda: L.LSTM(3), 7 * 4 * (5 * 3 + 3 * 3)),
    ((7, 5), lambda: L.GRU(3, return_sequences=True), 7 * 3 * (5 * 3 + 3 * 3)),
    ((7, 5), lambda: L.Bidirectional(L.LSTM(3)), 2 * 7 * 4 * (5 * 3 + 3 * 3)),
    ((7, 5), lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2)]), 7 * (4 * (5 * 3 + 3 * 3) + 3 * (3 * 2 + 2 * 2))),
    ((7, 5), lambda: L.Bidirectional(L.RNN(L.SimpleRNNCell(3))), 2 * 7 * (5 * 3 + 3 * 3)),
    ((2, 7, 5), lambda: L.TimeDistributed(L.LSTM(3)), 2 * 7 * 4 * (5 * 3 + 3 * 3)),
    ((None, 5), lambda: L.LSTM(3), 224 * 4 * (5 * 3 + 3 * 3)),
    ((6, 8, 9, 3), lambda: L.ConvLSTM2D(5, 3, padding="same"), 6 * 8 * 9 * 9 * 4 * (3 * 5 + 5 * 5)),
    ((6, 9, 9, 3), lambda: L.ConvLSTM2D(5, 3, strides=2), 6 * 4 * 4 * 9 * 4 * (3 * 5 + 5 * 5)),
    ((6, 8, 3), lambda: L.ConvLSTM1D(5, 3, padding="same", return_sequences=True), 6 * 8 * 3 * 4 * (3 * 5 + 5 * 5)),
]


@pytest.mark.parametrize(("shape", "layer", "macs"), RECURRENT)
def test_recurrent_layers_count_by_step(shape, layer, macs):
    found = costs(shape, layer())
    assert (found.macs, found.conv_macs, found.uncounted) == (macs, 0, ())


def attention(layer, **kwargs):
    return lambda x: layer(x, ops.multiply(x, 2.0), **kwargs)


HEADS, DIM = 2, 4
PROJECTED = 4 * 6 * 8 * HEADS * DIM  # query, key, value and output
SCORED = 6 * 6 * HEADS * 2 * DIM
ATTENTION = [
    (attention(L.MultiHeadAttention(HEADS, DIM)), PROJECTED + SCORED),
    (attention(L.MultiHeadAttention(HEADS, DIM), use_causal_mask=True), PROJECTED + SCORED),
    (attention(L.GroupQueryAttention(DIM, 4, 2)), 6 * 8 * DIM * (4 + 2 + 2 + 4) + 2 * 6 * 6 * 4 * DIM),
    (lambda x: L.Attention()([x, x]), 6 * 6 * 8 * 2),
    (lambda x: L.AdditiveAttention()([x, x]), 6 * 6 * 8 * 2),
    (lambda x: L.AdditiveAttention(use_scale=False)([x, x]), 6 * 6 * 8),
]


@pytest.mark.parametrize(("layer", "macs"), ATTENTION)
def test_attention_counts_projections_scores_and_sums(layer, macs):
    found = costs((6, 8), layer)
    assert (found.macs, found.conv_macs, found.uncounted) == (macs, 0, ())


def test_attention_over_one_of_two_axes():
    found = costs((3, 6, 8), attention(L.MultiHeadAttention(HEADS, DIM, attention_axes=2)))
    assert found.macs == 3 * (PROJECTED + SCORED)


KERNEL = np.ones((3, 3, 8, 5), "float32")
PRODUCTS = [
    ((6, 8), L.EinsumDense("abc,cd->abd", (None, 5)), 6 * 8 * 5, 0),
    ((6, 8), L.EinsumDense("...x,xy->...y", 5), 6 * 8 * 5, 0),
    ((6, 8), L.EinsumDense("abc,cde->abde", (None, 2, 5)), 6 * 8 * 2 * 5, 0),
    ((6, 8), L.EinsumDense("abc,bd->adc", (5, None)), 6 * 8 * 5, 0),
    ((6, 8), lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), 6 * 6 * 8, 0),
    ((6, 8), lambda x: ops.matmul(x, np.ones((8, 3), "float32")), 6 * 8 * 3, 0),
    ((6, 8), lambda x: ops.einsum("abc,adc->abd", x, x), 6 * 6 * 8, 0),
    ((6, 8), lambda x: ops.tensordot(x, np.ones((8, 3), "float32"), 1), 6 * 8 * 3, 0),
    ((6, 8), lambda x: L.Dot(axes=2)([x, x]), 6 * 6 * 8, 0),
    ((8,), lambda x: L.Dot(axes=1)([x, x]), 8, 0),
    ((7, 7, 8), lambda x: ops.conv(x, KERNEL), 5 * 5 * 9 * 8 * 5, 5 * 5 * 9 * 8 * 5),
    ((6, 2, 4), lambda x: ops.dot_product_attention(x, x, x), 2 * 6 * 6 * 2 * 4, 0),
]


@pytest.mark.parametrize(("shape", "layer", "macs", "conv_macs"), PRODUCTS)
def test_products_count_what_they_multiply(shape, layer, macs, conv_macs):
    found = costs(shape, layer)
    assert (found.macs, found.conv_macs, found.uncounted) == (macs, conv_macs, ())


def test_letters_under_dots_are_matched_from_the_last():
    assert einsum_macs("...ab,...bc->...ac", (None, 2, 3, 4), (2, 4, 5)) == 2 * 3 * 4 * 5


def test_looking_up_costs_nothing():
    assert costs((6,), L.Embedding(10, 4)).uncounted == ()


def test_recurrent_layers_read_less_of_a_smaller_layer():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((7, 5))
    model = networks.scramble(keras.Model(inputs, L.LSTM(3)(L.Conv1D(8, 1, name="conv")(inputs))))
    scores = firekeras.score_filters(model, "l1")
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.5)
    assert plan.costs_after.macs == 7 * 5 * 4 + 7 * 4 * (4 * 3 + 3 * 3)
    assert plan.costs_after == firekeras.count_costs(firekeras.prune(model, plan))


class Block(L.Layer):
    """A convolution that nobody sees from outside."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, 3, shape[-1], 4))

    def call(self, x):
        return ops.conv(x, ops.convert_to_tensor(self.kernel), padding="same")


def hidden(blocks=1):
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((6, 6, 3))
    x = L.Conv2D(4, 1, name="conv")(inputs)
    for number in range(blocks):
        x = Block(name=f"block{number}")(x)
    return keras.Model(inputs, L.Dense(2, name="dense")(L.GlobalAveragePooling2D()(x)))


def test_what_cannot_be_counted_is_named():
    model = hidden()
    found = firekeras.count_costs(model)
    assert (found.macs, found.uncounted) == (6 * 6 * 3 * 4 + 4 * 2, ("block0",))
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"))
    assert "MACs leave out block0 (Block), whose multiplications are unknown." in plan.notes
    assert [row[0] for row in cost_rows(found, found)][1] == "MACs without block0"
    assert firekeras.count_costs(hidden(4)).macs_title == "MACs without 4 layers"
    assert firekeras.channel_graph(hidden(4)).notes == [
        "MACs leave out block0 (Block), block1 (Block), block2 (Block) and 1 more layer, "
        "whose multiplications are unknown."
    ]


def test_what_is_left_out_is_written_and_read(tmp_path):
    model = hidden()
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"))
    plan.save(tmp_path / "plan.json")
    assert firekeras.PruningPlan.load(tmp_path / "plan.json").costs_after.uncounted == ("block0",)
    graph = ChannelGraph.from_dict(json.loads(json.dumps(firekeras.channel_graph(model).to_dict())))
    assert firekeras.count_costs(graph) == firekeras.count_costs(model)


def test_normalisations_and_slopes_of_several_axes_are_no_matrices():
    for layer in (L.LayerNormalization(axis=[1, 2, 3]), L.PReLU()):
        assert costs((4, 4, 3), layer).uncounted == ()


def test_einsum_of_three_is_named():
    found = costs((6, 8), lambda x: ops.einsum("abc,abd,abe->acde", x, x, x))
    assert (found.macs, found.uncounted) == (0, ("einsum",))


def test_all_sizes_are_whole_numbers():
    assert isinstance(costs((7, 5), L.LSTM(3)).macs, int) and math.isfinite(costs((7, 5), L.LSTM(3)).macs)
