"""State that no config holds: it is all there after surgery, and each network has its own."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from keras import ops
from oracle import assert_pruned_equals_masked, assert_same_outputs

import firekeras

pytestmark = pytest.mark.usefixtures("uncompiled")


def plan_of(model, ratio=0.4):
    return firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=ratio)


def pruned(model, ratio=0.4):
    return firekeras.prune(model, plan_of(model, ratio))


def behind(first, shape=(8, 8, 3), dtype=None):
    """Two convolutions and a classifier behind some layer."""
    image = keras.Input(shape, name="image", dtype=dtype)
    x = networks.conv_bn_relu(networks.conv_bn_relu(first(image), 8, "conv1"), 6, "conv2")
    return keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))


def on_words(lookup, dtype):
    words = keras.Input((3,), name="words", dtype=dtype)
    x = L.Conv1D(8, 2, activation="relu", name="conv")(L.Embedding(20, 4, name="embedding")(lookup(words)))
    x = L.Dense(6, activation="relu", name="fc")(L.GlobalMaxPooling1D(name="pool")(x))
    return networks.scramble(keras.Model(words, L.Dense(2, name="logits")(x)))


def adapted_normalization():
    layer = L.Normalization(name="normalization")
    layer.adapt(np.random.default_rng(0).normal(0.3, 0.5, (16, 8, 8, 3)).astype("float32"))
    return layer


def as_published(layer):
    """Statistics as a file of weights brings them."""
    layer.load_own_variables({"0": np.full(3, 0.4), "1": np.full(3, 0.2), "2": np.array(0)})
    return layer


@pytest.mark.parametrize("adapt", [adapted_normalization, lambda: as_published(adapted_normalization())])
def test_statistics_travel(adapt, tmp_path):
    model = behind(adapt())
    for layer in model.layers[2:]:
        layer.set_weights([np.random.default_rng(1).uniform(0.1, 0.5, w.shape) for w in layer.weights])
    plan = plan_of(model)
    smaller = firekeras.prune(model, plan)
    assert_pruned_equals_masked(model, plan, smaller)
    smaller.save(tmp_path / "smaller.keras")
    x = networks.samples(model)
    loaded = keras.models.load_model(tmp_path / "smaller.keras")
    assert_same_outputs(networks.predictions(smaller, x), networks.predictions(loaded, x), 1e-5)


@pytest.mark.tensorflow  # whose tables they are
@pytest.mark.parametrize(
    "kind, words",
    [(L.IntegerLookup, [[10, 20, 30], [40, 40, 10]]), (L.StringLookup, [["a", "b", "c"], ["d", "d", "a"]])],
)
def test_tables_travel(kind, words, tmp_path):
    lookup, words = kind(name="lookup"), np.array(words)
    lookup.adapt(words)
    model = on_words(lookup, "int64" if words.dtype.kind == "i" else "string")
    words = ops.convert_to_tensor(words)
    copy = pruned(model, 0)
    np.testing.assert_array_equal(ops.convert_to_numpy(copy(words)), ops.convert_to_numpy(model(words)))
    smaller = pruned(model)
    smaller.save(tmp_path / "smaller.keras")
    loaded = keras.models.load_model(tmp_path / "smaller.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(words)), ops.convert_to_numpy(smaller(words)))


def test_bins_travel():
    bins = L.Discretization(num_bins=4, name="bins")
    bins.adapt(np.random.default_rng(0).normal(size=(50, 3)))
    model = on_words(bins, "float32")
    x = networks.samples(model)
    assert_same_outputs(networks.predictions(model, x), networks.predictions(pruned(model, 0), x), 1e-6)


@pytest.mark.tensorflow  # on PyTorch, dropout draws from a generator of PyTorch's own
def test_random_layers_go_on_from_where_they_were():
    model = behind(L.RandomContrast(0.5, name="contrast"))
    model(networks.samples(model), training=True)
    copy = pruned(model, 0)
    x = networks.samples(model, seed=2)
    drawn = [ops.convert_to_numpy(one(x, training=True)) for one in (model, copy, model)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 0


class Center(L.Layer):
    """What it takes off is set later, and in no config."""

    mean = 0.0

    def call(self, x):
        return x - self.mean


class Scale(L.Layer):
    """No name in its constructor, and a config that forgets the factor."""

    def __init__(self, factor, **kw):
        super().__init__(**kw)
        self.factor = factor

    def get_config(self):
        return super().get_config()

    def call(self, x):
        return x * self.factor


def test_attributes_set_after_construction_travel():
    center = Center(name="center")
    center.mean = np.float32(0.25)
    model = networks.scramble(behind(center))
    model.labels, model.get_layer("conv1").why = ["a", "b", "c"], {"because": [1]}
    plan = plan_of(model)
    smaller = firekeras.prune(model, plan)
    assert_pruned_equals_masked(model, plan, smaller)
    assert smaller.labels == model.labels and smaller.labels is not model.labels
    assert smaller.get_layer("conv1").why == {"because": [1]}


def test_a_layer_whose_config_does_not_build_it_is_kept():
    image = keras.Input((8, 8, 3), name="image")
    x = Scale(3.0)(networks.conv_bn_relu(image, 8, "conv1"))
    x = networks.conv_bn_relu(x, 6, "conv2")
    model = networks.scramble(keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x))))
    plan = plan_of(model)
    smaller = firekeras.prune(model, plan)
    assert set(plan.removed) == {"conv1", "conv2"}
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]
    assert_pruned_equals_masked(model, plan, smaller)


class Block(L.Layer):
    """Layers in a list, a dictionary and a model, a weight behind a closure, a random seed."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.convs = [L.Conv2D(filters, 3, padding="same") for _ in range(2)]
        self.inside = keras.Sequential([keras.Input((8, 8, filters)), L.Conv2D(filters, 1)])
        self.by_name = {"dropout": L.Dropout(0.2, seed=3)}
        self.scaled = lambda x: x * self.factor

    def build(self, shape):
        for conv in self.convs:
            conv.build(shape)
        self.factor = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="factor")

    def call(self, x, training=False):
        for conv in self.convs:
            x = conv(x)
        return self.by_name["dropout"](self.inside(self.scaled(x)), training=training)


def with_block():
    image = keras.Input((8, 8, 3), name="image")
    x = Block(4, name="block")(L.Conv2D(4, 3, padding="same", name="first")(image))
    x = networks.conv_bn_relu(x, 6, "conv")
    return keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))


def test_a_layer_of_layers_is_kept_with_weights_of_its_own():
    model = with_block()
    smaller = pruned(model)
    block, twin = model.get_layer("block"), smaller.get_layer("block")
    assert [v.path for v in twin.variables] == [v.path for v in block.variables]
    assert not {id(v) for v in twin.variables} & {id(v) for v in block.variables}
    x = np.ones((1, 8, 8, 4), "float32")
    np.testing.assert_array_equal(*(ops.convert_to_numpy(one(x)) for one in (block, twin)))
    twin.factor.assign(twin.factor * 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(twin(x)) != ops.convert_to_numpy(block(x)), True)


def test_a_layer_of_layers_goes_on_training():
    smaller = pruned(with_block())
    smaller.compile("sgd", "mse")
    before = smaller.get_layer("block").get_weights()
    smaller.fit(np.ones((4, 8, 8, 3)), np.ones((4, 3)), verbose=0)
    changed = [bool((a != b).any()) for a, b in zip(before, smaller.get_layer("block").get_weights(), strict=True)]
    trained = [id(v) in {id(t) for t in smaller.trainable_variables} for v in smaller.get_layer("block").weights]
    assert changed == trained and sum(trained) == 7


# Single variables


def test_flags_and_regularisers_of_single_variables_travel():
    model = networks.two_convs()
    kernels = [model.get_layer(name).kernel for name in ("conv1", "conv2")]
    kernels[0].trainable = False
    kernels[1].regularizer, kernels[1].constraint = keras.regularizers.L2(0.5), keras.constraints.NonNeg()
    smaller = pruned(model)
    assert [v.trainable for v in smaller.variables] == [v.trainable for v in model.variables]
    for name in ("regularizer", "constraint"):
        assert [getattr(v, name) for v in smaller.variables] == [getattr(v, name) for v in model.variables]
    kernel = ops.convert_to_numpy(smaller.get_layer("conv2").kernel)
    assert float(ops.convert_to_numpy(smaller.losses[0])) == pytest.approx(0.5 * np.sum(kernel**2), rel=1e-4)


# What is built again


class Twice(L.Conv2D):
    """Its config gives the filters that it made of what it was given."""

    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(2 * filters, kernel_size, **kwargs)


class Forgetful(L.Conv2D):
    """Its config lacks an argument."""

    def __init__(self, rate, *args, **kwargs):
        super().__init__(*args, **kwargs)


@pytest.mark.parametrize(
    "layer, reason",
    [(lambda: Twice(4, 3, name="odd"), "rebuilt"), (lambda: Forgetful(1, 4, 3, name="odd"), "rate")],
)
def test_what_cannot_be_built_again_is_locked_with_a_reason(layer, reason):
    image = keras.Input((8, 8, 3), name="image")
    x = layer()(L.Conv2D(6, 3, name="conv1")(image))
    x = L.Conv2D(5, 3, activation="relu", name="conv2")(x)
    model = networks.scramble(keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x))))
    plan = plan_of(model)
    assert set(plan.removed) == {"conv2"}
    assert_pruned_equals_masked(model, plan, firekeras.prune(model, plan))
    assert reason in plan.explain("odd", 0)


LIVE = {
    "kernel_initializer": lambda shape, dtype=None: ops.ones(shape),
    "kernel_regularizer": lambda w: ops.sum(w * w),
    "bias_constraint": lambda w: ops.relu(w),
}


@pytest.mark.parametrize("setting", LIVE)
def test_functions_without_a_name_are_handed_on(setting):
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="conv1", **{setting: LIVE[setting]})(image)
    model = networks.scramble(keras.Model(image, L.Dense(3, name="logits")(L.GlobalAveragePooling2D(name="pool")(x))))
    plan = plan_of(model)
    smaller = firekeras.prune(model, plan)
    assert_pruned_equals_masked(model, plan, smaller)
    assert getattr(smaller.get_layer("conv1"), setting) is LIVE[setting]


# Compiled


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """No config."""

    def __call__(self, step):
        return 1e-2 * ops.minimum(1.0, (1 + ops.cast(step, "float32")) / 100)


class Weighted(keras.optimizers.SGD):
    """An argument that its config lacks, and a variable of its own."""

    def __init__(self, strength):
        super().__init__(0.01, momentum=0.9)
        self.strength = strength
        self.own = self.add_variable((), "ones", name="own")

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * self.strength * self.own, variable, learning_rate)


class Above(keras.metrics.Metric):
    """Counts what is above a threshold, which no config holds."""

    def __init__(self, threshold):
        super().__init__(name="above")
        self.threshold, self.count = threshold, self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(ops.sum(ops.cast(y_pred > self.threshold, "float32")))

    def result(self):
        return self.count + 0


@pytest.mark.parametrize("optimizer", [lambda: keras.optimizers.Adam(Warmup()), lambda: Weighted(0.5)])
def test_training_goes_on_as_if_nothing_had_happened(optimizer):
    model = networks.scramble(networks.two_convs())
    x, y = networks.samples(model, 8), np.ones((8, 3), "float32")
    model.compile(optimizer(), lambda a, b: ops.mean(ops.square(a - b), -1), metrics=[Above(0.1)])
    model.fit(x, y, epochs=2, verbose=0)
    copy = pruned(model, 0)
    histories = [one.fit(x, y, epochs=2, verbose=0, shuffle=False).history for one in (model, copy)]
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
    names = [[v.path for v in one.optimizer.variables] for one in (model, copy)]
    assert names[0] == names[1]
    metrics = [one.metrics[1].metrics[0] for one in (model, copy)]
    assert metrics[0] is not metrics[1] and metrics[0].threshold == metrics[1].threshold == 0.1


def test_what_does_not_decay_goes_on_not_to():
    model = networks.two_convs()
    optimizer = keras.optimizers.AdamW(0.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[model.get_layer("conv1").kernel])
    model.compile(optimizer, "mse")
    smaller = pruned(model)
    weights = [smaller.get_layer(name).kernel for name in ("conv1", "conv2")]
    assert [smaller.optimizer._use_weight_decay(w) for w in weights] == [False, True]
