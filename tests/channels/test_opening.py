"""Layers made of layers: opened if they do nothing beyond their graph, else closed with a reason."""

import keras
import networks
import numpy as np
import oracle
import pytest
from keras import layers as L
from keras.src import backend

import firekeras
from firekeras.channels.opening import opened, why_closed

pytestmark = pytest.mark.usefixtures("uncompiled")


class Block(L.Layer):
    """An inverted bottleneck, as EfficientNet and MobileNet have it."""

    def __init__(self, filters, **settings):
        super().__init__(**settings)
        self.filters = filters
        self.expand = L.Conv2D(4 * filters, 1, use_bias=False, name="expand")
        self.norm = L.BatchNormalization(name="norm")
        self.relu = L.ReLU(name="relu")
        self.depthwise = L.DepthwiseConv2D(3, padding="same", name="depthwise")
        self.dropout = L.Dropout(0.2, name="dropout")
        self.project = L.Conv2D(filters, 1, name="project")

    def call(self, x, training=None):
        y = self.relu(self.norm(self.expand(x), training=training))
        return x + self.dropout(self.project(self.relu(self.depthwise(y))), training=training)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


class Stage(L.Layer):
    """Blocks in a list, and two inputs and outputs by name."""

    def __init__(self, filters, **settings):
        super().__init__(**settings)
        self.blocks = [Block(filters, name=f"block{k}") for k in range(2)]

    def call(self, given, mixed=False):
        x = given["image"] + given["other"] if mixed else given["image"]
        for block in self.blocks:
            x = block(x)
        return {"image": x, "sum": x + given["other"]}


def network(*blocks):
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, padding="same", activation="relu", name="stem")(image)
    for block in blocks:
        x = block(x)
    x = L.Dense(4, activation="relu", name="hidden")(L.GlobalAveragePooling2D()(x))
    return scrambled(keras.Model(image, L.Dense(3, name="logits")(x)))


def scrambled(model):
    rng = np.random.default_rng(0)
    for layer in parts(model).values():
        layer.set_weights([networks._plausible(weight, rng) for weight in layer.weights])
    return model


def staged():
    image = keras.Input((8, 8, 3))
    x, other = (L.Conv2D(6, 3, padding="same", activation="relu", name=name)(image) for name in ("stem", "other"))
    given = Stage(6, name="stage")({"image": x, "other": other}, mixed=True)
    x = L.GlobalAveragePooling2D()(L.Concatenate()([given["image"], given["sum"]]))
    return scrambled(keras.Model(image, L.Dense(3, name="logits")(x)))


def halved(model, only=()):
    graph = firekeras.channel_graph(model)
    caps = {name: 0.0 for name in graph.filter_layers if name not in only} if only else None
    return firekeras.plan_pruning(graph, firekeras.score_filters(model, "l1"), pruning_ratio=0.5, layer_caps=caps)


def parts(model, prefix=""):
    """Layers with weights by path, as Keras keeps track of them, those inside layers made of layers included."""
    found = {}
    for layer in (one for one in model._flatten_layers(include_self=False, recursive=False) if one.weights):
        inner = list(layer._flatten_layers(include_self=False, recursive=False))
        found.update(parts(layer, f"{prefix}{layer.name}/") if inner else {prefix + layer.name: layer})
    return found


@pytest.fixture
def oracle_sees_inside(monkeypatch):
    monkeypatch.setattr(oracle, "leaves", parts)
    monkeypatch.setattr(networks, "leaves", parts)


@pytest.mark.every_backend
@pytest.mark.parametrize("build", [lambda: network(Block(6, name="one"), Block(6, name="two")), staged])
def test_filters_inside_go_exactly(build, tmp_path, oracle_sees_inside):
    model = build()
    plan = halved(model)
    assert {name for name in plan.removed if "/" in name and len(plan.removed[name])}
    smaller = firekeras.prune(model, plan)
    x = networks.samples(model)
    found = networks.predictions(smaller, x)
    oracle.assert_same_outputs(oracle.masked_predictions(model, plan, smaller, x), found)
    assert firekeras.count_costs(smaller).params == plan.costs_after.params == smaller.count_params()
    smaller.save(tmp_path / "smaller.keras")
    again = keras.models.load_model(tmp_path / "smaller.keras")  # nothing in it is of a class of its own
    for one, other in zip(networks.predictions(again, x), found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_names_and_weights_stay_where_they_were():
    model = network(Block(6, name="one"))
    graph = firekeras.channel_graph(model)
    assert {"one/expand", "one/depthwise", "one/project"} <= set(graph.filter_layers)
    inner = firekeras.prune(model, halved(model)).get_layer("one")
    names = {layer.name for layer in inner.layers}
    assert isinstance(inner, keras.Model) and {"expand", "norm", "depthwise", "dropout", "project"} <= names


def test_what_does_not_change_stays_a_layer_of_its_class():
    model = network(Block(6, name="one"), Block(6, name="two"))
    smaller = firekeras.prune(model, halved(model, only=("two/expand", "two/depthwise")))
    assert type(smaller.get_layer("one")) is Block and type(smaller.get_layer("two")) is not Block
    assert any("one (Block) is made of layers" in note for note in firekeras.channel_graph(model).notes)


def test_training_goes_on_with_the_optimizers_state():
    model = network(Block(6, name="one"))
    x = networks.samples(model)
    data = np.asarray(x), np.zeros((len(x), 3), "float32")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(*data, verbose=0)
    plan = halved(model)
    smaller = firekeras.prune(model, plan)
    slots = {v.path.split("/", 1)[-1]: v for v in smaller.optimizer.variables}
    before = {v.path.split("/", 1)[-1]: v for v in model.optimizer.variables}
    name = next(path for path in slots if "project" in path and "kernel" in path)
    kept = np.delete(np.arange(24), plan.removed["one/expand"])
    wanted = keras.ops.convert_to_numpy(before[next(path for path in before if "project" in path and "kernel" in path)])
    stays = np.delete(np.arange(6), plan.removed.get("one/project", []))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(slots[name]), wanted[:, :, kept][..., stays])
    smaller.fit(*data, verbose=0)


def test_dropout_inside_still_drops_in_training():
    model = network(Block(6, name="one"))
    inner = firekeras.prune(model, halved(model)).get_layer("one")
    x = networks.samples(inner)
    one, other = (keras.ops.convert_to_numpy(inner(x, training=True)) for _ in range(2))
    assert np.abs(one - other).max() > 0


def test_fire_inside_is_measured():
    model = network(Block(6, name="one"))
    x = networks.samples(model, count=8)
    profile = firekeras.measure_fire(model, x)
    inner = opened(model.get_layer("one"))
    stem = keras.Model(model.input, model.get_layer("stem").output)
    norms = keras.Model(inner.input, inner.get_layer("norm").output)
    given = np.maximum(keras.ops.convert_to_numpy(norms(stem(x))), 0)
    np.testing.assert_allclose(profile["one/expand"], (given == 0).mean((0, 1, 2)))


@pytest.mark.every_backend
def test_in_fit_a_network_with_blocks_gets_smaller():
    model = network(Block(6, name="one"))
    x = networks.samples(model, count=32)
    y = np.arange(32) % 3
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    callback = firekeras.FirePruningCallback(target={"conv_macs": 0.6}, verbose=0)
    model.fit(x, y, validation_data=(x[:16], y[:16]), epochs=2, callbacks=[callback], verbose=0)
    assert callback.result.costs_after.conv_macs <= 0.6 * callback.result.costs_before.conv_macs
    assert firekeras.count_costs(model).conv_macs == callback.result.costs_after.conv_macs


# What stays closed


class Own(Block):
    """With a weight of its own beside its layers."""

    def build(self, shape):
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

    def call(self, x):
        return self.gain * super().call(x)


class Trains(Block):
    def build(self, shape):
        Block.call(self, keras.KerasTensor(shape))

    def call(self, x, training=None):
        return super().call(x) if training else x + self.project(self.relu(self.depthwise(self.expand(x))))


class Adds(Block):
    def call(self, x):
        y = super().call(x)
        self.add_loss(keras.ops.mean(y))
        return y


class Unused(Block):
    def __init__(self, filters, **settings):
        super().__init__(filters, **settings)
        self.spare = L.Dense(2, name="spare")

    def build(self, shape):
        self.spare.build((None, 2))


class Tensors(Block):
    """With an operation of the backend's own, which takes tensors alone."""

    def call(self, x):
        return backend.nn.tanh(super().call(x))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (Own, "has weights or random numbers of its own"),
        (Trains, "it does not compute the same in training"),
        (Adds, "cannot be followed: ValueError: `add_loss()`"),
        (Unused, "holds weights that its call does not reach"),
        (Tensors, "cannot be followed"),
    ],
)
def test_what_a_graph_could_not_keep_stays_closed_with_a_reason(block, words):
    model = network(block(6, name="one"))
    assert opened(model.get_layer("one")) is None and words in why_closed(model.get_layer("one"))
    graph = firekeras.channel_graph(model)
    assert words in graph.lock("stem", 0) and graph.lock("hidden", 0) is None
    smaller = firekeras.prune(model, halved(model))
    assert type(smaller.get_layer("one")) is block


class Makes(Block):
    """Makes a layer without weights in each call, as some do."""

    def call(self, x, training=None):
        return L.Add()([x, super().call(x, training=training)])


def test_layers_made_in_a_call_are_followed():
    assert opened(network(Makes(6, name="one")).get_layer("one")) is not None


# What comes out can be loaded


class Cuts(Block):
    """With a Lambda that reads the layer itself, which no file can hold."""

    def __init__(self, filters, **settings):
        super().__init__(filters, **settings)
        self.twice = L.Lambda(lambda x: x * (self.filters / 3), name="twice")

    def call(self, x, training=None):
        return self.twice(super().call(x, training=training))


class Nameless(Block):
    """With a config that its constructor does not take, as a layer inside others may have."""

    def get_config(self):
        return {**super().get_config(), "unknown": 1}


class Around(Block):
    def __init__(self, filters, **settings):
        super().__init__(filters, **settings)
        self.inner = Nameless(filters, name="inner")

    def call(self, x, training=None):
        return self.inner(super().call(x, training=training), training=training)


@pytest.mark.parametrize("block", [Cuts, Around])
def test_what_only_a_block_can_build_is_opened_with_it(block, tmp_path, oracle_sees_inside):
    model = network(block(6, name="one"))
    plan = halved(model, only=("one/expand", "one/depthwise"))
    assert len(plan.removed["one/expand"])
    smaller = firekeras.prune(model, plan)
    x = networks.samples(model)
    found = networks.predictions(smaller, x)
    oracle.assert_same_outputs(oracle.masked_predictions(model, plan, smaller, x), found)
    smaller.save(tmp_path / "smaller.keras")
    again = keras.models.load_model(tmp_path / "smaller.keras")
    np.testing.assert_allclose(networks.predictions(again, x)[0], found[0], atol=1e-6)


class NamelessOwn(Own):
    def get_config(self):
        return {**super().get_config(), "unknown": 1}


class AroundOwn(Block):
    def __init__(self, filters, **settings):
        super().__init__(filters, **settings)
        self.inner = NamelessOwn(filters, name="inner")

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(Block.call(self, x))


class Net(keras.Model):
    """Builds itself, so that Keras cannot load a smaller one by this class."""

    def __init__(self, block):
        inner = network(block)
        super().__init__(inner.input, inner.output)


def test_what_cannot_stand_on_its_own_keeps_its_block_closed():
    assert "inner (NamelessOwn) in it cannot be rebuilt" in why_closed(network(AroundOwn(6)).layers[2])


def test_a_class_that_alone_can_build_its_layers_is_refused():
    with pytest.raises(ValueError, match=r"'one' \(NamelessOwn\) cannot be rebuilt from its config: .*unknown"):
        firekeras.channel_graph(Net(NamelessOwn(6, name="one")))
    assert len(firekeras.channel_graph(Net(Nameless(6, name="one"))).filter_layers) > 3  # it is opened in any case


class Resizes(Block):
    """Keras's Resizing has what comes after it train, unless somebody says otherwise."""

    def build(self, shape):
        self.expand.build(shape)
        self.norm.build((*shape[:-1], 24))

    def call(self, x):
        return self.norm(self.expand(L.Resizing(8, 8)(x)))


def test_to_try_a_layer_out_leaves_its_statistics_alone():
    image = keras.Input((8, 8, 3))
    model = scrambled(keras.Model(image, L.Conv2D(2, 1)(Resizes(6, name="one")(image))))
    before = model.get_weights()
    firekeras.channel_graph(model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Affine(L.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        self.shift = self.add_weight(shape=(1,), initializer="zeros", name="shift")

    def call(self, x):
        return x * self.scale + self.shift


def test_a_layer_with_numbers_for_weights_is_tried_out(oracle_sees_inside):
    model = network(Affine(name="affine"))
    model.get_layer("affine").set_weights([np.float32(2), np.float32([0.1])])
    plan = halved(model)
    assert len(plan.removed["stem"])
    smaller, x = firekeras.prune(model, plan), networks.samples(model)
    found = networks.predictions(smaller, x)
    oracle.assert_same_outputs(oracle.masked_predictions(model, plan, smaller, x), found)


# A model at each step


def video(*inner, steps=5):
    image = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, activation="relu", name="conv1")(image)
    for layer in inner:
        x = layer(x)
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 3, activation="relu", name="conv2")(x))
    frames = keras.Model(image, x, name="frames")
    movie = keras.Input((steps, 8, 8, 3))
    x = L.Conv1D(4, 3, activation="relu", name="time")(L.TimeDistributed(frames, name="each")(movie))
    return scrambled(keras.Model(movie, L.Dense(2, name="logits")(L.GlobalAveragePooling1D()(x))))


def test_filters_of_a_model_at_each_step_go_exactly(tmp_path, oracle_sees_inside):
    model = video()
    costs = firekeras.count_costs(model)
    assert costs.conv_macs == 5 * (6 * 6 * 6 * 27 + 4 * 4 * 8 * 54) + 3 * 4 * 24 and not costs.uncounted
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=0.3)
    smaller = firekeras.prune(model, plan)
    assert len(plan.removed["each/frames/conv1"]) and len(plan.removed["each/frames/conv2"])
    assert firekeras.count_costs(smaller) == plan.costs_after
    x = networks.samples(model)
    found = networks.predictions(smaller, x)
    oracle.assert_same_outputs(oracle.masked_predictions(model, plan, smaller, x), found)
    smaller.save(tmp_path / "smaller.keras")
    assert keras.models.load_model(tmp_path / "smaller.keras").count_params() == plan.costs_after.params


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: video(L.BatchNormalization()), "each step has its own statistics"),
        (lambda: video(steps=None), "open"),
    ],
)
def test_a_model_at_each_step_that_cannot_be_opened_stays_as_it_is(model, words):
    layer = model().get_layer("each")
    assert opened(layer) is None and words in why_closed(layer)
