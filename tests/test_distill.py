"""Distillation: the loss is the formula, and all else is the student's own fit."""

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras.recovery.distill import distilling, fit_distilled, soft_divergence


def data(count=48, classes=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 6)).astype("float32"), rng.integers(0, classes, count)


def network(end="logits", seed=0, regularizer=None, rate=0.1, width=8):
    """A small compiled classifier; `end` says what its output is."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6,))
    x = L.Dense(width, activation="relu", kernel_regularizer=regularizer, name="fc")(inputs)
    x = L.Dense(3, activation="softmax" if end == "softmax" else None, name=end)(x)
    model = keras.Model(inputs, x)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=end == "logits"),
        metrics=["accuracy"],
    )
    return model


def output(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False)).astype("float64")


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def assert_same(expected, found):
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def softmax(z):
    z = np.exp(z - z.max(-1, keepdims=True))
    return z / z.sum(-1, keepdims=True)


def divergence(teacher, student, temperature):
    """KL of softened probabilities, per sample."""
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return (p * np.log(p / q)).sum(-1)


def crossentropy(logits, y):
    return -np.log(softmax(logits)[np.arange(y.size), y])


# The loss


@pytest.mark.parametrize("ends", [("logits", "logits"), ("softmax", "softmax"), ("logits", "softmax")])
def test_the_loss_is_the_formula(ends):
    student = network(ends[0], regularizer=keras.regularizers.L2(0.1), rate=0.0)
    teacher = network(ends[1], seed=1)
    x, y = data()
    sample_weight = np.linspace(0, 2, y.size)
    given, found = output(teacher, x), output(student, x)
    given, found = (np.log(z) if end == "softmax" else z for z, end in zip((given, found), ends[::-1], strict=True))
    own = (sample_weight * crossentropy(found, y)).mean()
    taught = 4.0 * (sample_weight * divergence(given, found, 2.0)).mean()
    penalty = 0.1 * np.square(weights(student)[0]).sum()
    history = fit_distilled(
        student, teacher, x, y, temperature=2.0, weight=0.3, sample_weight=sample_weight, batch_size=y.size, verbose=0
    )
    np.testing.assert_allclose(history.history["loss"], 0.7 * own + 0.3 * taught + penalty, rtol=1e-5)


def test_a_probability_of_zero_stays_finite():
    student, teacher = network("softmax"), network("softmax", seed=1)
    for model in (student, teacher):
        kernel, bias = model.get_layer("softmax").get_weights()
        model.get_layer("softmax").set_weights([1e3 * kernel, bias])
    x, y = data()
    assert (output(teacher, x) == 0).any()
    history = fit_distilled(student, teacher, x, y, verbose=0)
    assert np.isfinite(history.history["loss"]).all() and all(np.isfinite(w).all() for w in weights(student))


def test_equal_models_diverge_by_nothing():
    logits = np.random.default_rng(0).normal(0, 30, (8, 3)).astype("float32")
    assert abs(float(soft_divergence(logits, logits, 1.0))) < 1e-6


def test_the_teacher_alone_can_teach():
    student, teacher = network(), network(seed=1, width=16)
    x, _ = data(96)
    wrong = np.zeros(96, "int32")  # labels that say nothing
    before = divergence(output(teacher, x), output(student, x), 1.0).mean()
    fit_distilled(student, teacher, x, wrong, weight=1.0, epochs=40, batch_size=96, verbose=0)
    assert divergence(output(teacher, x), output(student, x), 1.0).mean() < 0.1 * before


# All else is the student's own


def test_training_goes_on_with_the_same_optimizer():
    x, y = data()
    plain, student = network(), network()
    plain.fit(x, y, epochs=3, shuffle=False, verbose=0)
    student.fit(x, y, epochs=1, shuffle=False, verbose=0)
    optimizer, teacher = student.optimizer, network(seed=1)
    fit_distilled(student, teacher, x, y, weight=0.0, epochs=1, shuffle=False, verbose=0)
    student.fit(x, y, epochs=1, shuffle=False, verbose=0)
    assert student.optimizer is optimizer and int(optimizer.iterations) == int(plain.optimizer.iterations) == 6
    for one, other in zip(weights(plain), weights(student), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_logs_have_plain_names_and_validation_is_the_students_own():
    student, teacher = network(), network(seed=1)
    x, y = data()
    history = fit_distilled(student, teacher, x, y, validation_data=(x, y), epochs=2, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history is student.history and len(history.history["loss"]) == 2
    np.testing.assert_allclose(history.history["val_loss"][-1], crossentropy(output(student, x), y).mean(), rtol=1e-5)


def test_the_teacher_stays_as_it_is():
    student, teacher = network(), network(seed=1)
    teacher.get_layer("fc").trainable = False
    x, y = data()
    before = weights(teacher)
    fit_distilled(student, teacher, x, y, verbose=0)
    assert_same(before, weights(teacher))
    assert teacher.trainable and [layer.trainable for layer in teacher.layers[1:]] == [False, True]
    assert int(teacher.optimizer.iterations) == 0
    teacher.fit(x, y, verbose=0)


def test_after_an_error_the_student_is_itself_again():
    student, teacher = network(), network(seed=1)
    x, y = data()

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_distilled(student, teacher, x, y, weight=1.0, callbacks=[Interrupt()], verbose=0)
    expected = crossentropy(output(student, x), y).mean()
    student.optimizer.learning_rate = 0.0
    loss = student.fit(x, y, batch_size=y.size, verbose=0).history["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_several_fits_share_a_context():
    student, teacher = network(), network(seed=1)
    x, y = data()
    with distilling(student, teacher, weight=1.0):
        losses = [student.fit(x, y, verbose=0).history["loss"][0] for _ in range(6)]
    assert losses[-1] < losses[0]


def test_a_pruned_model_learns_from_the_one_it_was():
    teacher = networks.two_convs()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile("adam", loss, metrics=["accuracy"])
    x = networks.samples(teacher, 32)
    y = np.arange(32) % 3
    teacher.fit(x, y, verbose=0)
    scores = firekeras.score_filters(teacher, "l1")
    student = firekeras.prune(teacher, firekeras.plan_pruning(teacher, scores, pruning_ratio=0.3))
    before = divergence(output(teacher, x), output(student, x), 1.0).mean()
    fit_distilled(student, teacher, x, y, weight=1.0, epochs=15, verbose=0)
    assert divergence(output(teacher, x), output(student, x), 1.0).mean() < 0.5 * before
    assert int(student.optimizer.iterations) == 16


# What outputs are


def softmax_layer(x):
    return L.Softmax()(L.Dense(3)(x))


def half_precision(x):
    return L.Activation("softmax", dtype="float32")(L.Dense(3, dtype="mixed_float16")(x))


def handed_on(x):
    return L.Activation("linear", dtype="float32")(L.Identity()(keras.ops.softmax(L.Dense(3)(x), axis=-1)))


def nested(x):
    inner = keras.Input((6,))
    return keras.Model(inner, L.Dense(3, activation="softmax")(inner))(x)


@pytest.mark.parametrize("end", [softmax_layer, half_precision, handed_on, nested], ids=lambda end: end.__name__)
def test_probabilities_are_known_by_their_softmax(end):
    inputs = keras.Input((6,))
    student = keras.Model(inputs, end(inputs))
    student.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    teacher = network(seed=1)
    x, y = data()
    found = np.log(output(student, x))
    history = fit_distilled(student, teacher, x, y, weight=1.0, temperature=1.0, batch_size=y.size, verbose=0)
    expected = divergence(output(teacher, x), found, 1.0).mean()
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-3)


def compiled(outputs, loss, inputs):
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss)
    return model


def sigmoid():
    inputs = keras.Input((6,))
    return compiled(L.Dense(3, activation="sigmoid", name="scores")(inputs), "binary_crossentropy", inputs)


def regression():
    inputs = keras.Input((6,))
    return compiled(L.Dense(3, name="scores")(inputs), "mse", inputs)


def wrong_axis():
    inputs = keras.Input((6,))
    maps = L.Softmax(axis=1, name="scores")(L.Reshape((2, 3))(inputs))
    return compiled(maps, "categorical_crossentropy", inputs)


@pytest.mark.parametrize("build", [sigmoid, regression, wrong_axis], ids=lambda build: build.__name__)
def test_outputs_that_are_neither_probabilities_nor_logits_are_refused(build):
    with pytest.raises(ValueError, match=r"Expected a softmax over the last axis.*Received an output of 'scores'"):
        fit_distilled(build(), build(), *data())


# Refusals


class OwnStep(keras.Model):
    def train_step(self, *args):
        return super().train_step(*args)


def own_step():
    inputs = keras.Input((6,))
    model = OwnStep(inputs, L.Dense(3, activation="softmax")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def two_outputs():
    inputs = keras.Input((6,))
    return compiled([L.Dense(3)(inputs), L.Dense(3)(inputs)], ["mse", "mse"], inputs)


def not_compiled():
    inputs = keras.Input((6,))
    return keras.Model(inputs, L.Dense(3)(inputs))


def four_classes():
    inputs = keras.Input((6,))
    return compiled(L.Dense(4, activation="softmax")(inputs), "sparse_categorical_crossentropy", inputs)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        (own_step, network, r"computes its loss in a way of its own \(train_step\)"),
        (two_outputs, two_outputs, "Expected a classifier with one output"),
        (not_compiled, network, "is not compiled"),
        (network, four_classes, r"the student's outputs, of shapes \[\(3,\)\]. Received: \[\(4,\)\]"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_models_that_do_not_fit_are_refused(student, teacher, message):
    with pytest.raises(ValueError, match=message):
        fit_distilled(student(), teacher(), *data())


def test_a_model_cannot_teach_itself():
    model = network()
    with pytest.raises(ValueError, match="weights in common"):
        fit_distilled(model, model, *data())


def test_distilling_twice_at_once_is_refused():
    student = network()
    with distilling(student, network()), pytest.raises(ValueError, match="being distilled already"):
        fit_distilled(student, network(), *data())


def test_the_callback_that_prunes_is_refused():
    with pytest.raises(ValueError, match="the teacher would be lost"):
        fit_distilled(network(), network(), *data(), callbacks=[firekeras.FirePruningCallback()])


@pytest.mark.parametrize("numbers", [{"temperature": 0}, {"temperature": np.inf}, {"weight": -0.1}, {"weight": np.nan}])
def test_numbers_out_of_range_are_refused(numbers):
    name = next(iter(numbers))
    with pytest.raises(ValueError, match=rf"^{name} is .*Received: {numbers[name]}"):
        fit_distilled(network(), network(), *data(), **numbers)
