"""Distillation: the loss is the formula, and all else is the student's own fit."""

import keras
import networks
import numpy as np
import pytest
from backends import every_backend_runs
from keras import layers as L

import firekeras
from firekeras.recovery.distill import Teacher, distilling, fit_distilled, why_not_distilled
from firekeras.recovery.lessons import Divergence, lessons

pytestmark = pytest.mark.usefixtures("uncompiled")


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


@pytest.mark.every_backend
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


@pytest.mark.parametrize("end", ["softmax", "logits", "sigmoids", "regression"])
def test_equal_models_diverge_by_nothing(end):
    build = {"sigmoids": sigmoid, "regression": regression}.get(end, lambda: network(end))
    student = build()
    lesson = lessons(student, build())[0]
    out = student(30 * data()[0])
    assert abs(keras.ops.convert_to_numpy(lesson([out], [out], None))) < 1e-6


def test_the_teacher_alone_can_teach():
    student, teacher = network(), network(seed=1, width=16)
    x, _ = data(96)
    wrong = np.zeros(96, "int32")  # labels that say nothing
    before = divergence(output(teacher, x), output(student, x), 1.0).mean()
    fit_distilled(student, teacher, x, wrong, weight=1.0, epochs=40, batch_size=96, verbose=0)
    assert divergence(output(teacher, x), output(student, x), 1.0).mean() < 0.1 * before


# All else is the student's own


@pytest.mark.every_backend
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


@pytest.mark.every_backend
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


@pytest.mark.every_backend
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
    fit_distilled(student, teacher, x, y, weight=1.0, epochs=40, verbose=0)
    assert divergence(output(teacher, x), output(student, x), 1.0).mean() < 0.5 * before
    assert int(student.optimizer.iterations) == 41


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


def relu_and_hinge():
    inputs = keras.Input((6,))
    return compiled(L.Dense(3, name="scores")(inputs), "hinge", inputs)


def own_loss_on_values():
    inputs = keras.Input((6,))
    return compiled(L.Dense(3, name="scores")(inputs), lambda y, found: keras.ops.abs(y - found), inputs)


def crossentropy_of_anything():
    inputs = keras.Input((6,))
    return compiled(L.Dense(3, activation="hard_sigmoid", name="scores")(inputs), "binary_crossentropy", inputs)


@pytest.mark.parametrize(
    "build", [relu_and_hinge, own_loss_on_values, crossentropy_of_anything], ids=lambda build: build.__name__
)
def test_outputs_of_which_nothing_is_known_are_refused(build):
    with pytest.raises(ValueError, match=r"Expected a softmax or a sigmoid .*Received an output of 'scores'"):
        fit_distilled(build(), build(), *data())


def test_a_softmax_along_another_axis_than_the_loss_is_refused():
    with pytest.raises(ValueError, match=r"a softmax along axis -2, and a loss along axis -1"):
        fit_distilled(wrong_axis(), wrong_axis(), *data())


def test_a_teacher_of_another_kind_is_refused():
    inputs = keras.Input((6,))
    softmax = compiled(L.Dense(3, activation="softmax")(inputs), "binary_crossentropy", inputs)
    with pytest.raises(ValueError, match="Expected a teacher whose outputs are of the student's kind"):
        fit_distilled(sigmoid(), softmax, *data())


# Each kind of output


def odds(p):
    return np.log(p) - np.log(1 - p)


def bernoulli(teacher, student, temperature):
    """KL of softened yes-or-no probabilities, the mean over units."""
    p, q = (1 / (1 + np.exp(-z / temperature)) for z in (teacher, student))
    return (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(-1)


def classes(axis=-1, logits=np.log):
    def value(teacher, student, temperature):
        found = (np.moveaxis(logits(z), axis, -1) for z in (teacher, student))
        return temperature**2 * divergence(*map(np.asarray, found), temperature)

    return value


def units(logits=odds):
    return lambda teacher, student, temperature: (
        temperature**2 * bernoulli(logits(teacher), logits(student), temperature)
    )


def of_values(function):
    return lambda teacher, student, temperature: function(teacher, student)


def same(z):
    return z


def maps(activation=None, axis=-1):
    def head(x):
        x = L.Reshape((2, 2, 3))(L.Dense(12)(x))
        return L.Softmax(axis=axis)(x) if activation == "softmax" else L.Activation(activation or "linear")(x)

    return head


def dense(units, activation=None):
    return lambda x: L.Dense(units, activation=activation)(x)


def custom(y, found):
    return keras.ops.mean(keras.ops.abs(y - found))


def huber(t, s):
    error = np.abs(t - s)
    return np.where(error <= 0.5, error**2 / 2, 0.5 * error - 0.125).mean(-1)


def cosine(t, s):
    return -(t * s).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(s, axis=-1)


losses = keras.losses
KINDS = {
    "sigmoid": (dense(1, "sigmoid"), losses.BinaryCrossentropy(), units()),
    "binary logits": (dense(1), losses.BinaryCrossentropy(from_logits=True), units(same)),
    "labels": (dense(4, "sigmoid"), losses.BinaryCrossentropy(), units()),
    "focal labels": (dense(4), losses.BinaryFocalCrossentropy(from_logits=True), units(same)),
    "one mask": (maps("sigmoid"), losses.Dice(), units()),
    "own loss": (dense(2, "sigmoid"), custom, units()),
    "pixels": (maps("softmax"), losses.CategoricalCrossentropy(), classes()),
    "pixels, logits": (maps(), losses.CategoricalCrossentropy(from_logits=True), classes(logits=same)),
    "pixels, Dice": (maps("softmax"), losses.Dice(), classes()),
    "axis 1": (maps("softmax", 1), losses.CategoricalCrossentropy(axis=1), classes(1)),
    "mse": (dense(2), losses.MeanSquaredError(), of_values(lambda t, s: ((t - s) ** 2).mean(-1))),
    "mae": (dense(2), losses.MeanAbsoluteError(), of_values(lambda t, s: np.abs(t - s).mean(-1))),
    "huber": (dense(2), losses.Huber(delta=0.5), of_values(huber)),
    "log-cosh": (dense(2), losses.LogCosh(), of_values(lambda t, s: np.log(np.cosh(t - s)).mean(-1))),
    "cosine": (dense(3), losses.CosineSimilarity(), of_values(cosine)),
    "values in 0 to 1": (
        dense(2, "sigmoid"),
        losses.MeanSquaredError(),
        of_values(lambda t, s: ((t - s) ** 2).mean(-1)),
    ),
    "summed": (dense(1), losses.BinaryCrossentropy(from_logits=True, reduction="sum"), units(same)),
}


def of_kind(kind, seed=0, penalty=0.1):
    keras.utils.set_random_seed(seed)
    head, loss, _ = KINDS[kind]
    inputs = keras.Input((6,))
    x = L.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(penalty), name="fc")(inputs)
    model = keras.Model(inputs, head(x))
    model.compile(keras.optimizers.SGD(0.0), loss)
    return model


@pytest.mark.parametrize("kind", every_backend_runs(KINDS, "sigmoid", "pixels, logits", "axis 1", "huber", "summed"))
def test_each_kind_of_output_is_taught_by_its_formula(kind):
    student, teacher = of_kind(kind), of_kind(kind, seed=1)
    x, _ = data()
    given, found = output(teacher, x), output(student, x)
    y = np.random.default_rng(2).integers(0, 2, found.shape).astype("float32")
    _, loss, formula = KINDS[kind]
    own = keras.ops.convert_to_numpy((loss.call if hasattr(loss, "call") else loss)(y, found.astype("float32")))
    taught = formula(given, found, 2.0)
    sample_weight = np.random.default_rng(3).uniform(size=taught.shape if own.ndim > 1 else len(x))
    spread = sample_weight.reshape(sample_weight.shape + (1,) * (taught.ndim - sample_weight.ndim))
    reduced = np.sum if kind == "summed" else np.mean
    expected = 0.7 * reduced(own * sample_weight) + 0.3 * reduced(taught * spread)
    expected += 0.1 * np.square(weights(student)[0]).sum()
    arguments = {"sample_weight": sample_weight, "batch_size": len(x), "verbose": 0}
    history = fit_distilled(student, teacher, x, y, temperature=2.0, weight=0.3, **arguments)
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["binary logits", "labels", "pixels", "huber"])
def test_each_kind_of_teacher_alone_can_teach(kind):
    student, teacher = (of_kind(kind, seed, penalty=0.0) for seed in (0, 1))
    x, _ = data(96)
    y = np.zeros_like(output(student, x))  # labels that say nothing
    before = np.abs(output(teacher, x) - output(student, x)).mean()
    student.compile(keras.optimizers.Adam(0.03), KINDS[kind][1])
    fit_distilled(student, teacher, x, y, weight=1.0, epochs=60, batch_size=96, verbose=0)
    assert np.abs(output(teacher, x) - output(student, x)).mean() < 0.5 * before


def test_a_certain_sigmoid_stays_finite():
    student, teacher = sigmoid(), sigmoid()
    for model in (student, teacher):
        model.set_weights([1e4 * w for w in model.get_weights()])
    x, _ = data()
    assert {0.0, 1.0} <= set(output(teacher, x).ravel().tolist())
    history = fit_distilled(student, teacher, x, np.zeros((len(x), 3)), verbose=0)
    assert np.isfinite(history.history["loss"]).all() and all(np.isfinite(w).all() for w in weights(student))


def test_masked_steps_do_not_count():
    def steps(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((4, 3))
        scores = L.Dense(3, activation="softmax")(L.Masking()(inputs))
        model = keras.Model(inputs, scores)
        model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
        return model

    student, teacher = steps(0), steps(1)
    x = np.random.default_rng(0).normal(size=(8, 4, 3)).astype("float32")
    x[:, 2:] = 0
    taught = classes()(output(teacher, x), output(student, x), 1.0)[:, :2].mean()
    y = np.zeros((8, 4), "int32")
    history = fit_distilled(student, teacher, x, y, temperature=1.0, weight=1.0, batch_size=8, verbose=0)
    np.testing.assert_allclose(history.history["loss"], taught, rtol=1e-4)


def test_class_weights_count_as_sample_weights_do():
    x, y = data()
    of_class = {0: 0.5, 1: 2.0, 2: 1.0}
    given = [{"class_weight": of_class}, {"sample_weight": np.array([of_class[int(k)] for k in y])}]
    found = [
        fit_distilled(network(), network(seed=1), x, y, batch_size=y.size, verbose=0, **one).history["loss"][0]
        for one in given
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


# Several outputs


def several(structure, seed=0, rate=0.0, compiled=True):
    """Classes that count twice, a value that counts half, and an output without a loss."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6,))
    x = L.Dense(8, activation="relu", name="fc")(inputs)
    kind = L.Dense(3, activation="softmax", name="kind")(x)
    outputs = {"kind": kind, "size": L.Dense(2, name="size")(x), "free": L.Dense(4, trainable=False, name="free")(x)}
    names = ["kind", "size", "free"]
    own = {"kind": "sparse_categorical_crossentropy", "size": "mse", "free": None}
    share = {"kind": 2.0, "size": 0.5, "free": 1.0}
    if structure is list:
        outputs, own, share = ([one[name] for name in names] for one in (outputs, own, share))
    model = keras.Model(inputs, outputs)
    if compiled:
        model.compile(keras.optimizers.SGD(rate), own, loss_weights=share)
    return model


def flat_outputs(model, x):
    given = model(x, training=False)
    given = [given[name] for name in ("kind", "size", "free")] if isinstance(given, dict) else given
    return [keras.ops.convert_to_numpy(one).astype("float64") for one in given]


@pytest.mark.parametrize("structure", [pytest.param(dict, marks=pytest.mark.every_backend), list])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_output_counts_as_its_loss_does(structure, weighted):
    student, teacher = several(structure), several(structure, seed=1, compiled=False)
    x, kinds = data()
    sizes = np.random.default_rng(1).normal(size=(kinds.size, 2)).astype("float32")
    free = np.zeros((kinds.size, 4), "float32")
    names = ["kind", "size", "free"]
    y = dict(zip(names, [kinds, sizes, free], strict=True))
    by_kind, by_size = (np.random.default_rng(k).uniform(size=kinds.size) for k in (2, 3))
    sample_weight = dict(zip(names, [by_kind, by_size, np.ones(kinds.size)], strict=True))
    if structure is list:
        y, sample_weight = list(y.values()), list(sample_weight.values())
    if not weighted:
        by_kind = by_size = sample_weight = None
    (kind, size, _), (kind_, size_, _) = flat_outputs(teacher, x), flat_outputs(student, x)
    factor_kind, factor_size = (1.0 if one is None else one for one in (by_kind, by_size))
    own_kind = (factor_kind * crossentropy(np.log(kind_), kinds)).mean()
    own_size = (factor_size * ((size_ - sizes) ** 2).mean(-1)).mean()
    taught = 2.0 * (factor_kind * classes()(kind, kind_, 2.0)).mean()
    taught += 0.5 * (factor_size * ((size - size_) ** 2).mean(-1)).mean()
    expected = 0.7 * (2.0 * own_kind + 0.5 * own_size) + 0.3 * taught
    arguments = {"batch_size": kinds.size, "verbose": 0, "sample_weight": sample_weight, "validation_data": (x, y)}
    logs = fit_distilled(student, teacher, x, y, temperature=2.0, weight=0.3, **arguments).history
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-4)
    np.testing.assert_allclose([*logs["kind_loss"], *logs["size_loss"]], [own_kind, own_size], rtol=1e-4)
    assert np.allclose(logs["val_loss"], 2 * np.array(logs["val_kind_loss"]) + np.array(logs["val_size_loss"]) / 2)


def test_a_pruned_network_of_several_outputs_learns():
    teacher = several(list)
    x, kinds = data(96)
    scores = firekeras.score_filters(teacher, "l1")
    student = firekeras.prune(teacher, firekeras.plan_pruning(teacher, scores, pruning_ratio=0.3))
    student.set_weights([w + 0.3 for w in student.get_weights()])
    student.compile(keras.optimizers.Adam(0.03), student.loss)
    y = [np.zeros_like(kinds), np.zeros((96, 2)), np.zeros((96, 4))]  # labels that say nothing
    before = np.abs(flat_outputs(teacher, x)[0] - flat_outputs(student, x)[0]).mean()
    fit_distilled(student, teacher, x, y, weight=1.0, epochs=60, batch_size=96, verbose=0)
    assert np.abs(flat_outputs(teacher, x)[0] - flat_outputs(student, x)[0]).mean() < 0.5 * before


# Compiled once


def count_traces(monkeypatch):
    """A list that grows whenever the teacher's part is traced."""
    traces, call = [], Divergence.call
    monkeypatch.setattr(Divergence, "call", lambda self, *args: traces.append(1) or call(self, *args))
    return traces


def compiles():
    if keras.backend.backend() == "torch":
        pytest.skip("nothing is traced")


@pytest.mark.compiled
@pytest.mark.parametrize("kept", [False, True])
def test_a_network_is_compiled_once_for_a_teacher(monkeypatch, kept):
    compiles()
    traces = count_traces(monkeypatch)
    student, teacher = network(), network(seed=1)
    one = Teacher(teacher) if kept else teacher
    x, y = data()
    counts = []
    for _ in range(3):
        fit_distilled(student, one, x, y, batch_size=16, verbose=0)
        counts.append(len(traces))
    assert counts[0] == counts[1] == counts[2] <= 2  # TensorFlow traces a first step twice
    student.compile("sgd", student.loss)
    fit_distilled(student, one, x, y, batch_size=16, verbose=0)
    assert len(traces) > counts[2]
    before = len(traces)
    fit_distilled(network(), one, x, y, batch_size=16, verbose=0)
    assert len(traces) > before


@pytest.mark.compiled
@pytest.mark.every_backend
def test_fit_with_and_without_a_teacher_take_turns(monkeypatch):
    student, teacher = network(rate=0.0), network(seed=1)
    x, y = data()
    own = crossentropy(output(student, x), y).mean()
    taught = divergence(output(teacher, x), output(student, x), 1.0).mean()
    traces, fit = count_traces(monkeypatch), {"batch_size": y.size, "verbose": 0}
    for _ in range(2):
        plain = student.fit(x, y, **fit).history["loss"]
        distilled = fit_distilled(student, teacher, x, y, temperature=1.0, weight=1.0, **fit).history["loss"]
        np.testing.assert_allclose([*plain, *distilled], [own, taught], rtol=1e-4)
    assert len(traces) == (2 if keras.backend.backend() == "torch" else 1)
    assert not {"compute_loss", "train_step"} & set(vars(student))


@pytest.mark.every_backend
def test_a_teacher_that_changed_teaches_what_it_is_now():
    student, teacher = network(rate=0.0), network(seed=1)
    x, y = data()
    fit = {"temperature": 1.0, "weight": 1.0, "batch_size": y.size, "verbose": 0}
    fit_distilled(student, teacher, x, y, **fit)
    teacher.set_weights([2 * w for w in teacher.get_weights()])
    found = fit_distilled(student, teacher, x, y, **fit).history["loss"]
    expected = divergence(output(teacher, x), output(student, x), 1.0).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_other_numbers_are_another_lesson():
    student, teacher = network(rate=0.0), network(seed=1)
    x, y = data()
    given, found = output(teacher, x), output(student, x)
    for temperature in (1.0, 3.0):
        history = fit_distilled(
            student, teacher, x, y, temperature=temperature, weight=1.0, batch_size=y.size, verbose=0
        )
        expected = temperature**2 * divergence(given, found, temperature).mean()
        np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-4)


def test_a_student_that_is_compiled_while_it_is_taught_gets_its_own_step_back():
    student, teacher = network(), Teacher(network(seed=1))
    x, y = data()
    teacher.attach(student)
    student.compile(keras.optimizers.SGD(0.0), student.loss)
    student.fit(x, y, verbose=0)
    teacher.detach()
    teacher.detach()  # once more does nothing
    expected = crossentropy(output(student, x), y).mean()
    np.testing.assert_allclose(student.fit(x, y, batch_size=y.size, verbose=0).history["loss"], expected, rtol=1e-4)


def test_a_teacher_has_one_student_at_a_time_and_a_model_several():
    one, other, model = network(), network(), network(seed=1)
    teacher = Teacher(model)
    teacher.attach(one)
    with pytest.raises(ValueError, match="still teaching"):
        teacher.attach(other)
    teacher.detach()
    with distilling(one, model), distilling(other, model):
        assert one.compute_loss is not other.compute_loss


# Why not


def test_nothing_is_in_the_way():
    student, teacher = network(), network(seed=1)
    assert why_not_distilled(student, teacher) is None
    assert why_not_distilled(student, Teacher(teacher)) is None
    assert student.train_function is None and "compute_loss" not in vars(student)


# Refusals


class OwnStep(keras.Model):
    def train_step(self, *args):
        return super().train_step(*args)


def own_step():
    inputs = keras.Input((6,))
    model = OwnStep(inputs, L.Dense(3, activation="softmax")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def no_loss():
    inputs = keras.Input((6,))
    return compiled(L.Dense(3)(inputs), None, inputs)


def two_outputs():
    inputs = keras.Input((6,))
    return compiled({"a": L.Dense(3)(inputs), "b": L.Dense(3)(inputs)}, {"a": "mse", "b": "mse"}, inputs)


def other_names():
    inputs = keras.Input((6,))
    return compiled({"a": L.Dense(3)(inputs), "c": L.Dense(3)(inputs)}, {"a": "mse", "c": "mse"}, inputs)


def wrong_losses():
    inputs = keras.Input((6,))
    return compiled({"a": L.Dense(3)(inputs), "b": L.Dense(3)(inputs)}, {"a": "mse", "z": "mse"}, inputs)


def not_compiled():
    inputs = keras.Input((6,))
    return keras.Model(inputs, L.Dense(3)(inputs))


def four_classes():
    inputs = keras.Input((6,))
    return compiled(L.Dense(4, activation="softmax")(inputs), "sparse_categorical_crossentropy", inputs)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        (own_step, network, r"computes its loss in its own way \(train_step\)"),
        (no_loss, network, "Distillation adds to the losses of outputs"),
        (
            two_outputs,
            other_names,
            r"Expected a teacher with the student's outputs, \['a', 'b'\]. Received: \['a', 'c'\]",
        ),
        (wrong_losses, two_outputs, "do not fit its outputs"),
        (not_compiled, network, "is not compiled"),
        (network, four_classes, r"the student's outputs, of shapes \[\(3,\)\]. Received: \[\(4,\)\]"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_models_that_do_not_fit_are_refused(student, teacher, message):
    one, other = student(), teacher()
    with pytest.raises(ValueError, match=message) as raised:
        fit_distilled(one, other, *data())
    assert why_not_distilled(one, other) == str(raised.value)


def test_a_model_cannot_teach_itself():
    model = network()
    with pytest.raises(ValueError, match="shares weights with"):
        fit_distilled(model, model, *data())


def test_distilling_twice_at_once_is_refused():
    student = network()
    with distilling(student, network()), pytest.raises(ValueError, match="already being distilled"):
        fit_distilled(student, network(), *data())


def test_the_callback_that_prunes_is_refused():
    with pytest.raises(ValueError, match="would lose its teacher"):
        fit_distilled(network(), network(), *data(), callbacks=[firekeras.FirePruningCallback()])


@pytest.mark.parametrize("numbers", [{"temperature": 0}, {"temperature": np.inf}, {"weight": -0.1}, {"weight": np.nan}])
def test_numbers_out_of_range_are_refused(numbers):
    name = next(iter(numbers))
    with pytest.raises(ValueError, match=rf"^{name} must be .*Received: {numbers[name]}"):
        fit_distilled(network(), network(), *data(), **numbers)
