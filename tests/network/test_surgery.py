"""Surgery: the smaller network computes what the original does without those channels, and is otherwise the same."""

import os
import subprocess
import sys

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from oracle import assert_filters_gone, assert_pruned_equals_masked, assert_same_outputs

import firekeras

pytestmark = pytest.mark.usefixtures("uncompiled")


def random_plan(model, ratio=0.4, seed=0, **settings):
    scores = firekeras.score_filters(model, criterion="random", seed=seed)
    return firekeras.plan_pruning(model, scores, pruning_ratio=ratio, **settings)


def pruned(model, ratio=0.4, **settings):
    return firekeras.prune(model, random_plan(model, ratio, **settings))


def plan_removing(model, removed):
    """A plan that removes what one says, whether or not it may go."""
    plan = random_plan(model, 0.0)
    plan.removed = {name: np.array(filters) for name, filters in removed.items()}
    return plan


def weights_of(model):
    return [np.array(w) for w in model.get_weights()]


def assert_equal_arrays(expected, found):
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


# What it computes


@pytest.mark.every_backend
@pytest.mark.parametrize("build", networks.TINY, ids=lambda build: build.__name__)
def test_the_pruned_network_equals_the_masked_one(build):
    model = networks.scramble(build())
    plan = random_plan(model)
    assert plan.num_removed > 0
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))


@pytest.mark.parametrize("build", networks.PAPERS, ids=lambda build: build.__name__)
def test_networks_of_the_papers_equal_the_masked_ones(build):
    test_the_pruned_network_equals_the_masked_one(build)


@pytest.mark.parametrize("build", [networks.residual, networks.resnet20_a, networks.resnet20_b])
def test_coupled_layers_of_a_residual_stage_are_cut_too(build):
    removed = random_plan(networks.scramble(build())).removed  # rightly, as the test above shows
    assert any(name.endswith(("stem", "conv1", "a2")) and "block" not in name for name in removed)


def test_pruning_again_and_again_stays_exact():
    model = networks.scramble(networks.plain_cnn())
    for seed in range(3):
        plan = random_plan(model, 0.2, seed)
        smaller = firekeras.prune(model, plan)
        assert_pruned_equals_masked(model, plan, smaller)
        model = smaller


def test_an_empty_plan_gives_an_equal_copy():
    model = networks.scramble(networks.residual())
    copy = firekeras.prune(model, random_plan(model, 0.0))
    assert_equal_arrays(model.get_weights(), copy.get_weights())
    assert not {id(w) for w in copy.weights} & {id(w) for w in model.weights}


def kill(layer, filters):
    """Makes filters dead: their bias, or their normalization's offset, is far below zero."""
    variable = layer.beta if isinstance(layer, L.BatchNormalization) else layer.bias
    value = keras.ops.convert_to_numpy(variable).copy()
    value[filters] = -1e4
    variable.assign(value)


def test_removing_dead_filters_changes_no_output():
    model = networks.scramble(networks.plain_cnn())
    dead = {"conv1": [1, 5], "conv2": [0, 3, 11], "fc": [2]}
    for name, layer in (("conv1", "conv1_bn"), ("conv2", "conv2"), ("fc", "fc")):
        kill(model.get_layer(layer), dead[name])
    x = networks.samples(model, 32)
    profile = firekeras.measure_fire(model, x)
    assert all((profile[name][filters] == 1).all() for name, filters in dead.items())
    silent = sum(int((fire == 1).sum()) for fire in profile.values())
    plan = firekeras.plan_pruning(model, profile, pruning_ratio=silent / 30, balance=0, max_cut=1)
    assert all(set(filters) <= set(plan.removed[name]) for name, filters in dead.items())
    smaller = firekeras.prune(model, plan)
    assert_same_outputs(networks.predictions(model, x), networks.predictions(smaller, x), tolerance=1e-5)


def test_the_given_model_is_left_untouched():
    model = networks.scramble(networks.nested())
    x = networks.samples(model)
    before, given = weights_of(model), networks.predictions(model, x)
    config, inbound = model.get_config(), [len(layer._inbound_nodes) for layer in model.layers]
    pruned(model)
    assert_equal_arrays(before, model.get_weights())
    assert_equal_arrays(given, networks.predictions(model, x))
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == inbound


def test_open_input_sizes_stay_open():
    image = keras.Input((None, None, 3), name="image")
    x = networks.conv_bn_relu(networks.conv_bn_relu(image, 8, "conv1"), 6, "conv2")
    x = L.GlobalAveragePooling2D(name="pool")(x)
    model = networks.scramble(keras.Model(image, L.Dense(3, name="logits")(x)))
    plan = random_plan(model)
    smaller = firekeras.prune(model, plan)
    assert smaller.input_shape == (None, None, None, 3)
    assert_filters_gone(model, plan, smaller)
    assert smaller(np.zeros((1, 9, 7, 3))).shape == (1, 3)


def test_channels_that_are_joined_and_split_into_groups_stay_in_order():
    image = keras.Input((4, 4, 3), name="image")
    x = networks.conv_bn_relu(image, 8, "conv1")
    x = L.Reshape((16, 8), name="rows")(x)
    x = L.Conv1D(6, 3, activation="relu", name="conv2")(x)
    x = L.Permute((2, 1), name="turned")(x)
    x = L.Flatten(name="flatten")(x)
    model = networks.scramble(keras.Model(image, L.Dense(3, name="logits")(x)))
    plan = random_plan(model)
    assert set(plan.removed) == {"conv1", "conv2"}
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))


def with_lambda(function):
    image = keras.Input((8, 8, 3), name="image")
    x = networks.conv_bn_relu(networks.conv_bn_relu(image, 8, "conv1"), 6, "conv2")
    x = L.Conv2D(5, 3, activation="relu", name="conv3")(L.Lambda(function, name="custom")(x))
    x = L.GlobalAveragePooling2D(name="pool")(x)
    return networks.scramble(keras.Model(image, L.Dense(3, name="logits")(x)))


def test_a_layer_that_mixes_channels_by_no_known_rule_keeps_them_all():
    model = with_lambda(lambda t: t - keras.ops.mean(t, axis=-1, keepdims=True))
    plan = random_plan(model)
    assert set(plan.removed) == {"conv1", "conv3"} and "custom" in plan.explain("conv2", 0)
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))


@pytest.mark.parametrize(
    "function",
    [lambda t: 2 * t, lambda t: keras.ops.flip(t, -1), lambda t: keras.ops.roll(t, 1, axis=-1), keras.ops.tanh],
    ids=["scaled", "turned over", "rolled", "tanh"],
)
def test_a_layer_without_a_rule_is_cut_rightly_or_not_at_all(function):
    model = with_lambda(function)
    plan = random_plan(model)
    assert plan.removed
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))


def test_a_lambda_keeps_its_precision():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = L.Lambda(lambda t: 2 * t, dtype="mixed_float16", name="custom")(x)
    model = keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    assert pruned(model).get_layer("custom").dtype_policy.name == "mixed_float16"


# Types that only look like those that a rule knows


class Doubled(L.Conv2D):
    def call(self, inputs):
        return super().call(inputs)[..., ::-1]


class Standardized(L.Conv2D):
    """The example of Keras's own documentation of `convolution_op`: each filter depends on all inputs."""

    def convolution_op(self, inputs, kernel):
        mean = keras.ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
        return super().convolution_op(inputs, kernel - mean)


@pytest.mark.parametrize("kind", [Doubled, Standardized])
def test_a_subclass_that_computes_something_else_is_locked(kind):
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = kind(6, 3, activation="relu", name="custom")(x)
    model = keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    graph = firekeras.channel_graph(model)
    assert all("custom" in (graph.lock("conv1", k) or "") for k in range(8))
    assert "custom" not in random_plan(model, 0.5).removed


def test_a_subclass_that_only_adds_settings_is_still_known():
    class Named(L.Conv2D):
        def get_config(self):
            return {**super().get_config()}

    image = keras.Input((8, 8, 3), name="image")
    x = Named(8, 3, activation="relu", name="conv1")(image)
    model = keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    smaller = pruned(networks.scramble(model))
    assert isinstance(smaller.get_layer("conv1"), Named) and smaller.get_layer("conv1").filters < 8


# What is kept


@pytest.mark.parametrize("build", networks.TINY, ids=lambda build: build.__name__)
def test_names_order_and_types_of_layers_are_kept(build):
    model = build()
    smaller = pruned(model)
    assert type(smaller) is type(model) and smaller.name == model.name

    def described(one):
        return {path: type(layer) for path, layer in networks.leaves(one).items()}

    assert list(described(smaller).items()) == list(described(model).items())


def test_structures_of_inputs_and_outputs_are_kept():
    model = networks.dict_in_dict_out()
    smaller = pruned(model)
    keras.tree.assert_same_structure(model.input, smaller.input)
    keras.tree.assert_same_structure(model.output, smaller.output)
    assert smaller.output_names == model.output_names
    assert [t.name for t in smaller.inputs] == [t.name for t in model.inputs]
    outputs = smaller(networks.samples(smaller))
    assert set(outputs) == {"mask", "classes"} and isinstance(outputs["classes"], list)


def test_a_list_of_inputs_stays_one():
    smaller = pruned(networks.siamese())
    assert [t.name for t in smaller.input] == ["left", "right"]


def test_shared_layers_stay_shared():
    smaller = pruned(networks.siamese())
    assert len(smaller.get_layer("shared")._inbound_nodes) == 2
    names = [w.path for w in smaller.weights]
    assert len(names) == len(networks.siamese().weights)


def test_settings_of_layers_are_kept():
    image = keras.Input((8, 8, 3), name="image")
    conv = L.Conv2D(
        8,
        (3, 5),
        strides=(2, 1),
        padding="same",
        dilation_rate=1,
        activation="relu",
        kernel_regularizer=keras.regularizers.L2(0.01),
        bias_regularizer="l1",
        kernel_constraint=keras.constraints.MaxNorm(3),
        activity_regularizer=keras.regularizers.L1(0.001),
        name="conv1",
    )
    x = L.BatchNormalization(momentum=0.7, epsilon=0.01, name="bn")(conv(image))
    x = L.Dropout(0.3, seed=7, name="dropout")(L.Flatten(name="flatten")(x))
    model = keras.Model(image, L.Dense(3, kernel_regularizer="l2", name="logits")(x))
    smaller = pruned(model)
    for layer in model.layers[1:]:
        expected, found = layer.get_config(), smaller.get_layer(layer.name).get_config()
        assert {**found, "filters": 8} == {**expected, "filters": 8}, layer.name


def test_regularizers_still_count():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(0.5), name="conv1")(image)
    smaller = pruned(keras.Model(image, L.Dense(3, name="logits")(L.Flatten(name="flatten")(x))))
    kernel = keras.ops.convert_to_numpy(smaller.get_layer("conv1").kernel)
    assert float(keras.ops.convert_to_numpy(smaller.losses[0])) == pytest.approx(0.5 * np.sum(kernel**2), rel=1e-4)


def trainable_flags(model):
    flags = {model.name: model.trainable}
    for layer in model.layers:
        flags |= trainable_flags(layer) if hasattr(layer, "layers") else {layer.name: layer.trainable}
    return flags


def freeze_a_layer(model):
    model.get_layer("head").trainable = False


def freeze_a_nested_model(model):
    model.get_layer("backbone").trainable = False


def freeze_a_layer_of_a_nested_model(model):
    model.get_layer("backbone").get_layer("conv1").trainable = False


def freeze_all_but_one_of_a_nested_model(model):
    model.get_layer("backbone").trainable = False
    model.get_layer("backbone").get_layer("conv2").trainable = True


def freeze_all(model):
    model.trainable = False


@pytest.mark.parametrize(
    "freeze",
    [
        freeze_a_layer,
        freeze_a_nested_model,
        freeze_a_layer_of_a_nested_model,
        freeze_all_but_one_of_a_nested_model,
        freeze_all,
    ],
)
def test_what_is_frozen_stays_frozen(freeze):
    model = networks.nested()
    freeze(model)
    smaller = pruned(model)
    assert trainable_flags(smaller) == trainable_flags(model)
    assert len(smaller.trainable_variables) == len(model.trainable_variables)
    assert [v.trainable for v in smaller.variables] == [v.trainable for v in model.variables]


def mixed(build):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return build()
    finally:
        keras.config.set_dtype_policy("float32")


def test_mixed_precision_is_kept():
    model = networks.scramble(mixed(networks.plain_cnn))
    plan = random_plan(model)
    smaller = firekeras.prune(model, plan)
    assert {layer.name: layer.dtype_policy.name for layer in smaller.layers[1:]} == {
        layer.name: "mixed_float16" for layer in model.layers[1:]
    }
    assert_pruned_equals_masked(model, plan, smaller, tolerance=0.05)


def test_the_precision_policy_of_the_model_itself_is_kept():
    model = mixed(networks.plain_cnn)
    assert pruned(model).dtype_policy == model.dtype_policy


def test_one_layer_may_have_a_precision_of_its_own():
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", dtype="mixed_float16", name="conv1")(image)
    x = L.Conv2D(8, 3, activation="relu", name="conv2")(x)
    model = keras.Model(image, L.Dense(3, dtype="float64", name="logits")(L.Flatten(name="flatten")(x)))
    smaller = pruned(model)
    assert [layer.dtype_policy.name for layer in smaller.layers] == [layer.dtype_policy.name for layer in model.layers]


# Compiled models


def train(model, optimizer="adam", **settings):
    """One epoch on random labels."""
    x = networks.samples(model, 16)
    labels = np.arange(16) % model.output_shape[-1]
    if not model.compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, metrics=["accuracy"], **settings)
    model.fit(x, labels, batch_size=8, epochs=1, verbose=0)
    return x, labels


def slots(model, name):
    """The optimizer's slots of one weight, by their own names."""
    path = next(v.path for v in model.trainable_variables if v.path == name)
    key = path.replace("/", "_")
    return {v.path.split(key)[-1]: np.array(v) for v in model.optimizer.variables if key in v.path}


def test_a_compiled_model_stays_compiled():
    model = networks.scramble(networks.plain_cnn())
    x, labels = train(model)
    smaller = pruned(model)
    assert smaller.compiled and smaller.optimizer is not model.optimizer
    assert type(smaller.optimizer) is type(model.optimizer)
    assert smaller.optimizer.get_config() == model.optimizer.get_config()
    found = smaller.evaluate(x, labels, verbose=0, return_dict=True)
    assert set(found) == set(model.evaluate(x, labels, verbose=0, return_dict=True)) == {"accuracy", "loss"}


def test_metrics_are_not_shared_with_the_given_model():
    model = networks.plain_cnn()
    metric = keras.metrics.SparseCategoricalAccuracy(name="mine")
    model.compile("sgd", "mse", metrics=[metric])
    x = networks.samples(model, 4)
    model.evaluate(x, np.zeros(4), verbose=0)
    smaller = pruned(model)
    assert "mine" in smaller.evaluate(x, np.zeros(4), verbose=0, return_dict=True)
    assert not {id(m) for m in model.metrics} & {id(m) for m in smaller.metrics}
    assert float(metric.count) == 4


def test_the_compiled_settings_are_kept():
    model = networks.dict_in_dict_out()
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=1.0),
        loss={"mask": "mse", "classes": [keras.losses.SparseCategoricalCrossentropy(from_logits=True)]},
        loss_weights={"mask": 0.25, "classes": [2.0]},
        steps_per_execution=2,
        jit_compile=False,
    )
    smaller = pruned(model, 0.2)
    assert smaller.optimizer.get_config() == model.optimizer.get_config()
    assert (smaller.steps_per_execution, smaller.jit_compile) == (2, False)
    assert smaller.get_compile_config()["loss_weights"] == model.get_compile_config()["loss_weights"]


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(keras.optimizers.Adam, marks=pytest.mark.every_backend),
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.AdamW(use_ema=True),
        lambda: keras.optimizers.Adam(gradient_accumulation_steps=2),
        keras.optimizers.Lion,
    ],
)
def test_the_optimizers_state_is_cut_like_the_weights(optimizer):
    model = networks.scramble(networks.plain_cnn())
    train(model, optimizer())
    plan = random_plan(model)
    smaller = firekeras.prune(model, plan)
    kept = np.delete(np.arange(12), plan.removed["conv2"])
    before, after = slots(model, "conv2/bias"), slots(smaller, "conv2/bias")
    assert before and list(before) == list(after)
    assert_equal_arrays([value[kept] for value in before.values()], after.values())
    inputs = np.delete(np.arange(8), plan.removed["conv1"])
    before, after = slots(model, "conv2/kernel"), slots(smaller, "conv2/kernel")
    assert_equal_arrays([value[:, :, inputs][..., kept] for value in before.values()], after.values())
    assert int(smaller.optimizer.iterations) == int(model.optimizer.iterations) > 0


def test_the_learning_rate_of_the_moment_is_kept():
    model = networks.plain_cnn()
    train(model)
    model.optimizer.learning_rate.assign(0.0123)
    assert float(pruned(model).optimizer.learning_rate) == pytest.approx(0.0123)


def test_a_learning_rate_schedule_goes_on():
    model = networks.plain_cnn()
    train(model, keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)))
    smaller = pruned(model)
    assert float(smaller.optimizer.learning_rate) == float(model.optimizer.learning_rate) == pytest.approx(0.025)


@pytest.mark.compiled
@pytest.mark.every_backend
def test_training_goes_on_after_surgery():
    model = networks.scramble(networks.plain_cnn())
    train(model)
    smaller = pruned(model)
    before = weights_of(smaller)
    train(smaller)
    assert any((a != b).any() for a, b in zip(before, smaller.get_weights(), strict=True))
    assert int(smaller.optimizer.iterations) == 4


def test_a_mixed_precision_model_trains_on_with_its_loss_scale():
    model = networks.scramble(mixed(networks.plain_cnn))
    train(model)
    smaller = pruned(model)
    assert isinstance(smaller.optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(smaller.optimizer.dynamic_scale) == float(model.optimizer.dynamic_scale)
    train(smaller)


def test_a_layer_frozen_after_training_is_no_obstacle():
    model = networks.scramble(networks.plain_cnn())
    train(model)
    model.get_layer("conv1").trainable = False
    plan = random_plan(model)
    smaller = firekeras.prune(model, plan)
    kept = np.delete(np.arange(12), plan.removed["conv2"])
    before, after = slots(model, "conv2/bias"), slots(smaller, "conv2/bias")
    assert_equal_arrays([value[kept] for value in before.values()], after.values())
    assert not smaller.get_layer("conv1").trainable


def test_an_uncompiled_model_stays_uncompiled():
    assert not pruned(networks.plain_cnn()).compiled


def test_a_compiled_model_that_never_trained_can_be_pruned():
    model = networks.plain_cnn()
    model.compile("adam", "mse")
    smaller = pruned(model)
    assert smaller.compiled
    smaller.fit(networks.samples(smaller, 4), np.zeros((4, 4)), verbose=0)


# Without firekeras

LOAD = """
import sys
sys.modules["firekeras"] = None
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1])
x = np.load(sys.argv[2])
np.save(sys.argv[3], keras.ops.convert_to_numpy(model(x, training=False)))
assert model.compiled and float(model.optimizer.learning_rate) > 0
"""


@pytest.mark.tensorflow  # of processes that import a backend, one is enough
def test_a_pruned_model_loads_where_there_is_no_firekeras(tmp_path):
    model = networks.scramble(networks.residual())
    train(model)
    smaller = pruned(model)
    x = networks.samples(smaller)
    smaller.save(tmp_path / "pruned.keras")
    np.save(tmp_path / "x.npy", x)
    paths = [str(tmp_path / name) for name in ("pruned.keras", "x.npy", "y.npy")]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, env=dict(os.environ), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = networks.predictions(smaller, x)[0]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-5, atol=1e-6)


# Plans that do not fit


def test_a_plan_for_another_model_is_refused():
    plan = random_plan(networks.two_convs(second=11))
    with pytest.raises(
        ValueError, match=r"another model: it expects 11 filters in layer 'conv2', which has 9.*Plan again"
    ):
        firekeras.prune(networks.two_convs(second=9), plan)


def test_a_plan_with_a_layer_that_is_not_there_is_refused_with_the_nearest():
    plan = random_plan(networks.two_convs())
    plan.widths["convv2"] = plan.widths.pop("conv2")
    with pytest.raises(ValueError, match=r"'convv2'.*Did you mean 'conv2'"):
        firekeras.prune(networks.two_convs(), plan)


def test_a_plan_that_tears_coupled_filters_apart_is_refused():
    model = networks.residual()
    with pytest.raises(
        ValueError, match=r"splits coupled filters.*filters \[3\] of layer '\w+' would have to go too.*plan_pruning"
    ):
        firekeras.prune(model, plan_removing(model, {"stem": [3]}))


def test_a_plan_that_removes_locked_filters_is_refused():
    model = networks.two_convs()
    with pytest.raises(ValueError, match=r"'logits' that must stay: .*part of the model's output 'logits'"):
        firekeras.prune(model, plan_removing(model, {"logits": [0]}))


def test_a_plan_that_leaves_a_layer_empty_is_refused():
    model = networks.two_convs()
    with pytest.raises(ValueError, match=r"removes all 8 filters of layer 'conv1'; at least one must stay"):
        firekeras.prune(model, plan_removing(model, {"conv1": range(8)}))


@pytest.mark.parametrize("filters", [[8], [-1], [2, 99]])
def test_a_plan_with_filters_that_do_not_exist_is_refused(filters):
    model = networks.two_convs()
    with pytest.raises(ValueError, match="conv1"):
        firekeras.prune(model, plan_removing(model, {"conv1": filters}))


def test_a_refused_plan_leaves_the_model_as_it_was():
    model = networks.scramble(networks.two_convs())
    before = weights_of(model)
    with pytest.raises(ValueError, match="at least one must stay"):
        firekeras.prune(model, plan_removing(model, {"conv1": range(8)}))
    assert_equal_arrays(before, model.get_weights())


# Models that cannot be pruned


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_subclassed_models_are_refused():
    with pytest.raises(ValueError, match=r"subclassed.*functional model"):
        firekeras.channel_graph(Subclassed())


class Tied(L.Layer):
    """Uses the kernel of another layer, turned over."""

    def __init__(self, source, **kwargs):
        super().__init__(**kwargs)
        self.kernel = source.kernel

    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(self.kernel))


def test_layers_that_share_a_weight_are_refused():
    features = keras.Input((4,), name="features")
    first = L.Dense(5, name="first")
    x = first(features)
    model = keras.Model(features, Tied(first, name="second")(x))
    with pytest.raises(ValueError, match=r"'first' and 'second' share the weight 'kernel'"):
        firekeras.channel_graph(model)
