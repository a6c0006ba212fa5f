"""Recovery: statistics as NumPy computes them, removed means where they were missed, and nothing else touched."""

import itertools

import keras
import networks
import numpy as np
import processes
import pytest
from keras import layers as L
from networks import outputs, value

import firekeras
from firekeras import recovery
from firekeras.keras_models import devices
from firekeras.network.layer_by_layer import LayerByLayer
from firekeras.recovery import (
    Settler,
    fold_means,
    get_recovery,
    recovery_step,
    reestimate_batch_norm,
    settled_copy,
)


def arrays(model):
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in model.variables]


def plan_removing(model, removed):
    scores = firekeras.score_filters(model, "random", seed=0)
    plan = firekeras.plan_pruning(model, scores, pruning_ratio=0.0)
    plan.removed = {name: np.array(filters) for name, filters in removed.items()}
    return plan


def random_cut(model, ratio=0.3):
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=ratio)
    assert plan.num_removed
    return plan, firekeras.prune(model, plan)


# BatchNormalization


def batch_norms(**second):
    """Two normalisations on the way, with dropout between."""
    image = keras.Input((6, 6, 3))
    x = L.Conv2D(5, 3, name="conv1")(image)
    x = L.ReLU(name="relu1")(L.BatchNormalization(name="bn1")(x))
    x = L.Dropout(0.5, name="dropout")(x)
    x = L.Conv2D(4, 3, name="conv2")(x)
    x = L.BatchNormalization(name="bn2", **second)(x)
    x = L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x))
    return networks.scramble(keras.Model(image, x))


def normalised(x, layer):
    """What training makes of a batch, in float64."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return value(layer.gamma) * (x - mean) / np.sqrt(variance + layer.epsilon) + value(layer.beta)


class Batches(keras.utils.PyDataset):
    """Batches of any sizes, as `fit` takes them."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return (self.batches[index],)


def in_batches(x, sizes):
    return np.split(x, np.cumsum(sizes)[:-1])


def expected_statistics(model, batches):
    """Mean and variance of what the two normalisations see of all batches, by their own batches' statistics."""
    first, second = [], []
    for batch in batches:
        seen = outputs(model, "conv1", batch)
        through = np.maximum(normalised(seen, model.get_layer("bn1")), 0).astype("float32")
        first.append(seen)
        second.append(value(model.get_layer("conv2")(through)))
    first, second = np.concatenate(first), np.concatenate(second)
    return [(seen.mean((0, 1, 2)), seen.var((0, 1, 2))) for seen in (first, second)]


def assert_statistics(model, expected):
    for name, (mean, variance) in zip(("bn1", "bn2"), expected, strict=True):
        layer = model.get_layer(name)
        np.testing.assert_allclose(value(layer.moving_mean), mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(value(layer.moving_variance), variance, rtol=1e-5)


@pytest.mark.every_backend
def test_statistics_are_those_of_all_inputs_for_any_batch_sizes():
    model = batch_norms()
    x = networks.samples(model, 40)
    sizes = [16, 4, 13, 7]
    expected = expected_statistics(model, in_batches(x, sizes))
    assert reestimate_batch_norm(model, Batches(in_batches(x, sizes))) == []
    assert_statistics(model, expected)


def test_a_large_mean_costs_no_digits():
    model = batch_norms()
    model.get_layer("conv1").bias.assign(np.full(5, 1e3))
    x = networks.samples(model, 32)
    expected = value(model.get_layer("conv1")(x)).var((0, 1, 2))
    reestimate_batch_norm(model, x)
    np.testing.assert_allclose(value(model.get_layer("bn1").moving_variance), expected, rtol=1e-4)


def test_of_arrays_random_samples_are_taken_in_whole_batches():
    model = batch_norms()
    x = networks.samples(model, 40)
    chosen = x[np.random.default_rng(0).permutation(40)[:32]]  # 35 are asked for: four batches of 8
    expected = expected_statistics(model, in_batches(chosen, [8, 8, 8, 8]))
    reestimate_batch_norm(model, (x, np.zeros(40)), batch_size=8, samples=35)
    assert_statistics(model, expected)


def test_of_data_in_batches_no_more_is_read_than_asked_for():
    model = batch_norms()
    x = networks.samples(model, 8)
    expected = expected_statistics(model, [x, x, x])
    reestimate_batch_norm(model, ((x,) for _ in itertools.count()), samples=20)
    assert_statistics(model, expected)


@pytest.mark.every_backend
def test_nothing_but_the_statistics_changes():
    model = batch_norms()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    x = networks.samples(model, 32)
    model.fit(x, np.ones((32, 3)), batch_size=16, verbose=0)
    before, state = arrays(model), [value(v) for v in model.optimizer.variables]
    reestimate_batch_norm(model, x)
    first = arrays(model)
    reestimate_batch_norm(model, x)  # were dropout active, it would come out differently
    for variable, was, once, twice in zip(model.variables, before, first, arrays(model), strict=True):
        assert ("moving" in variable.name) != bool((was == once).all()), variable.path
        np.testing.assert_array_equal(once, twice)
    for variable, was in zip(model.optimizer.variables, state, strict=True):
        np.testing.assert_array_equal(value(variable), was)
    model.fit(x, np.ones((32, 3)), batch_size=16, verbose=0)
    assert int(model.optimizer.iterations) == 4


@pytest.mark.every_backend
def test_a_shared_normalisation_pools_its_calls():
    norm = L.BatchNormalization(name="norm")
    images = [keras.Input((6, 6, 3)), keras.Input((4, 4, 3))]
    pools = [L.GlobalAveragePooling2D()(norm(image)) for image in images]
    model = keras.Model(images, L.Concatenate()(pools))
    left, right = (
        np.random.default_rng(0).normal(2, 3, (12, 6, 6, 3)),
        np.random.default_rng(1).normal(size=(12, 4, 4, 3)),
    )
    reestimate_batch_norm(model, [left.astype("float32"), right.astype("float32")], batch_size=4)
    both = np.concatenate([left.reshape(-1, 3), right.reshape(-1, 3)])
    np.testing.assert_allclose(value(norm.moving_mean), both.mean(0), rtol=1e-5)
    np.testing.assert_allclose(value(norm.moving_variance), both.var(0), rtol=1e-5)


def test_normalisations_in_a_nested_model_are_measured():
    model = networks.scramble(networks.nested())
    x = networks.samples(model, 16)
    expected = value(model.get_layer("backbone").get_layer("conv1")(x))
    assert reestimate_batch_norm(model, x) == []
    found = model.get_layer("backbone").get_layer("conv1_bn")
    np.testing.assert_allclose(value(found.moving_mean), expected.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(value(found.moving_variance), expected.var((0, 1, 2)), rtol=1e-5)


class Doubled(L.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_what_is_not_measured_stays_as_it_is_and_is_reported():
    inner = keras.Input((6, 6, 3))
    backbone = keras.Model(inner, L.BatchNormalization(name="bn")(inner), name="backbone")
    frozen = L.BatchNormalization(name="frozen", trainable=False)
    image = keras.Input((6, 6, 3))
    x = frozen(backbone(image, training=False))
    x = Doubled(name="doubled")(L.BatchNormalization(name="renorm", renorm=True)(x))
    x = L.TimeDistributed(L.BatchNormalization(), name="wrapped")(x)
    x = L.BatchNormalization(name="inference")(x, training=False)
    model = networks.scramble(keras.Model(image, L.BatchNormalization(name="measured")(x)))
    before = {variable.path: np.array(value(variable)) for variable in model.variables}
    notes = reestimate_batch_norm(model, networks.samples(model, 8))
    changed = {v.path for v in model.variables if not (value(v) == before[v.path]).all()}
    assert changed == {"measured/moving_mean", "measured/moving_variance"}
    assert sorted(notes) == [
        "Kept their statistics, being called with training=False: backbone/bn, inference.",
        "Kept their statistics, being frozen (trainable=False): frozen.",
        "Kept their statistics, being inside another layer: wrapped.",
        "Kept their statistics, being no plain BatchNormalization: renorm, doubled.",
    ]


def test_normalisations_under_a_mask_stay_as_they_are():
    steps = keras.Input((5, 3))
    model = keras.Model(steps, L.BatchNormalization(name="bn")(L.Masking()(steps)))
    notes = reestimate_batch_norm(model, np.ones((4, 5, 3), "float32"))
    assert notes == ["Kept their statistics, being masked: bn."]
    assert value(model.get_layer("bn").moving_mean).tolist() == [0, 0, 0]


def test_of_many_normalisations_that_stay_the_first_are_named():
    norms = [L.BatchNormalization(name=f"bn{k}", trainable=False) for k in range(9)]
    notes = reestimate_batch_norm(keras.Sequential([keras.Input((3,)), *norms]), np.ones((4, 3), "float32"))
    assert notes == ["Kept their statistics, being frozen (trainable=False): bn0, bn1, bn2 and 6 more layers."]


def test_without_any_normalisation_no_data_are_read():
    assert reestimate_batch_norm(networks.two_convs(), (1 / 0 for _ in range(1))) == []


@pytest.mark.every_backend
def test_half_precision_is_measured_in_single():
    image = keras.Input((6, 6, 3))
    conv, norm = L.Conv2D(4, 3, dtype="mixed_float16", name="conv"), L.BatchNormalization(dtype="mixed_float16")
    model = keras.Model(image, norm(conv(image)))
    x = networks.samples(model, 16)
    seen = value(conv(x))
    reestimate_batch_norm(model, x)
    np.testing.assert_allclose(value(norm.moving_mean), seen.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(value(norm.moving_variance), seen.var((0, 1, 2)), rtol=1e-3)


def test_values_that_are_not_finite_are_refused_and_change_nothing():
    model = batch_norms()
    x = networks.samples(model, 16)
    x[3, 2, 2, 1] = np.nan
    before = arrays(model)
    with pytest.raises(ValueError, match="What reaches layer 'bn1' holds NaN or infinity"):
        reestimate_batch_norm(model, x)
    for one, other in zip(before, arrays(model), strict=True):
        np.testing.assert_array_equal(one, other)


# Again and again


@pytest.mark.every_backend
def test_settling_again_reads_the_weights_as_they_are_and_traces_nothing(monkeypatch):
    traces, call = [], LayerByLayer.call
    monkeypatch.setattr(
        LayerByLayer, "call", lambda self, *args, **kwargs: traces.append(1) or call(self, *args, **kwargs)
    )
    model = batch_norms()
    x = networks.samples(model, 32)
    settler, counts = Settler(model, (x, np.zeros(32)), batch_size=32), []
    for factor in (1.0, 3.0, 0.5):
        for name in ("conv1", "bn1", "conv2"):
            layer = model.get_layer(name)
            layer.trainable_variables[0].assign(factor * value(layer.trainable_variables[0]) + 0.1)
        expected = expected_statistics(model, [x])
        assert settler.settle() == []
        assert_statistics(model, expected)
        counts.append(len(traces))
    if keras.backend.backend() != "torch":  # where every batch is a call
        assert counts[0] == counts[1] == counts[2]


@pytest.mark.every_backend
def test_settling_again_is_the_same_between_trainings():
    model = batch_norms()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = networks.samples(model, 32)
    settler = Settler(model, x, batch_size=8, samples=20)
    for _ in range(2):
        model.fit(x, np.ones((32, 3)), batch_size=16, verbose=0)
        settler.settle()
        found = arrays(model)
        reestimate_batch_norm(model, x, batch_size=8, samples=20)
        for one, other in zip(found, arrays(model), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_data_in_batches_are_read_each_time():
    model = batch_norms()
    x = networks.samples(model, 20)
    settler = Settler(model, Batches(in_batches(x, [8, 12])))
    for _ in range(2):
        settler.settle()
        assert_statistics(model, expected_statistics(model, in_batches(x, [8, 12])))


def test_a_generator_settles_once():
    model = batch_norms()
    x = networks.samples(model, 8)
    settler = Settler(model, ((x,) for _ in itertools.count()), samples=16)
    settler.settle()
    with pytest.raises(ValueError, match="a generator can be read only once"):
        settler.settle()


def test_what_is_frozen_is_kept_each_time():
    model = batch_norms(trainable=False)
    before = value(model.get_layer("bn2").moving_mean)
    settler = Settler(model, networks.samples(model, 16))
    for _ in range(2):
        assert settler.settle() == ["Kept their statistics, being frozen (trainable=False): bn2."]
    np.testing.assert_array_equal(value(model.get_layer("bn2").moving_mean), before)


def test_without_any_normalisation_a_settler_reads_nothing():
    settler = Settler(networks.two_convs(), (1 / 0 for _ in range(1)))
    assert settler.settle() == settler.settle() == [] and settler.passes is None


@pytest.mark.every_backend
@pytest.mark.parametrize("build", [batch_norms, networks.two_convs])
def test_a_settled_copy_has_weights_of_its_own(build):
    model = build()
    x = networks.samples(model, 32)
    before = arrays(model)
    copy = settled_copy(model, (x, np.zeros(32)), batch_size=32)
    for one, other in zip(before, arrays(model), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not {id(v) for v in model.variables} & {id(v) for v in copy.variables} and not copy.compiled
    reestimate_batch_norm(model, x, batch_size=32)
    for one, other in zip(arrays(copy), arrays(model), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


# The mean of what was removed


def reader(kind, **settings):
    """What reads the channels of a normalisation, some of which are dead filters."""
    return {
        "conv": lambda x: L.Conv2D(6, 3, name="reader", **settings)(x),
        "relu conv": lambda x: L.Conv2D(6, 3, strides=2, activation="relu", name="reader")(x),
        "dense": lambda x: L.Dense(6, name="reader")(x),
        "flattened": lambda x: L.Dense(6, name="reader")(L.Flatten()(x)),
        "transposed": lambda x: L.Conv2DTranspose(6, 1, name="reader")(x),
        "separable": lambda x: L.SeparableConv2D(6, 3, depth_multiplier=2, name="reader")(x),
        "depthwise": lambda x: L.Conv2D(6, 1, name="reader")(L.DepthwiseConv2D(3, name="depthwise")(x)),
        "dilated": lambda x: L.Conv2D(6, 2, dilation_rate=2, name="reader")(L.AveragePooling2D(1)(x)),
        "normalised": lambda x: L.BatchNormalization(name="after")(L.Conv2D(6, 3, use_bias=False, name="reader")(x)),
    }[kind]


def with_dead_filters(read, dead=(1, 4, 5)):
    """conv1 -> ReLU -> BatchNormalization, which makes constants of dead filters -> a reader."""
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, name="conv1")(image)
    x = read(L.BatchNormalization(name="bn1")(L.ReLU()(x)))
    x = x if len(x.shape) == 2 else L.GlobalAveragePooling2D()(L.ReLU()(x))
    model = networks.scramble(keras.Model(image, L.Dense(3, name="logits")(x)))
    bias = value(model.get_layer("conv1").bias)
    bias[list(dead)] = -1e3
    model.get_layer("conv1").bias.assign(bias)
    return model, plan_removing(model, {"conv1": dead} | ({"depthwise": dead} if read is DEPTHWISE else {}))


DEPTHWISE = reader("depthwise")
KINDS = ["conv", "relu conv", "dense", "flattened", "transposed", "separable", "dilated", "normalised"]


@pytest.mark.parametrize("read", [DEPTHWISE, *map(reader, KINDS)], ids=["depthwise", *KINDS])
def test_removing_dead_filters_is_exact(read):
    model, plan = with_dead_filters(read)
    x = networks.samples(model, 12)
    assert (outputs(model, "bn1", x)[..., [1, 4, 5]].std((0, 1, 2)) < 1e-7).all()
    smaller, before = firekeras.prune(model, plan), arrays(model)
    expected = networks.predictions(model, x)[0]
    assert np.abs(networks.predictions(smaller, x)[0] - expected).max() > 1e-3
    assert fold_means(model, smaller, plan, x, 5) == []
    np.testing.assert_allclose(networks.predictions(smaller, x)[0], expected, atol=3e-6)
    for one, other in zip(before, arrays(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_with_padding_it_is_exact_on_average_over_positions_and_inside():
    model, plan = with_dead_filters(reader("conv", padding="same"))
    x = networks.samples(model, 12)
    smaller = firekeras.prune(model, plan)
    fold_means(model, smaller, plan, x)
    expected, found = outputs(model, "reader", x), outputs(smaller, "reader", x)
    np.testing.assert_allclose(found.mean((0, 1, 2)), expected.mean((0, 1, 2)), atol=1e-5)
    spread = np.ptp(found - expected, axis=(0, 1, 2))
    inside = np.ptp((found - expected)[:, 1:-1, 1:-1], axis=(0, 1, 2))
    assert inside.max() < 1e-5 < 0.1 < spread.max()


@pytest.mark.every_backend
@pytest.mark.parametrize("build", [networks.two_convs, networks.one_dimensional, networks.three_dimensional])
def test_readers_of_living_channels_keep_their_mean(build):
    model = networks.scramble(build())
    x = networks.samples(model, 24)
    plan = plan_removing(model, {"conv1": [0, 3, 5]})
    smaller = firekeras.prune(model, plan)
    conv = model.get_layer("conv2")
    conv.activation = smaller.get_layer("conv2").activation = keras.activations.linear  # what comes before it
    expected = outputs(model, "conv2", x)
    off = np.abs(outputs(smaller, "conv2", x) - expected).max()
    assert fold_means(model, smaller, plan, x, batch_size=8) == []
    axes = tuple(range(expected.ndim - 1))
    np.testing.assert_allclose(outputs(smaller, "conv2", x).mean(axes), expected.mean(axes), atol=1e-5)
    assert off > 1e-2


def test_a_reader_that_loses_filters_itself_gets_the_means_of_those_that_are_left():
    model, _ = with_dead_filters(reader("conv"))
    plan = plan_removing(model, {"conv1": [1, 4, 5], "reader": [0, 2]})
    smaller = firekeras.prune(model, plan)
    x = networks.samples(model, 12)
    fold_means(model, smaller, plan, x)
    np.testing.assert_allclose(outputs(smaller, "reader", x), outputs(model, "reader", x)[..., [1, 3, 4, 5]], atol=3e-6)


@pytest.mark.parametrize(
    "build", [networks.nested, networks.siamese, networks.mobile, networks.dict_in_dict_out], ids=lambda b: b.__name__
)
def test_outputs_are_nearer_to_the_original_on_average(build):
    model = networks.scramble(build())
    x = networks.samples(model, 32)
    plan, smaller = random_cut(model)
    means = [y.mean(0) for y in networks.predictions(model, x)]
    before = [np.abs(y.mean(0) - m).sum() for y, m in zip(networks.predictions(smaller, x), means, strict=True)]
    assert fold_means(model, smaller, plan, x) == []
    after = [np.abs(y.mean(0) - m).sum() for y, m in zip(networks.predictions(smaller, x), means, strict=True)]
    assert all(one < 0.5 * other for one, other in zip(after, before, strict=True))


def test_what_cannot_be_made_up_for_is_reported():
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, activation="relu", name="conv1")(image)
    bare = L.Conv2D(4, 1, use_bias=False, name="bare")(x)
    both = L.Conv2D(4, 1, use_bias=False, name="both")(x)
    twice = L.Add(name="add")([L.BatchNormalization(name="bn")(both), both])
    steps = L.LSTM(4, name="lstm")(L.Reshape((36, 8), name="steps")(x))
    pools = [L.GlobalAveragePooling2D()(y) for y in (bare, twice)]
    model = networks.scramble(keras.Model(image, L.Concatenate()([*pools, steps])))
    plan = plan_removing(model, {"conv1": [2, 6]})
    smaller = firekeras.prune(model, plan)
    before = arrays(smaller)
    notes = fold_means(model, smaller, plan, networks.samples(model, 4))
    reason = "it has no bias, and no BatchNormalization of its own right behind it"
    assert sorted(notes) == [
        f"The mean of what bare (Conv2D) no longer reads is lost: {reason}.",
        f"The mean of what both (Conv2D) no longer reads is lost: {reason}.",
        "The mean of what lstm (LSTM) no longer reads is lost: it is neither a convolution nor a dense layer.",
    ]
    for one, other in zip(before, arrays(smaller), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_model_than_the_pruned_one_is_refused():
    model, plan = with_dead_filters(reader("conv"))
    with pytest.raises(ValueError, match=r"Expected the model that the plan leaves.*'conv1'.*Pass the result of prune"):
        fold_means(model, model, plan, networks.samples(model, 4))


# Several devices

MIRRORED = """
import contextlib
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, networks, numpy as np
import firekeras
from firekeras.recovery.distill import fit_distilled
from firekeras.recovery import fold_means

def recovered(scope):
    with scope:
        model = networks.scramble(networks.sequential_cnn())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss)
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.3)
    smaller, x = firekeras.prune(model, plan), networks.samples(model, 21)
    fold_means(model, smaller, plan, tf.data.Dataset.from_tensor_slices(x).batch(10))  # the last holds one sample
    fit_distilled(smaller, model, x[:20], np.arange(20) % 4, batch_size=10, shuffle=False, verbose=0)
    return smaller.get_weights()

one, two = recovered(contextlib.nullcontext()), recovered(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope())
for expected, found in zip(one, two, strict=True):
    np.testing.assert_allclose(found, expected, atol=1e-5)
"""


def test_two_devices_recover_and_distil_as_one_does():
    processes.run(MIRRORED, KERAS_BACKEND="tensorflow")


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(devices, "several_processes", lambda: True)
    model = batch_norms()
    with pytest.raises(ValueError, match="A network is recovered in one process"):
        reestimate_batch_norm(model, networks.samples(model, 4))


# Steps by name


def test_steps_come_in_the_order_in_which_they_are_run():
    names = [step.__name__ for step in get_recovery(["batch_norm", "fold_means"])]
    assert names == ["fold_means", "batch_norm"]
    assert [step.__name__ for step in get_recovery("batch_norm")] == ["batch_norm"]
    assert get_recovery([]) == []


def test_an_unknown_step_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"'foldmeans'.*Did you mean 'fold_means'"):
        get_recovery(["batch_norm", "foldmeans"])


def test_a_custom_step_runs_after_the_built_in_ones(monkeypatch):
    monkeypatch.setitem(recovery.RECOVERY, "mine", None)  # it goes again after the test

    @recovery_step("mine")
    def mine(model, smaller, plan, data, batch_size):
        return ["done"]

    steps = get_recovery(["mine", "fold_means", "batch_norm"])
    assert steps[-1] is mine
    model, plan = with_dead_filters(reader("conv"))
    smaller, x = firekeras.prune(model, plan), networks.samples(model, 16)
    assert [note for step in steps for note in step(model, smaller, plan, (x, np.zeros(16)), None)] == ["done"]
    seen = outputs(smaller, "conv1", x)
    mean = np.maximum(seen, 0).mean((0, 1, 2))
    np.testing.assert_allclose(value(smaller.get_layer("bn1").moving_mean), mean, rtol=1e-5, atol=1e-6)
