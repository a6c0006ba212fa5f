"""Random graphs, random plans: what is left of a network computes what the network does without the rest."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from keras import layers as L
from keras import ops
from networks import scramble
from oracle import assert_pruned_equals_masked

import firekeras

SIZE = 6


def channels(x):
    return x.shape[-1]


def convolve(x, k):
    return L.Conv2D(3 + k % 6, 1 + 2 * (k % 2), padding="same", activation=(None, "relu", "tanh")[k % 3])(x)


def normalise(x, k):
    return L.ReLU()(L.BatchNormalization()(x))


def depthwise(x, k):
    return L.DepthwiseConv2D(3, padding="same", depth_multiplier=1 + k % 2)(x)


def separable(x, k):
    return L.SeparableConv2D(3 + k % 5, 3, padding="same", depth_multiplier=1 + k % 2, activation="relu")(x)


def grouped(x, k):
    x = L.Conv2D(8, 1)(x)
    return L.Conv2D((8, 16)[k % 2], 3, padding="same", groups=(2, 4, 8)[k % 3])(x)


def residual(x, k):
    return L.Add()([x, L.Conv2D(channels(x), 3, padding="same")(x)])


def project(x, k):
    f = 4 + k % 4
    return L.ReLU()(L.Add()([L.Conv2D(f, 1)(x), L.Conv2D(f, 3, padding="same")(x)]))


def dense_block(x, k):
    return L.Concatenate()([x, L.Conv2D(2 + k % 3, 3, padding="same", activation="relu")(x)])


def twice_beside_itself(x, k):
    return L.Concatenate()([x, x]) if k % 2 else L.Concatenate()([L.ReLU()(x), x])


def squeeze_excite(x, k):
    s = L.Dense(3, activation="relu")(L.GlobalAveragePooling2D()(x))
    s = L.Dense(channels(x), activation="sigmoid")(s)
    return L.Multiply()([x, L.Reshape((1, 1, channels(x)))(s)])


def gate(x, k):
    return x * L.Conv2D(1, 1, activation="sigmoid")(x)


def shuffle(x, k):
    x = L.Conv2D(8, 1)(x)
    x = L.Permute((1, 2, 4, 3))(L.Reshape((SIZE, SIZE, 2, 4))(x))
    return L.Reshape((SIZE, SIZE, 8))(x)


def swap_halves(x, k):
    at = 1 + k % (channels(x) - 1)
    a, b = ops.split(x, [at], axis=-1)
    return ops.concatenate([b, a], axis=-1)


def overlap(x, k):
    n = channels(x)
    return L.Conv2D(4, 1)(x[..., : n - 1]) + L.Conv2D(4, 1)(x[..., 1:])


def pad_channels(x, k):
    padded = ops.pad(x, [[0, 0], [0, 0], [0, 0], [1 + k % 2, k % 3]])
    return L.Add()([padded, L.Conv2D(channels(padded), 1)(x)])


def numbers(x, k):
    return ops.relu(x * 1.5 + 0.25) if k % 2 else ops.abs(x) - 0.1


def constants(x, k):
    return x * np.linspace(0.5, 1.5, channels(x)).astype("float32") + 0.1


def turn(x, k):
    return ops.flip(x, axis=-1) if k % 2 else ops.transpose(x, (0, 2, 1, 3))


def prelu(x, k):
    return L.PReLU(shared_axes=[1, 2] if k % 2 else None)(x)


def softmax(x, k):
    return L.Softmax()(x) if k % 2 else x * L.Softmax(axis=1)(x)


def nested(x, k):
    shape = x.shape[1:]
    inner = keras.Sequential([keras.Input(shape), L.Conv2D(channels(x), 3, padding="same"), L.ReLU()])
    return inner(inner(x)) if k % 2 else inner(x)


def strided(x, k):
    return x[..., ::2]


BLOCKS = (convolve, normalise, depthwise, separable, grouped, residual, project, dense_block, twice_beside_itself,
          squeeze_excite, gate, shuffle, swap_halves, overlap, pad_channels, numbers, constants, turn, prelu, softmax,
          nested, strided)  # fmt: skip


def build(steps, flat):
    """A network from a list of (which block, which earlier tensor, a number for its details)."""
    image = keras.Input((SIZE, SIZE, 3))
    tensors = [L.Conv2D(6, 3, padding="same", activation="leaky_relu")(image)]
    for block, source, detail in steps:
        x = tensors[source % len(tensors)]
        tensors.append(BLOCKS[block](x if channels(x) > 2 else L.Conv2D(5, 1)(x), detail))
    x = L.Concatenate()([tensors[-1], tensors[len(tensors) // 2]])
    pooled = L.Flatten()(L.AveragePooling2D(2)(x)) if flat else L.GlobalAveragePooling2D()(x)
    return keras.Model(image, L.Dense(3)(L.Dense(8, activation="tanh")(pooled)))


STEP = st.tuples(st.integers(0, len(BLOCKS) - 1), st.integers(0, 8), st.integers(0, 11))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(STEP, min_size=2, max_size=6), st.booleans(), st.floats(0.1, 0.7), st.integers(0, 1000))
@example([(BLOCKS.index(grouped), 0, 0), (BLOCKS.index(nested), 1, 1)], True, 0.5, 0)
def test_what_is_left_computes_what_the_network_does_without_the_rest(steps, flat, ratio, seed):
    check(steps, flat, ratio, seed)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
@pytest.mark.parametrize("detail", [0, 1])
def test_each_block_by_itself(block, detail):
    check([(BLOCKS.index(block), 0, detail)], False, 0.4, detail)


def check(steps, flat, ratio, seed):
    keras.utils.clear_session(free_memory=False)
    model = scramble(build(steps, flat))
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=seed), pruning_ratio=ratio)
    smaller = firekeras.prune(model, plan)
    assert firekeras.count_costs(smaller) == plan.costs_after
    assert smaller.count_params() == plan.costs_after.params
    assert_pruned_equals_masked(model, plan, smaller)
