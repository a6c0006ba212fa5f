"""Functional and Sequential models with a class of their own: pruned, and of that class if it can be loaded."""

import keras
import networks
import numpy as np
import pytest
import sides
from keras import layers as L
from oracle import assert_pruned_equals_masked

import firekeras


def ends(filters, outputs=3):
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(filters, 3, activation="relu", name="conv1")(image)
    x = L.Conv2D(filters, 3, activation="relu", name="conv2")(x)
    return image, L.Dense(outputs, name="logits")(L.GlobalAveragePooling2D(name="pool")(x))


class Own(keras.Model):
    """A constructor that builds the network."""

    built_so_far = 0

    def __init__(self, filters, **kwargs):
        Own.built_so_far += 1
        super().__init__(*ends(filters), **kwargs)

    def train_step(self, *args):
        return super().train_step(*args)


class BelowOwn(Own):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class Swallows(keras.Model):
    """Takes anything, and passes on something else."""

    def __init__(self, *args, **kwargs):
        super().__init__(*ends(kwargs.pop("filters", 8)), **kwargs)


class OwnConfig(keras.Model):
    def get_config(self):
        return {"name": self.name}


class OwnStack(keras.Sequential):
    def __init__(self, filters):
        convs = [L.Conv2D(filters, 3, activation="relu", name=name) for name in ("conv1", "conv2")]
        super().__init__(
            [keras.Input((8, 8, 3)), *convs, L.GlobalAveragePooling2D(name="pool"), L.Dense(3, name="logits")]
        )


class PassesOn(keras.Model):
    """Takes what a model takes, and a setting."""

    def __init__(self, *args, alpha=0.5, **kwargs):
        super().__init__(*args, **kwargs)
        self.alpha, self.steps = alpha, 0

    def train_step(self, *args):
        self.steps += 1
        return super().train_step(*args)


class Named(keras.Model):
    def __init__(self, inputs, outputs, name=None, **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)


class Stack(keras.Sequential):
    pass


class Doubles(keras.Model):
    """Computes something else than its graph."""

    def call(self, x):
        return 2 * super().call(x)


def stack():
    return Stack([keras.Input((8, 8, 3)), *keras.Model(*ends(8)).layers[1:]])


LOST = [lambda: Own(8), lambda: BelowOwn(8), Swallows, lambda: OwnConfig(*ends(8)), lambda: OwnStack(8)]
KEPT = [lambda: PassesOn(*ends(8), alpha=0.1), lambda: Named(*ends(8)), stack]


def prune(model, ratio=0.4):
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "l1"), pruning_ratio=ratio)
    return plan, firekeras.prune(model, plan)


def assert_pruned(model, path, **custom):
    plan, smaller = prune(networks.scramble(model))
    assert plan.num_removed and smaller.name == model.name
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]
    assert_pruned_equals_masked(model, plan, smaller)
    smaller.save(path / "smaller.keras")
    loaded, x = keras.models.load_model(path / "smaller.keras", custom_objects=custom), networks.samples(model)
    np.testing.assert_array_equal(networks.predictions(loaded, x)[0], networks.predictions(smaller, x)[0])
    return plan, smaller


@pytest.mark.parametrize("build", LOST)
def test_a_constructor_of_its_own_leaves_a_plain_model(build, tmp_path):
    model = build()
    before = Own.built_so_far
    plan, smaller = assert_pruned(model, tmp_path)
    assert type(smaller) in (type(keras.Model(*ends(2))), keras.Sequential) and Own.built_so_far == before
    note = next(note for note in plan.notes if type(model).__name__ in note)
    assert "plain keras." in note and ("train_step" in note) == isinstance(model, Own)


@pytest.mark.parametrize("build", KEPT)
def test_a_constructor_like_keras_keeps_the_class(build, tmp_path):
    model = build()
    plan, smaller = assert_pruned(model, tmp_path, **{type(model).__name__: type(model)})
    assert type(smaller) is type(model) and not any("plain keras." in note for note in plan.notes)


def test_a_kept_class_trains_in_its_own_way():
    model = PassesOn(*ends(8), alpha=0.1)
    model.head = model.get_layer("logits")
    _, smaller = prune(model)
    assert smaller.alpha == 0.1 and smaller.head is smaller.get_layer("logits")
    smaller.compile("sgd", "mse", run_eagerly=True)
    smaller.fit(np.ones((4, 8, 8, 3)), np.ones((4, 3)), batch_size=2, verbose=0)
    assert (model.steps, smaller.steps) == (0, 2)


@pytest.mark.parametrize("inner", [lambda: Own(8), lambda: PassesOn(*ends(8)), lambda: OwnStack(8)])
def test_nested_models_with_classes_of_their_own_are_pruned(inner, tmp_path):
    inner, image = inner(), keras.Input((8, 8, 3), name="outer_image")
    model = keras.Model(image, L.Dense(2, name="last")(L.Dense(6, name="middle")(inner(image))))
    plan, smaller = assert_pruned(model, tmp_path, PassesOn=PassesOn)
    assert f"{inner.name}/conv1" in plan.removed and smaller.get_layer(inner.name).name == inner.name
    assert (type(smaller.get_layer(inner.name)) is PassesOn) == isinstance(inner, PassesOn)


def test_a_class_that_overrides_call_is_refused():
    with pytest.raises(ValueError, match=r"Doubles.*overrides call"):
        firekeras.channel_graph(Doubles(*ends(8)))


def test_inside_it_is_a_layer_that_nobody_knows(tmp_path):
    inner, image = Doubles(*ends(8), name="inner"), keras.Input((8, 8, 3), name="outer_image")
    x = inner(L.Conv2D(3, 3, padding="same", name="first")(image))
    model = keras.Model(image, L.Dense(2, name="last")(L.Dense(6, name="middle")(x)))
    plan, smaller = assert_pruned(model, tmp_path, Doubles=Doubles)
    assert set(plan.removed) == {"middle"} and "inner (Doubles)" in plan.explain("first", 0)
    assert isinstance(smaller.get_layer("inner"), Doubles)
    assert not {id(w) for w in smaller.weights} & {id(w) for w in model.weights}


def side_finder(cls):
    image = keras.Input((6, 6, 1), name="image")
    x = L.Conv2D(8, 3, activation="relu", name="conv1")(image)
    x = L.Conv2D(8, 3, activation="relu", name="conv2")(x)
    model = cls(image, L.Dense(2, name="logits")(L.GlobalAveragePooling2D(name="pool")(x)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


class Odd(keras.Model):
    def __init__(self, inputs, outputs, odd=None):
        super().__init__(inputs, outputs)


class TrainsOddly(Odd):
    def train_step(self, *args):
        return super().train_step(*args)


def fit(model):
    callback = firekeras.FirePruningCallback(tolerance=1)
    model.fit(*sides.draw(32, 0), validation_data=sides.draw(32, 1), epochs=3, callbacks=[callback], verbose=0)


def test_inside_fit_a_model_becomes_a_plain_one_too(tmp_path):
    model = side_finder(Odd)
    before = model.count_params()
    fit(model)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").count_params() == model.count_params() < before


def test_inside_fit_a_way_to_train_is_not_lost_silently():
    with pytest.raises(ValueError, match=r"TrainsOddly.*train_step"):
        fit(side_finder(TrainsOddly))
