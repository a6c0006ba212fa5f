"""FIRE as measured: exact counts for every kind of data, and a model that stays as it was."""

import keras
import networks
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import firekeras
from firekeras.scores.fire.counting import ZeroCounter, nonzeros

pytestmark = pytest.mark.usefixtures("uncompiled")

BATCH = 8
SAMPLES = 20  # two whole batches and a part of one


def inputs(model, count=SAMPLES):
    return networks.samples(model, count)


def batched(model, x):
    """What a model gives, with the batches that measuring uses."""
    parts = [keras.tree.flatten(model(x[k : k + BATCH], training=False)) for k in range(0, len(x), BATCH)]
    return [np.concatenate([keras.ops.convert_to_numpy(p) for p in part]) for part in zip(*parts, strict=True)]


def activations(model, layers, x):
    """The outputs of some layers, by a model of its own on the same layers."""
    outputs = [model.get_layer(name).output for name in layers]
    return batched(keras.Model(model.input, outputs), x)


def zeros_by_channel(*values):
    return sum((v == 0).reshape(-1, v.shape[-1]).sum(axis=0) for v in values)


def assert_counts(profile, name, *values):
    """The profile's counts are those of NumPy over these outputs of the filters' ReLU."""
    positions = sum(v[..., 0].size for v in values)
    np.testing.assert_array_equal(profile.zeros[name], zeros_by_channel(*values))
    np.testing.assert_array_equal(profile.seen[name], np.full(values[0].shape[-1], positions))
    np.testing.assert_array_equal(profile[name], zeros_by_channel(*values) / positions)


def assert_counts_of_two_convs(profile, model, x):
    """The same for a model of `networks.two_convs`, whose counts follow from the samples."""
    assert profile.samples == len(x)
    for name, values in zip(("conv1", "conv2"), activations(model, ["conv1", "conv2"], x), strict=True):
        assert_counts(profile, name, values)


def measured(model, x, **settings):
    return firekeras.measure_fire(model, x, batch_size=BATCH, **settings)


# Counts


@pytest.mark.every_backend
@pytest.mark.compiled
def test_fire_is_the_share_of_zeros_after_each_relu():
    """Convolution, normalization, ReLU; pooling after it; an activation of the layer's own; dense layers."""
    model = networks.scramble(networks.plain_cnn())
    x = inputs(model)
    profile = measured(model, x)
    for name, relu in (("conv1", "conv1_relu"), ("conv2", "conv2"), ("fc", "fc")):
        assert_counts(profile, name, *activations(model, [relu], x))
    assert profile.samples == SAMPLES and profile.criterion == "fire" and profile.maps == {}
    assert 0 < profile["conv1"].mean() < 1


def small_head(image, x):
    return networks.scramble(keras.Model(image, L.Dense(2, name="logits")(L.Flatten(name="flatten")(x))))


def test_relu6_counts_zeros_only():
    image = keras.Input((8, 8, 3), name="image")
    x = L.ReLU(6.0, name="relu6")(L.Conv2D(6, 3, name="conv1")(image))
    model = small_head(image, L.Conv2D(6, 3, activation="relu6", name="conv2")(x))
    x = 20 * inputs(model)
    profile = measured(model, x)
    relu6, conv2 = activations(model, ["relu6", "conv2"], x)
    assert (relu6 == 6).any()
    assert_counts(profile, "conv1", relu6)
    assert_counts(profile, "conv2", conv2)


def test_zeros_are_counted_after_pooling_that_comes_before_the_relu():
    image = keras.Input((8, 8, 3), name="image")
    x = L.MaxPooling2D(name="pool")(L.BatchNormalization(name="bn")(L.Conv2D(6, 3, name="conv")(image)))
    model = small_head(image, L.ReLU(name="relu")(x))
    x = inputs(model)
    assert_counts(measured(model, x), "conv", *activations(model, ["relu"], x))


def test_a_relu_written_as_an_operation_counts():
    image = keras.Input((8, 8, 3), name="image")
    values = keras.ops.relu(L.Conv2D(6, 3, name="conv")(image))
    model = small_head(image, values)
    x = inputs(model)
    (relu,) = batched(keras.Model(image, [values]), x)
    assert_counts(measured(model, x), "conv", relu)


@pytest.mark.every_backend
def test_each_branch_has_its_share_of_a_relu_behind_a_concatenation():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Concatenate(name="join")([L.Conv2D(4, 3, name="left")(image), L.Conv2D(5, 3, name="right")(image)])
    model = small_head(image, L.ReLU(name="relu")(L.BatchNormalization(name="bn")(x)))
    x = inputs(model)
    (relu,) = activations(model, ["relu"], x)
    profile = measured(model, x)
    assert_counts(profile, "left", relu[..., :4])
    assert_counts(profile, "right", relu[..., 4:])


@pytest.mark.every_backend
def test_all_positions_count_where_the_relu_comes_after_flattening():
    image = keras.Input((8, 8, 3), name="image")
    x = L.ReLU(name="relu")(L.Flatten(name="rows")(L.Conv2D(4, 3, name="conv")(image)))
    model = small_head(image, x)
    x = inputs(model)
    profile = measured(model, x)
    (relu,) = activations(model, ["relu"], x)
    if np.isnan(profile["conv"]).all():
        assert "conv" in profile.reasons  # to leave it unscored would be right too
    else:
        assert_counts(profile, "conv", relu.reshape(SAMPLES, 36, 4))


def test_channels_first_or_last_makes_no_difference_to_depthwise_layers():
    model = networks.scramble(networks.mobile())
    x = inputs(model)
    profile = measured(model, x)
    assert_counts(profile, "depthwise", *activations(model, ["relu6"], x))
    assert_counts(profile, "separable", *activations(model, ["separable"], x))


@pytest.mark.every_backend
def test_layers_of_a_nested_model_are_counted():
    model = networks.scramble(networks.nested())
    x = inputs(model)
    profile = measured(model, x)
    backbone = model.get_layer("backbone")
    for name, values in zip(("conv1", "conv2"), activations(backbone, ["conv1_relu", "conv2_relu"], x), strict=True):
        assert_counts(profile, f"backbone/{name}", values)


@pytest.mark.every_backend
def test_a_layer_called_twice_is_counted_at_both_calls():
    conv = L.Conv2D(6, 3, activation="relu", name="shared")
    images = [keras.Input((8, 8, 3), name="left"), keras.Input((5, 5, 3), name="right")]
    values = [conv(image) for image in images]
    pools = [L.GlobalAveragePooling2D(name=f"pool{k}")(v) for k, v in enumerate(values)]
    model = networks.scramble(keras.Model(images, L.Dense(2, name="logits")(L.Add(name="add")(pools))))
    x = inputs(model)
    outputs = [batched(keras.Model(i, [v]), one)[0] for i, v, one in zip(images, values, x, strict=True)]
    assert_counts(measured(model, x), "shared", *outputs)


@pytest.mark.every_backend
def test_counts_of_a_residual_network():
    model = networks.scramble(networks.residual())
    x = inputs(model)
    profile = measured(model, x)
    for name in ("stem", "a1", "b1"):
        assert_counts(profile, name, *activations(model, [f"{name}_relu"], x))
    for name in ("a2", "b2"):
        assert np.isnan(profile[name]).all() and not profile.seen[name].any()


@pytest.mark.every_backend
def test_normalization_is_in_inference_mode_and_dropout_does_nothing():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Dropout(0.5, name="dropout")(L.BatchNormalization(name="bn")(L.Conv2D(6, 3, name="conv")(image)))
    model = small_head(image, L.ReLU(name="relu")(x))
    x = inputs(model)
    assert_counts(measured(model, x), "conv", *activations(model, ["relu"], x))


def test_a_dead_filter_has_a_fire_of_exactly_one():
    model = networks.scramble(networks.two_convs())
    kernel, bias = model.get_layer("conv1").get_weights()
    bias[[2, 5]] = -1e4
    model.get_layer("conv1").set_weights([kernel, bias])
    fire = measured(model, inputs(model))["conv1"]
    assert fire[2] == fire[5] == 1.0
    assert (np.delete(fire, [2, 5]) < 1).all()


@pytest.mark.every_backend
@pytest.mark.compiled
def test_mixed_precision_is_measured_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = networks.scramble(networks.plain_cnn())
    finally:
        keras.config.set_dtype_policy("float32")
    x = inputs(model)
    assert_counts(measured(model, x), "conv1", *activations(model, ["conv1_relu"], x))


def test_the_policy_of_the_moment_does_not_change_the_counts():
    model = networks.scramble(networks.two_convs())
    x = inputs(model, 64)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        profile = measured(model, x)
    finally:
        keras.config.set_dtype_policy("float32")
    assert_counts_of_two_convs(profile, model, x)


# Counts that float32 could not hold


@pytest.mark.every_backend
@pytest.mark.compiled
def test_counts_beyond_2_to_the_24_are_exact():
    counter = ZeroCounter(axis=3)
    rng = np.random.default_rng(0)
    expected, in_float32 = np.zeros(2, "int64"), np.zeros(2, "float32")
    blocks = [(rng.uniform(size=(16, 512, 256, 2)) < 0.1).astype("float32") for _ in range(2)]
    zeros = [(block == 0).sum(axis=(0, 1, 2)) for block in blocks]
    for k in range(12):
        counter(blocks[k % 2])
        expected += zeros[k % 2]
        in_float32 += zeros[k % 2].astype("float32")
    assert (expected > 2**24).all()
    assert (in_float32.astype("int64") != expected).any(), "float32 would have been enough: the test shows nothing"
    np.testing.assert_array_equal(counter.count().zeros, expected)
    assert counter.count().seen == 12 * 16 * 512 * 256 and counter.count().samples == 12 * 16


@pytest.mark.every_backend
@pytest.mark.compiled
def test_counts_beyond_2_to_the_31_are_exact():
    counter = ZeroCounter(axis=2)
    block = np.zeros((1, 40_000, 1), "float32")
    counter(block)
    counter.seen_high.assign(counter.seen_high + 2**17)  # as if 2^32 more had been seen
    counter(block)
    assert counter.count().zeros.tolist() == [2**32 + 80_000]
    assert counter.count().zeros.dtype == np.int64


def test_a_silent_network_on_large_images_is_counted_exactly():
    image = keras.Input((512, 512, 1), name="image")
    x = L.ReLU(name="relu")(L.Conv2D(1, 1, name="conv")(image))
    model = keras.Model(image, L.Dense(2, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    model.get_layer("conv").set_weights([np.zeros((1, 1, 1, 1)), -np.ones(1)])
    profile = firekeras.measure_fire(model, np.zeros((65, 512, 512, 1), "float32"), batch_size=13)
    assert profile.zeros["conv"].tolist() == [65 * 512 * 512] and 65 * 512 * 512 > 2**24
    assert profile["conv"].tolist() == [1.0]


@pytest.mark.every_backend
@pytest.mark.parametrize("per_position", [False, True])
def test_the_counter_hands_its_input_on(per_position):
    counter = ZeroCounter(axis=1, per_position=per_position)
    x = np.array([[0.0, 1.0, 0.5], [0.0, 0.0, 2.0]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(counter(x)), x)
    assert counter.count().zeros.tolist() == [2, 1, 0]


# What has no FIRE


def test_layers_without_a_relu_of_their_own_say_why():
    model = networks.residual()
    profile = measured(model, inputs(model))
    assert "a_add (Add)" in profile.reasons["a2"]
    assert "output of the model" in profile.reasons["logits"]
    assert np.isnan(profile["a2"]).all() and np.isnan(profile["logits"]).all()
    assert "stem" not in profile.reasons or not np.isnan(profile["stem"]).any()


@pytest.mark.parametrize(
    ("activation", "word"),
    [("leaky_relu", "leaky_relu"), ("gelu", "gelu"), ("tanh", "tanh"), ("sigmoid", "sigmoid"), ("elu", "elu")],
)
def test_activations_that_are_no_relu_are_not_scored(activation, word):
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(6, 3, activation=activation, name="smooth")(image)
    model = small_head(image, L.Conv2D(6, 3, activation="relu", name="rectified")(x))
    profile = measured(model, inputs(model))
    assert np.isnan(profile["smooth"]).all() and word in profile.reasons["smooth"]
    assert np.isfinite(profile["rectified"]).all()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.LeakyReLU(name="leaky"),
        lambda: L.ReLU(negative_slope=0.1, name="leaky"),
        lambda: L.PReLU(name="leaky"),
    ],
)
def test_leaky_layers_are_not_scored(layer):
    image = keras.Input((8, 8, 3), name="image")
    x = layer()(L.Conv2D(6, 3, name="conv")(image))
    model = small_head(image, L.Conv2D(6, 3, activation="relu", name="rectified")(x))
    profile = measured(model, inputs(model))
    assert np.isnan(profile["conv"]).all() and "leaky" in profile.reasons["conv"]


# Forms of data


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return -(-len(self.arrays[0]) // BATCH)

    def __getitem__(self, k):
        return tuple(a[k * BATCH : (k + 1) * BATCH] for a in self.arrays)


def generator(*arrays):
    return (tuple(a[k : k + BATCH] for a in arrays) for k in range(0, len(arrays[0]), BATCH))


def loader(*arrays):
    import torch  # here, so that only the process that needs it takes five seconds for it

    tensors = torch.utils.data.TensorDataset(*(torch.tensor(a) for a in arrays))
    return torch.utils.data.DataLoader(tensors, batch_size=BATCH)


def tf_data(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(BATCH)


FORMS = {
    "arrays": lambda x, y: x,
    "arrays with labels": lambda x, y: (x, y),
    "arrays with labels and weights": lambda x, y: (x, y, np.ones(len(x))),
    "tensors": lambda x, y: tf.constant(x),
    "tf.data": lambda x, y: tf_data(x, y),
    "tf.data without labels": lambda x, y: tf_data(x),
    "tf.data of unknown length": lambda x, y: tf_data(x, y).filter(lambda *batch: True),
    "PyDataset": lambda x, y: Batches(x, y),
    "PyDataset without labels": lambda x, y: Batches(x),
    "DataLoader": lambda x, y: loader(x, y),
    "generator": lambda x, y: generator(x, y),
}


@pytest.mark.every_backend
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras's word on any generator that ends
@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_data_give_the_same_counts(form):
    model = networks.scramble(networks.two_convs())
    x = inputs(model)
    batch_size = BATCH if form.startswith(("arrays", "tensors")) else None
    found = firekeras.measure_fire(model, FORMS[form](x, np.zeros(SAMPLES)), batch_size=batch_size)
    assert_counts_of_two_convs(found, model, x)


@pytest.mark.every_backend
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float64", "float16"])
def test_data_of_any_type_count_like_their_float32_values(dtype):
    model = networks.scramble(networks.two_convs())
    x = np.random.default_rng(0).integers(0, 255, (SAMPLES, 8, 8, 3))
    assert_counts_of_two_convs(measured(model, x.astype(dtype)), model, x.astype("float32"))


def two_inputs():
    left, right = keras.Input((4,), name="z_left"), keras.Input((4,), name="a_right")
    parts = [L.Dense(5, activation="relu", name=f"of_{t.name}")(t) for t in (left, right)]
    return networks.scramble(keras.Model([left, right], L.Dense(2, name="logits")(L.Concatenate(name="join")(parts))))


@pytest.mark.every_backend
def test_several_inputs_come_as_a_list_or_by_name():
    model = two_inputs()
    left, right = np.random.default_rng(0).normal(size=(2, SAMPLES, 4)).astype("float32")
    right += 3
    expected = {name: (keras.ops.convert_to_numpy(model.get_layer(name)(part)) == 0).sum(axis=0)
                for name, part in (("of_z_left", left), ("of_a_right", right))}  # fmt: skip
    for data in ([left, right], {"z_left": left, "a_right": right}):
        profile = measured(model, data)
        for name, zeros in expected.items():
            np.testing.assert_array_equal(profile.zeros[name], zeros, err_msg=f"{name} of {type(data).__name__}")


def test_inputs_by_name_of_a_model_with_named_inputs():
    model = networks.scramble(networks.dict_in_dict_out())
    x = inputs(model)
    profile = measured(model, (x, None))
    fc = keras.ops.convert_to_numpy(model.get_layer("fc")(x["extra"]))
    np.testing.assert_array_equal(profile.zeros["fc"], zeros_by_channel(fc))


def test_grey_images_without_a_channel_axis_are_taken_as_fit_takes_them():
    image = keras.Input((8, 8, 1), name="image")
    model = small_head(image, L.Conv2D(6, 3, activation="relu", name="conv")(image))
    x = np.random.default_rng(0).normal(size=(SAMPLES, 8, 8)).astype("float32")
    assert_counts(measured(model, x), "conv", *activations(model, ["conv"], x[..., None]))


def test_labels_are_not_looked_at():
    model = networks.scramble(networks.two_convs())
    x = inputs(model)
    for labels in (None, np.full(SAMPLES, -7)):
        assert_counts_of_two_convs(measured(model, (x, labels)), model, x)


# A part of the data


def test_a_fraction_of_arrays_is_a_random_choice_that_the_seed_decides():
    model = networks.scramble(networks.two_convs())
    x = inputs(model, 40)
    one, same, other = (measured(model, x, fraction=0.5, seed=seed) for seed in (1, 1, 2))
    assert one.samples == 20 and one.seen["conv1"][0] == 20 * 36
    np.testing.assert_array_equal(one.zeros["conv1"], same.zeros["conv1"])
    assert (one.zeros["conv1"] != other.zeros["conv1"]).any()
    assert (one.zeros["conv1"] != measured(model, x[:20]).zeros["conv1"]).any()


@pytest.mark.every_backend
@pytest.mark.parametrize("form", ["tf.data", "PyDataset", "DataLoader"])
@pytest.mark.parametrize(("fraction", "batches"), [(0.4, 2), (0.6, 3), (0.8, 4)])
def test_a_fraction_of_batches_is_the_first_ones(form, fraction, batches):
    model = networks.scramble(networks.two_convs())
    x = inputs(model, 5 * BATCH)
    found = firekeras.measure_fire(model, FORMS[form](x, np.zeros(len(x))), fraction=fraction)
    assert_counts_of_two_convs(found, model, x[: batches * BATCH])


def test_a_small_fraction_is_at_least_one_sample():
    model = networks.two_convs()
    assert measured(model, inputs(model), fraction=0.001).samples == 1


@pytest.mark.parametrize("form", ["generator", "tf.data of unknown length"])
def test_a_fraction_of_data_of_unknown_length_is_refused(form):
    model = networks.two_convs()
    data = FORMS[form](inputs(model), np.zeros(SAMPLES))
    with pytest.raises(ValueError, match=r"known length"):
        firekeras.measure_fire(model, data, fraction=0.5)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, 20, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    model = networks.two_convs()
    with pytest.raises(
        ValueError, match=r"fraction must be 'auto', or the share of the data.*above 0, up to 1\. Received"
    ):
        firekeras.measure_fire(model, inputs(model), fraction=fraction)


# Maps


@pytest.mark.every_backend
def test_the_mean_of_a_filters_map_is_its_fire():
    model = networks.scramble(networks.plain_cnn())
    x = inputs(model)
    profile = measured(model, x, neuron_maps=True)
    assert {name: maps.shape for name, maps in profile.maps.items()} == {
        "conv1": (8, 8, 8),
        "conv2": (12, 2, 2),
        "fc": (10,),
    }
    for name, maps in profile.maps.items():
        assert maps.dtype == np.float32
        np.testing.assert_allclose(maps.reshape(len(maps), -1).mean(axis=1), profile[name], rtol=1e-6)
    for name, relu in (("conv1", "conv1_relu"), ("conv2", "conv2"), ("fc", "fc")):
        assert_counts(profile, name, *activations(model, [relu], x))


@pytest.mark.every_backend
@pytest.mark.compiled
def test_a_map_is_the_share_of_samples_with_a_zero_at_each_position():
    model = networks.scramble(networks.plain_cnn())
    x = inputs(model)
    (relu,) = activations(model, ["conv1_relu"], x)
    maps = measured(model, x, neuron_maps=True).maps["conv1"]
    np.testing.assert_allclose(maps, np.moveaxis((relu == 0).mean(axis=0), -1, 0), rtol=1e-6)


def test_a_layer_called_on_two_sizes_has_no_one_map():
    conv = L.Conv2D(6, 3, activation="relu", name="shared")
    images = [keras.Input((8, 8, 3), name="left"), keras.Input((5, 5, 3), name="right")]
    pools = [L.GlobalAveragePooling2D(name=f"pool{k}")(conv(image)) for k, image in enumerate(images)]
    model = keras.Model(images, L.Dense(2, name="logits")(L.Concatenate(name="join")(pools)))
    with pytest.raises(ValueError, match=r"different sizes.*neuron_maps=False"):
        measured(model, inputs(model), neuron_maps=True)


# The model afterwards


@pytest.mark.every_backend
@pytest.mark.compiled
def test_the_model_is_left_as_it_was():
    model = networks.scramble(networks.nested())
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    x, y = inputs(model), np.zeros(SAMPLES, "int64")
    model.fit(x, y, epochs=1, verbose=0)
    model.get_layer("head").trainable = False
    everything = {**networks.leaves(model)}

    def state():
        return (
            {path: len(layer._inbound_nodes) for path, layer in everything.items()},
            {path: layer.trainable for path, layer in everything.items()},
            [(m.name, [float(np.sum(v)) for v in m.variables]) for m in model.metrics],
            model.get_config(),
            model.compiled,
            int(model.optimizer.iterations),
            [layer.name for layer in model.layers],
        )

    before, weights = state(), [np.array(v) for v in model.variables]
    measured(model, x, neuron_maps=True)
    assert state() == before
    for one, other in zip(weights, model.variables, strict=True):
        np.testing.assert_array_equal(one, np.array(other))
    model.evaluate(x, y, verbose=0)


def test_measuring_twice_gives_the_same():
    model = networks.scramble(networks.plain_cnn())
    x = inputs(model)
    one, two = measured(model, x), measured(model, x)
    for name in one:
        np.testing.assert_array_equal(one.zeros[name], two.zeros[name])


def test_the_model_need_not_be_compiled_and_is_not_afterwards():
    model = networks.two_convs()
    measured(model, inputs(model))
    assert not model.compiled


# Refused before any long work


class Endless(keras.utils.PyDataset):
    """Data that must not be read."""

    num_batches = 10

    def __getitem__(self, k):
        raise AssertionError("data were read before the check")


class Subclassed(keras.Model):
    def call(self, x):
        return x


def without_relu():
    image = keras.Input((8, 8, 3), name="image")
    return small_head(image, L.Conv2D(6, 3, activation="gelu", name="conv")(image))


def unbuilt():
    return keras.Sequential([L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(2)])


def with_nan():
    model = networks.two_convs()
    kernel, bias = model.get_layer("conv2").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("conv2").set_weights([kernel, bias])
    return model


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (Subclassed, r"subclassed.*functional model"),
        (unbuilt, r"not built.*keras\.Input"),
        (without_relu, r"No filter .* has a ReLU.*gelu.*criterion='l1'"),
        (with_nan, r"'kernel' of layer 'conv2' holds NaN.*checkpoint"),
        (lambda: "vgg16", r"model must be a keras\.Model. Received: 'vgg16' \(str\). Load it first"),
        (lambda: None, r"model must be a keras\.Model. Received: None"),
    ],
    ids=["subclassed", "unbuilt", "no relu", "NaN", "text", "none"],
)
def test_models_that_cannot_be_measured_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        firekeras.measure_fire(build(), Endless())


def nothing():
    yield from ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((0, 8, 8, 3)), r"empty: expected at least one sample"),
        ((np.zeros((0, 8, 8, 3)), np.zeros(0)), r"empty"),
        (tf_data(np.zeros((8, 8, 8, 3))).take(0), r"empty"),
        (tf_data(np.zeros((8, 8, 8, 3))).filter(lambda x: False), r"empty"),
        ([], r"empty|inputs"),
        (nothing(), r"empty"),
        (np.zeros((4, 8, 8, 1)), r"expected samples of shape \(8, 8, 3\), received \(8, 8, 1\)"),
        (np.zeros((8, 8, 3)), r"expected samples of shape \(8, 8, 3\), received \(8, 3\)"),
        (np.zeros((4, 3, 8, 8)), r"expected samples of shape"),
        (tf_data(np.zeros((8, 8, 8, 3))).repeat(), r"endless|infinite|never end"),
        (tf_data(np.zeros((8, 5, 5, 3))), r"expected samples of shape \(8, 8, 3\)"),
        ([np.zeros((4, 8, 8, 3))] * 2, r"1 inputs; the data hold 2"),
        (None, r"Expected data"),
        ("cifar10", r"received the text 'cifar10'"),
    ],
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_that_do_not_fit_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        firekeras.measure_fire(networks.two_convs(), data)


@pytest.mark.every_backend
def test_no_batch_is_counted_beyond_an_end_that_nobody_knew():
    """TensorFlow runs what needs no data, such as a fixed number of samples, even if no batch comes."""
    x = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")
    signature = tf.TensorSpec((4, 8, 8, 3))
    data = tf.data.Dataset.from_generator(lambda: iter([x[:4], x[4:]]), output_signature=signature)
    model = networks.two_convs()
    profile, expected = firekeras.measure_fire(model, data), firekeras.measure_fire(model, x)
    assert profile.samples == 8
    for name in expected:
        np.testing.assert_array_equal(profile[name], expected[name])


@pytest.mark.every_backend
@pytest.mark.parametrize("form", ["PyDataset", "DataLoader", "generator"])
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_batches_of_another_shape_are_refused_not_measured(form):
    x = np.zeros((SAMPLES, 6, 6, 3), "float32")
    with pytest.raises(ValueError, match=r"shape"):
        firekeras.measure_fire(networks.two_convs(), FORMS[form](x, np.zeros(SAMPLES)))


def test_inputs_of_different_lengths_are_refused():
    model = two_inputs()
    with pytest.raises(ValueError, match=r"different numbers of samples"):
        firekeras.measure_fire(model, [np.zeros((4, 4)), np.zeros((5, 4))])


def test_a_stem_that_only_goes_with_unscored_filters_is_measured_but_not_ranked():
    profile = firekeras.measure_fire(networks.residual(), np.random.default_rng(0).normal(size=(8, 8, 8, 3)))
    rankable = profile.rankable()
    coupled = [name for name in profile.graph.groups[0] if np.isfinite(profile[name]).all()]
    assert coupled and len(profile.graph.groups[0]) > 1
    assert not any(rankable[name].any() for name in coupled)
    assert any(ranked.all() for ranked in rankable.values())


@pytest.mark.every_backend
@pytest.mark.parametrize("neuron_maps", [False, True])
def test_nan_in_the_data_is_reported_and_not_counted(neuron_maps):
    x = np.ones((4, 8, 8, 3), "float32")
    x[2, 3, 3] = np.nan
    with pytest.raises(ValueError, match=r"1 of the batches hold NaN or infinity"):
        firekeras.measure_fire(networks.two_convs(), x, neuron_maps=neuron_maps)


@pytest.mark.every_backend
@pytest.mark.parametrize("shape", [(255, 3, 8), (256, 2, 4), (5, 3, 3), (7, 8), (3, 4, 5, 4), (6,), (None, 5, 4)])
def test_nonzeros_are_counted_exactly_in_any_shape(shape):
    layer = keras.layers.ReLU()
    size = (3, *(9 if one is None else one for one in shape))
    x = np.random.default_rng(0).normal(size=size).astype("float32")
    inputs = keras.Input(shape)
    outputs = keras.layers.Lambda(lambda y: nonzeros(y, len(shape))[0])(layer(inputs))
    counted = keras.Model(inputs, outputs).predict(x, verbose=0)
    np.testing.assert_array_equal(counted, (x > 0).sum(axis=tuple(range(1, len(shape)))))
