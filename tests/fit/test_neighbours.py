"""FirePruningCallback among other callbacks, at Ctrl-C and at errors: what others see, and what is left behind."""

import os
import signal
import threading
import time
import unittest.mock
import zipfile

import keras
import numpy as np
import pytest
from fits import Poison, SetMetric, SetValues, States, check_state, fit, images, network, state

import firekeras
from firekeras.fit.interruption import Guarded
from firekeras.fit.live import LiveModel
from firekeras.scores.fire.counting import ZeroCounter

pytestmark = pytest.mark.usefixtures("uncompiled")

BACKEND = keras.backend.backend()
QUICK = {"run_eagerly": BACKEND == "tensorflow"}  # where compiling takes longest, and is not what a test is about
REJECTED = (1, 1, 0, 0, 0, 0)  # scores by epoch: the second round is undone


@pytest.fixture(autouse=True)
def ctrl_c_as_python_has_it():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    left = signal.signal(signal.SIGINT, before)
    assert left is signal.default_int_handler


def pruning(**settings):
    return firekeras.FirePruningCallback(**{"pruning_ratio": 0.25, "tolerance": 0.1, "monitor": "val_score"} | settings)


def network_with_metric(optimizer="adam"):
    metric = SetMetric()
    return network(optimizer=optimizer, metrics=["accuracy", metric], norm=True, **QUICK), metric


def check_nothing_is_left(model, callback):
    assert not any(isinstance(layer, ZeroCounter) for layer in model.layers)
    assert not any(isinstance(vars(model)[name], Guarded) for name in ("train_function", "test_function"))
    assert callback.result.model is model
    assert callback.result.costs_after.params == firekeras.count_costs(model).params == model.count_params()
    fit(model, None, 1, callbacks=[])


class At(keras.callbacks.Callback):
    """Does something once, in an epoch, at a hook; where that is one of batches, in the second batch."""

    def __init__(self, hook, epoch, do):
        super().__init__()
        self.index, self.epoch, self.do, self.now = 1 if "batch" in hook else epoch, epoch, do, None
        setattr(self, hook, self._called)

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def _called(self, index, logs=None):
        if self.now == self.epoch and index in (None, {}, self.index):  # an evaluation has no number
            self.now = None
            self.do()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            lambda: keras.callbacks.BackupAndRestore("backup"),
            r"BackupAndRestore does not work .*compress[(][.]{3}, run_dir",
        ),
        (lambda: keras.callbacks.EarlyStopping(restore_best_weights=True), "belong to a larger network"),
        (lambda: keras.callbacks.SwapEMAWeights(swap_on_epoch=True), "Pass swap_on_epoch=False"),
        (lambda: keras.callbacks.ModelCheckpoint("c.keras", save_freq=2), "save_freq=2 it would save"),
        (lambda: keras.callbacks.ModelCheckpoint("c.keras", save_best_only=True), "may be the one before a cut"),
        (lambda: firekeras.FirePruningCallback(), "both would cut the same network"),
    ],
)
def test_what_does_not_go_along_is_refused_before_training(other, words):
    model = network(**QUICK)
    untouched = model.get_weights()
    with pytest.raises(ValueError, match=words):
        fit(model, None, callbacks=[other(), firekeras.FirePruningCallback()])
    for one, other in zip(model.get_weights(), untouched, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not isinstance(model.train_function, Guarded)


def test_the_same_callback_twice_is_refused():
    with pytest.raises(ValueError, match="the same FirePruningCallback twice"):
        fit(network(**QUICK), None, callbacks=[firekeras.FirePruningCallback()] * 2)


@pytest.mark.parametrize(
    "other", [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate), keras.callbacks.ReduceLROnPlateau()]
)
def test_two_callbacks_that_set_the_rate_are_refused(other):
    with pytest.raises(ValueError, match=r"both would set the learning rate.*Leave out learning_rate="):
        fit(network(**QUICK), None, callbacks=[other, firekeras.FirePruningCallback(learning_rate=0.01)])


def test_an_early_end_is_named_and_so_is_the_target_that_was_missed():
    model, metric = network_with_metric()
    stop = keras.callbacks.EarlyStopping("val_score", patience=1, mode="max")
    callback = firekeras.FirePruningCallback(target={"conv_macs": 0.2}, monitor="val_score")
    fit(model, callback, 12, callbacks=[SetValues(metric, 2, 1, 1), stop, callback])
    said = callback.result.stopped_because
    assert said == "fit ended after epoch 2 of 12. The target of 20% of the conv MACs is not reached."


def test_an_evaluation_by_the_user_changes_nothing():
    callback, model = firekeras.FirePruningCallback(verbose=0), network(norm=True)
    model.evaluate(*images(48, seed=1), verbose=0, callbacks=[callback])
    fit(model, callback, 2)
    before = state(model)
    model.evaluate(*images(48, seed=1), verbose=0, callbacks=[callback])
    check_state(state(model), before)


def test_it_works_inside_fit_alone():
    callback = firekeras.FirePruningCallback()
    callback.set_model(network())
    with pytest.raises(ValueError, match="works only inside fit"):
        callback.on_train_begin()


def test_others_see_and_save_the_model_that_the_metrics_are_of(tmp_path):
    save = keras.callbacks.ModelCheckpoint
    others = [
        save(str(tmp_path / "{epoch}.keras")),
        save(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.TerminateOnNaN(),
        board := keras.callbacks.TensorBoard(str(tmp_path / "board"), histogram_freq=1, write_graph=False),
    ]
    board._summary_module = written = unittest.mock.MagicMock()  # so that TensorBoard itself need not be installed
    model, metric = network_with_metric()
    callback = pruning(backtracks=0)
    history = fit(model, callback, 6, callbacks=[SetValues(metric, *REJECTED), *others, callback]).history
    assert [r.accepted for r in callback.result.rounds] == [True, False, True]
    models = [plainly_loaded(tmp_path / f"{k}.keras") for k in (1, 2, 3, 4, 5, 6)]
    params = [firekeras.count_costs(model).params for model in models]
    kept, undone, trained = (r.params for r in callback.result.rounds)
    assert params == [callback.result.costs_before.params, kept, undone, undone, trained, trained]
    for k, (saved, accuracy) in enumerate(zip(models, history["val_accuracy"], strict=True), 1):
        assert accuracy_of(saved) == pytest.approx(accuracy, abs=1e-6)
        weights = [w.copy() for w in saved.get_weights()]
        saved.load_weights(tmp_path / f"{k}.weights.h5")
        for one, other in zip(weights, saved.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 7
    drawn = [call.args[1].shape[-1] for call in written.histogram.call_args_list if "conv1/bias" in call.args[0]]
    assert drawn == [model.get_layer("conv1").filters for model in models]


def plainly_loaded(path):
    with zipfile.ZipFile(path) as archive:
        assert b"firekeras" not in archive.read("config.json")
    return keras.models.load_model(path, compile=False)


def accuracy_of(model):
    x, y = images(48, seed=1)
    return (model.predict(x, verbose=0).argmax(1) == y).mean()


def test_batches_may_be_saved_where_data_are_given_to_measure_on(tmp_path):
    saved = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}-{batch}.keras"), save_freq=2)
    fit(network(**QUICK), None, 2, callbacks=[saved, firekeras.FirePruningCallback(images(32)[0], tolerance=1.0)])
    assert len(list(tmp_path.iterdir())) == 3


def test_a_rate_that_a_scheduler_sets_reaches_the_network_that_trains():
    class Rates(keras.callbacks.Callback):
        seen = ()

        def on_train_batch_begin(self, batch, logs=None):
            if batch == 0:
                self.seen += (round(float(self.model.optimizer.learning_rate), 6),)

    model, metric = network_with_metric()
    schedule, rates = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1)), Rates()
    callback = pruning()
    fit(model, callback, 6, callbacks=[schedule, SetValues(metric, *REJECTED), rates, callback])
    assert [r.accepted for r in callback.result.rounds] == [True, False, True]
    assert rates.seen == (0.01, 0.005, 0.003333, 0.0025, 0.002, 0.001667)


def test_a_round_broken_off_by_early_stopping_is_undone():
    model, metric = network_with_metric()
    stop, states, callback = (
        keras.callbacks.EarlyStopping("val_score", patience=1, mode="max"),
        States(),
        pruning(epochs_per_round=2),
    )
    history = fit(model, callback, 8, callbacks=[SetValues(metric, 1, 2, 3, 3, 3), stop, states, callback])
    assert len(history.history["loss"]) == 4
    assert [r.accepted for r in callback.result.rounds] == [True]
    check_state(state(model), states.after[2])
    assert callback.result.stopped_because == "fit ended before round 2 was over, so the round was undone."
    check_nothing_is_left(model, callback)


def test_nan_that_ends_the_training_is_undone():
    model, states, callback = network(**QUICK), States(), firekeras.FirePruningCallback(tolerance=1.0)
    fit(model, callback, 6, callbacks=[Poison(2), keras.callbacks.TerminateOnNaN(), states, callback])
    assert [r.accepted for r in callback.result.rounds] == [True, False]
    check_state(state(model), states.after[1])


def test_weights_averaged_by_the_optimizer_are_those_of_the_network_that_is_left():
    model, metric = network_with_metric(keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True))
    callback, states = pruning(backtracks=0), States()
    fit(
        model, callback, 6, callbacks=[SetValues(metric, *REJECTED), keras.callbacks.SwapEMAWeights(), states, callback]
    )
    assert [r.accepted for r in callback.result.rounds] == [True, False, True]
    averages = model.optimizer._model_variables_moving_average
    for weight, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (weight, average)))
    check_state(states.before[4], states.after[1])  # averages too


CTRL_C = {
    "a training step": ("on_train_batch_end", 2),
    "an evaluation": ("on_test_batch_end", 2),
    "the end of an epoch": ("on_epoch_end", 1),
}


@pytest.mark.parametrize(
    "where", [pytest.param("a training step", marks=pytest.mark.every_backend), "an evaluation", "the end of an epoch"]
)
def test_ctrl_c_leaves_the_last_accepted_network(where):
    hook, epoch = CTRL_C[where]
    model, metric = network_with_metric()
    states, callback = States(), pruning(epochs_per_round=2 if hook == "on_epoch_end" else 1)
    press = At(hook, epoch, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, 6, callbacks=[SetValues(metric, 1, 1, 1, 1, 1, 1), states, press, callback])
    assert len(callback.result.rounds) == (hook != "on_epoch_end")
    check_state(state(model), states.after[1 if callback.result.rounds else 0])
    assert callback.result.stopped_because == "fit was interrupted."
    check_nothing_is_left(model, callback)


def test_ctrl_c_while_fire_is_counted_leaves_what_was_learned():
    model, callback = network(**QUICK), firekeras.FirePruningCallback()
    with pytest.raises(KeyboardInterrupt):
        fit(
            model,
            callback,
            callbacks=[callback, At("on_train_batch_end", 0, lambda: signal.raise_signal(signal.SIGINT))],
        )
    assert int(model.optimizer.iterations) == 2
    check_nothing_is_left(model, callback)


def test_a_second_ctrl_c_is_raised_at_once():
    def press():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        at_once.append(True)

    model, states, callback, at_once = network(**QUICK), States(), firekeras.FirePruningCallback(tolerance=1.0), []
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, callbacks=[callback, states, At("on_train_batch_end", 1, press)])
    assert at_once
    check_state(state(model), states.after[0])


def test_a_handler_of_the_programs_own_is_left_alone():
    pressed = []
    signal.signal(signal.SIGINT, lambda *args: pressed.append(True))
    try:
        callback = firekeras.FirePruningCallback(tolerance=1.0)
        fit(
            network(),
            callback,
            2,
            callbacks=[callback, At("on_epoch_end", 1, lambda: signal.raise_signal(signal.SIGINT))],
        )
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert pressed and len(callback.result.rounds) == 1


def test_a_signal_from_elsewhere_while_a_step_takes_long():
    def wait():
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(0.5)

    model, states, callback = network(**QUICK), States(), firekeras.FirePruningCallback(tolerance=1.0)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, 8, callbacks=[states, At("on_train_batch_end", 2, wait), callback])
    check_state(state(model), states.after[1])
    assert callback.result.stopped_because == "fit was interrupted."


class Bomb:
    """A loss that fails in one of its steps, where it is computed."""

    def __init__(self):
        self.armed = False

    def __call__(self, y, logits):
        loss = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return loss + self._checked()

    def _tick(self, *args):
        if self.armed:
            raise RuntimeError("out of memory, say")
        return np.float32(0)

    def _checked(self):
        if BACKEND == "tensorflow":
            import tensorflow as tf

            return tf.ensure_shape(tf.numpy_function(self._tick, [], tf.float32), ())
        if BACKEND == "jax":
            import jax

            return jax.pure_callback(self._tick, jax.ShapeDtypeStruct((), "float32"))
        return float(self._tick())


def armed(bomb, value=True):
    return lambda: setattr(bomb, "armed", value)


@pytest.mark.parametrize(
    ("hook", "epoch"),
    [
        ("on_test_begin", 2),
        pytest.param("on_train_batch_end", 2, marks=pytest.mark.every_backend),
        ("on_train_batch_end", 0),
    ],
)
def test_an_error_in_a_step_leaves_the_last_accepted_network(hook, epoch):
    bomb, callback, states = Bomb(), firekeras.FirePruningCallback(tolerance=1.0), States()
    model = network()
    begun = state(model)[: len(model.variables)]
    model.compile("adam", bomb, metrics=["accuracy"])
    with pytest.raises(Exception, match="out of memory, say"):
        fit(model, callback, 8, callbacks=[callback, states, At(hook, epoch, armed(bomb))])
    bomb.armed = False
    assert "fit ended in an error" in callback.result.stopped_because
    if epoch:
        check_state(state(model), states.after[1])
    elif BACKEND == "jax":  # the step has used up the weights' memory: as they were when counting began
        for one, other in zip(state(model), begun, strict=False):
            np.testing.assert_array_equal(one, other)
    else:
        assert int(model.optimizer.iterations) >= 2
    check_nothing_is_left(model, callback)


def fail():
    raise RuntimeError("no space left, say")


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_test_batch_begin"])
def test_an_error_in_another_callback_leaves_the_last_accepted_network(hook):
    model, callback, states = network(**QUICK), firekeras.FirePruningCallback(tolerance=1.0), States()
    with pytest.raises(RuntimeError, match="no space left"):
        fit(model, callback, 8, callbacks=[states, At(hook, 2, fail), callback])
    check_state(state(model), states.after[2 if hook == "on_epoch_end" else 1])
    check_nothing_is_left(model, callback)


def test_errors_that_callbacks_do_not_hear_of_can_be_put_in_order():
    model, callback = network(**QUICK), firekeras.FirePruningCallback(tolerance=1.0)
    for again in (callback.put_back, lambda: fit(model, callback, 2, callbacks=[callback])):
        with pytest.raises(ValueError, match=r"sizes|cardinality"):
            fit(model, callback, validation_data=(images(48)[0], images(47)[1]))
        assert isinstance(model.train_function, Guarded)
        again()
        check_nothing_is_left(model, callback)
    assert len(callback.result.rounds) == 1


@pytest.mark.compiled
@pytest.mark.every_backend
def test_a_network_is_not_trained_by_the_compiled_step_of_another_of_its_shape():
    i = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="conv")(i) * np.float32([1, 10, 100, 1000])
    model = keras.Model(i, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x)))
    model.compile("sgd", "mse")
    x, y = images()[0], np.zeros((96, 4), "float32")
    model = keras.Model(model.input, keras.layers.Dense(1)(model.output))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    y = y[:, :1]
    live = LiveModel(model)
    model.evaluate(x, y, verbose=0)
    kept = []
    for filters in ([0], [3]):
        plan = firekeras.plan_pruning(model, firekeras.score_filters(model), pruning_ratio=0.0)
        plan.removed = {"conv": np.array(filters)}
        smaller = firekeras.prune(model, plan)
        expected = smaller.evaluate(x, y, verbose=0)
        kept.append(live.become(smaller))
        assert model.evaluate(x, y, verbose=0) == pytest.approx(expected)
        assert model.fit(x, y, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-4)
        live.put_back(kept[0])
