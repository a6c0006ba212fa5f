"""FirePruningCallback inside fit: the live model gets smaller, and nothing that was learned is lost."""

import re

import fake_times
import keras
import numpy as np
import pytest
from fits import Poison, SetMetric, SetValues, States, check_state, fit, images, network

import firekeras
from firekeras.fit.live import LiveModel
from firekeras.network import Network
from firekeras.plan.planning import plan_pruning
from firekeras.plan.pruning import checked_units
from firekeras.scores.fire.counting import ZeroCounter

pytestmark = pytest.mark.usefixtures("uncompiled")

BESIDE = " and l1 and contribution"  # what ranks with FIRE by default


class Watch(keras.callbacks.Callback):
    """Remembers what a person would see from outside."""

    def __init__(self):
        super().__init__()
        self.widths, self.counters, self.counters_in_batches = [], [], []
        self.losses, self.iterations, self.accuracies = [], [], []

    def _counters(self):
        return sum(isinstance(layer, ZeroCounter) for layer in self.model.layers)

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])
        if batch == 0:
            self.counters_in_batches.append(self._counters())

    def on_epoch_end(self, epoch, logs=None):
        self.widths.append(self.model.get_layer("conv2").filters)
        self.counters.append(self._counters())
        self.iterations.append(int(self.model.optimizer.iterations))


@pytest.mark.compiled
@pytest.mark.every_backend
def test_the_model_that_fit_was_called_on_is_pruned_and_loads_without_firekeras(tmp_path):
    model = network()
    before = firekeras.count_costs(model)
    callback = firekeras.FirePruningCallback(pruning_ratio=0.25, tolerance=1.0)
    history = fit(model, callback, 5)
    assert callback.result.model is model
    assert [r.accepted for r in callback.result.rounds] == [True, True, True]
    measured = f"{BESIDE}_measured"  # without BatchNormalization contributions have to be measured
    assert [r.criterion for r in callback.result.rounds] == [f"fire{measured}", f"fire_predicted{measured}", "none"]
    assert [r.epochs for r in callback.result.rounds] == [1, 1, 2] and callback.result.epochs == 4
    assert firekeras.count_costs(model).macs == callback.result.rounds[-1].macs < before.macs
    assert len(history.history["loss"]) == 5 and history is model.history
    assert history.history["filters"] == [28, 22, 17, 17, 17]  # a quarter of 24, then of 18, rounded half up
    assert history.history["conv_macs"][-1] == firekeras.count_costs(model).conv_macs
    assert not any(isinstance(layer, ZeroCounter) for layer in model.layers)
    model.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    x, _ = images()
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.compiled
@pytest.mark.every_backend
def test_fire_counted_in_training_equals_brute_force_over_the_batches_that_trained():
    model = network(optimizer=keras.optimizers.SGD(0.0))  # nothing moves, so that one pass can be checked
    x, _ = images()
    features = keras.Model(model.input, [model.get_layer("relu1").output, model.get_layer("conv2").output])
    expected = [(np.concatenate([keras.ops.convert_to_numpy(t) for t in part]) == 0).sum((0, 1, 2))
                for part in zip(*(features(x[k : k + 32]) for k in range(0, 96, 32)), strict=True)]  # fmt: skip
    callback = firekeras.FirePruningCallback(pruning_ratio=0.1, tolerance=1.0)
    fit(model, callback, epochs=2)
    profile = callback.profile
    assert profile.mode == "training" and profile.samples == 96
    for name, zeros in zip(("conv1", "conv2"), expected, strict=True):
        np.testing.assert_array_equal(profile.zeros[name], zeros)
        np.testing.assert_array_equal(profile.seen[name], 96 * 64)


def test_with_data_fire_is_measured_in_inference_mode():
    model = network()
    callback = firekeras.FirePruningCallback(images(40)[0], pruning_ratio=0.25, tolerance=1.0)
    fit(model, callback, epochs=2)
    assert callback.profile.mode == "inference" and callback.profile.samples == 40
    assert callback.result.rounds[0].accepted


@pytest.mark.compiled
@pytest.mark.every_backend
def test_counting_leaves_training_as_it_would_have_been():
    plain, counted, watch = network(), network(), Watch()
    counted.set_weights(plain.get_weights())
    fit(plain, plain_watch := Watch(), epochs=2)
    callback = firekeras.FirePruningCallback(pruning_ratio=0.1, start_epoch=1)
    x, y = images()
    second = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: setattr(counted, "stop_training", epoch == 1))
    with pytest.warns(UserWarning, match="did not prune: fit ended after epoch 2 of 3"):
        counted.fit(x, y, epochs=3, batch_size=32, shuffle=False, verbose=0, callbacks=[callback, watch, second],
                    validation_data=images(48, seed=1))  # fmt: skip
    np.testing.assert_allclose(watch.losses, plain_watch.losses, rtol=1e-5)
    assert watch.iterations == plain_watch.iterations == [3, 6]
    for one, other in zip(plain.get_weights(), counted.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param("adam", marks=(pytest.mark.compiled, pytest.mark.every_backend)),
        *("rmsprop", keras.optimizers.SGD(0.05, momentum=0.9), "lion"),
    ],
)
def test_after_a_cut_of_dead_filters_training_goes_on_as_without_the_cut(optimizer):
    dead = (2, 3, 11, 15)
    whole, cut = network(dead, optimizer), network(dead, _again(optimizer))
    cut.set_weights(whole.get_weights())
    x, y = images()
    for model in (whole, cut):
        model.fit(x, y, batch_size=32, shuffle=False, epochs=2, verbose=0)
    live = Network.of(cut)
    plan = firekeras.plan_pruning(cut, firekeras.measure_fire(cut, x), pruning_ratio=4 / 24, balance=0)
    assert {k: v.tolist() for k, v in plan.removed.items()} == {"conv2": list(dead)}
    LiveModel(cut).become(live.without(checked_units(live.graph, plan)))
    losses = [
        model.fit(x, y, batch_size=32, shuffle=False, epochs=2, verbose=0).history["loss"] for model in (whole, cut)
    ]
    assert cut.get_layer("conv2").filters == 12
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def _again(optimizer):
    return optimizer if isinstance(optimizer, str) else type(optimizer).from_config(optimizer.get_config())


@pytest.mark.every_backend
def test_rejected_rounds_are_undone_exactly_and_tried_again_with_half_the_ratio():
    model = network(metrics=[metric := SetMetric()], norm=True)
    states, watch, plateau = States(), Watch(), keras.callbacks.ReduceLROnPlateau("val_score", patience=1, mode="max")
    callback = firekeras.FirePruningCallback(pruning_ratio=0.5, monitor="val_score")
    values = SetValues(metric, 1, 0, 0, 1, 0, 0, 1, 1, 1)
    history = fit(model, callback, 9, callbacks=[values, plateau, states, watch, callback])
    rounds = callback.result.rounds
    assert [r.accepted for r in rounds] == [False, True, False, True]
    assert [r.epochs for r in rounds] == [2, 1, 2, 3]  # those that were undone had a second helping
    assert [r.pruning_ratio for r in rounds] == [0.5, 0.25, 0.5, 0]
    assert [r.filters_removed for r in rounds] == [12, 6, 9, 0]
    assert len(history.history["loss"]) == 9  # fit goes on to its end
    check_state(states.before[6], states.after[3])  # the learning rate that the plateau had reduced is among it
    assert watch.iterations == [3, 6, 9, 6, 9, 12, 9, 12, 15]
    assert callback.result.costs_after.params == firekeras.count_costs(model).params == rounds[1].params
    assert (callback.result.baseline, callback.result.accuracy) == (1, 1)


def test_without_backtracks_the_first_rejected_round_ends_the_cutting():
    model, states = network(metrics=[metric := SetMetric()]), States()
    callback = firekeras.FirePruningCallback(pruning_ratio=0.5, monitor="val_score", backtracks=0)
    fit(model, callback, callbacks=[SetValues(metric, 1, 0.98, 0.98, 1), callback, states])
    assert [r.accepted for r in callback.result.rounds] == [False]
    check_state(states.before[3], states.after[0])
    assert callback.result.stopped_because.startswith("Round 1 ended at score 0.9800, more than the tolerance")


def test_a_round_of_one_filter_cannot_be_halved():
    callback = firekeras.FirePruningCallback(pruning_ratio=0.04, monitor="val_score")
    model = network(metrics=[metric := SetMetric()])
    fit(model, callback, 8, callbacks=[SetValues(metric, 1, 0, 0, 1, 1, 1, 1, 1), callback])
    assert [r.filters_removed for r in callback.result.rounds] == [1]
    assert "save less than 1% of the MACs" in callback.result.stopped_because
    assert model.get_layer("conv2").filters == 16


def test_a_round_that_ends_in_nan_is_undone():
    model = network()
    callback = firekeras.FirePruningCallback(pruning_ratio=0.5, tolerance=1.0)
    fit(model, callback, 5, callbacks=[Poison(1), callback])
    lost, again, _ = callback.result.rounds
    assert not lost.accepted and np.isnan(lost.accuracy) and "not finite" in lost.notes[-1]
    assert again.accepted and again.filters_removed == 6
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_weights_that_become_nan_in_the_last_step_are_seen():
    class Last(keras.callbacks.Callback):
        def on_test_end(self, logs=None):
            if self.model.get_layer("conv2").filters < 16:
                self.model.get_layer("logits").bias.assign(np.full(4, np.nan))

    callback = firekeras.FirePruningCallback(pruning_ratio=0.5, tolerance=1.0, backtracks=0)
    fit(network(), callback, 3, callbacks=[Last(), callback])
    assert "holds NaN" in callback.result.rounds[0].notes[-1]


def test_without_a_baseline_nothing_is_cut():
    callback = firekeras.FirePruningCallback()
    with pytest.warns(UserWarning, match="did not prune: There is no baseline: the loss"):
        fit(network(), callback, callbacks=[Poison(0), callback])


def test_a_target_is_reached_within_the_epochs_however_bad_the_metric():
    model = network(metrics=["accuracy", metric := SetMetric()])
    before = firekeras.count_costs(model).macs
    callback = firekeras.FirePruningCallback(monitor="score", target={"macs": 0.5})
    history = fit(model, callback, 5, callbacks=[SetValues(metric, 1, 0, 0, 0, 0.5), callback])
    assert [(r.accepted, r.epochs) for r in callback.result.rounds] == [(True, 1), (True, 3)]
    assert 0.6 * before < callback.result.rounds[0].macs <= 0.75 * before
    assert callback.result.stopped_because == "The target of 50% of the MACs is reached."
    assert before * 0.44 < callback.result.costs_after.macs <= before * 0.5
    assert callback.result.accuracy == 0.5 and not callback.result.within_tolerance
    assert callback.result.accuracy == history.history["val_score"][-1]


def test_a_target_of_latency_is_reached_by_a_table(monkeypatch):
    model = network()
    table = fake_times.table_of(model, monkeypatch)
    callback = firekeras.FirePruningCallback(target={"latency": 0.6}, latency=table, method="l1")
    fit(model, callback, 2)
    assert table.predict(model) == pytest.approx(callback.result.costs_after.latency)
    assert callback.result.costs_after.latency <= 0.6 * table.predict(network())


def test_on_the_way_to_a_target_early_stopping_ends_the_run_and_the_network_stays():
    stop = keras.callbacks.EarlyStopping("val_score", patience=1, mode="max")
    callback = firekeras.FirePruningCallback(monitor="score", target={"macs": 0.5})
    model = network(metrics=[metric := SetMetric()])
    fit(model, callback, 8, callbacks=[SetValues(metric, 1, 0, 0, 0, 0, 0, 0, 0), callback, stop])
    assert firekeras.count_costs(model).macs == callback.result.costs_after.macs < callback.result.costs_before.macs


def test_training_that_begins_later_measures_in_its_first_epoch():
    callback = firekeras.FirePruningCallback(tolerance=1.0)
    fit(network(), callback, epochs=5, initial_epoch=3)
    assert len(callback.result.rounds) == 1


def test_if_no_filter_may_go_any_more_nothing_is_planned_again(monkeypatch):
    made = []
    monkeypatch.setattr(
        "firekeras.rounds.run.plan_pruning",
        lambda *args, **limits: made.append(plan_pruning(*args, **limits)) or made[-1],
    )
    caps = {"conv1": 0, "conv2": 0.1}
    callback = firekeras.FirePruningCallback(tolerance=1.0, layer_caps=caps, pruning_ratio=0.1)
    fit(network(), callback, 8)
    assert [plan.num_removed for plan in made] == [1, 0]


def test_an_epoch_without_the_metric_does_not_end_a_round():
    callback, states = firekeras.FirePruningCallback(tolerance=1.0, monitor="val_accuracy", start_epoch=1), States()
    fit(network(), callback, 6, validation_freq=2, callbacks=[callback, states])
    assert [(r.epochs, r.filters_removed > 0) for r in callback.result.rounds] == [(2, True), (2, False)]


def test_rounds_of_several_epochs_and_no_round_that_could_not_end():
    model, watch = network(), Watch()
    callback = firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=1.0, epochs_per_round=2)
    x, y = images()
    model.fit(x, y, epochs=6, batch_size=32, verbose=0, callbacks=[watch, callback], validation_data=images(48, seed=1))
    assert [r.epochs for r in callback.result.rounds] == [2, 3]
    assert watch.counters_in_batches == [2, 0, 0, 0, 0, 0]
    assert watch.counters == [0, 0, 0, 0, 0, 0]
    assert watch.widths[0] > watch.widths[1] and len(set(watch.widths[1:])) == 1


def test_caps_hold_over_all_rounds():
    model = network()
    callback = firekeras.FirePruningCallback(pruning_ratio=0.5, tolerance=1.0, layer_caps={"conv1": 0, "conv2": 0.5})
    fit(model, callback, epochs=6)
    assert (model.get_layer("conv1").filters, model.get_layer("conv2").filters) == (8, 8)
    assert "cap of 50%" in callback.result.stopped_because


def test_a_sequential_model_and_a_nested_one():
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(8, 3), keras.layers.ReLU()], name="inner")
    model = keras.Sequential([keras.Input((8, 8, 1)), inner, keras.layers.Conv2D(8, 3, activation="relu"),
                              keras.layers.Flatten(), keras.layers.Dense(4)])  # fmt: skip
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    callback = firekeras.FirePruningCallback(pruning_ratio=0.5, tolerance=1.0)
    fit(model, callback, epochs=2)
    assert callback.result.rounds[0].filters_removed == 8
    assert isinstance(model, keras.Sequential) and isinstance(model.layers[0], keras.Sequential)
    assert len(model.layers) == 4 and len(model.layers[0].layers) == 2


def test_without_validation_the_training_accuracy_is_watched_with_a_warning():
    callback = firekeras.FirePruningCallback(pruning_ratio=0.1, tolerance=1.0)
    with pytest.warns(UserWarning, match="watches 'accuracy' on the training data"):
        fit(network(), callback, epochs=2, validation_data=None)
    assert callback.result.rounds


def test_a_callback_can_be_used_again():
    callback = firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=1.0)
    for _ in range(2):
        fit(network(), callback, epochs=2)
        assert len(callback.result.rounds) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: {"layer_caps": {"conv3": 0.5}}, "no layer with filters named 'conv3'. Did you mean 'conv"),
        (lambda: {"tolerance": -1}, "tolerance must be how far the metric may fall, in absolute points"),
        (lambda: {"epochs_per_round": 0}, "epochs_per_round must be a whole number, at least 1"),
        (lambda: {"backtracks": -1}, "backtracks must be a whole number, at least 0"),
        (lambda: {"target": {"latency": 0.5}}, "no table says how long its layers take"),
        (lambda: {"target": {"macs": 0.01}}, "cannot be reached: .* the least is macs=0.0"),
        (lambda: {"data": np.zeros((4, 9, 9, 1), "float32")}, "expected samples of shape"),
        (lambda: {"monitor": "val_iou"}, "no metric 'val_iou' to watch; it has .*'accuracy'"),
        (lambda: {"learning_rate": -1}, "learning_rate must be a number, above 0"),
        (lambda: {"pruning_ratio": 0.1, "target": {"macs": 0.5}}, "cuts are sized by it: pruning_ratio=0.1"),
        (lambda: {"method": "play_and_prune"}, "PlayAndPrune trains networks of its own"),
        (lambda: {"method": "fir"}, "Unknown method 'fir'"),
        (lambda: {"pruning_ratio": 1.5}, "pruning_ratio must be the share"),
    ],
)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        fit(network(), firekeras.FirePruningCallback(**make()))


def test_an_unknown_metric_is_refused_before_the_first_step():
    watch = Watch()
    with pytest.raises(ValueError, match="no metric 'val_iou'"):
        callback = firekeras.FirePruningCallback(monitor="val_iou")
        fit(network(), callback, callbacks=[callback, watch])
    assert not watch.losses


@pytest.mark.compiled
@pytest.mark.every_backend
def test_every_validation_is_settled_and_what_is_left_is_too():
    """The statistics are those of an exact pass over the data that `fit` was given."""
    model, (x, _) = network(norm=True), images()
    callback = firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=1.0)
    fit(model, callback, 3)
    assert any("tolerance=1 keeps every round" in note for note in callback.result.notes)
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    firekeras.reestimate_batch_norm(twin, x)
    for one, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_statistics_that_lag_are_pointed_out():
    model, callback = network(norm=True), firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=0.01)
    norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    norm.moving_mean.assign(norm.moving_mean + 1e6)  # three steps do not make up for it
    history = fit(model, callback, 2)
    (note,) = [note for note in callback.result.notes if "measured again" in note]
    unsettled = float(re.search(r"instead of ([\d.]+),", note)[1])
    baseline = history.history["val_accuracy"][0]
    assert f"has accuracy {baseline:.4g} instead" in note and abs(unsettled - baseline) > 0.01


def test_data_that_are_read_only_once_are_not_settled_which_is_said():
    x, y = images()
    batches = ((x[k % 3 * 32 : k % 3 * 32 + 32], y[k % 3 * 32 : k % 3 * 32 + 32]) for k in range(100))
    callback = firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=1.0, verbose=0)
    settings = {"steps_per_epoch": 3, "epochs": 2, "shuffle": False, "verbose": 0}
    network(norm=True).fit(batches, validation_data=images(48, seed=1), callbacks=[callback], **settings)
    assert any("can be read only once" in note and "Pass data=..." in note for note in callback.result.notes)


class Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_the_learning_rate_stays_the_users_unless_it_is_given():
    for given, expected in ((None, 0.02), (0.4, 0.02)):
        rates, model = Rates(), network(optimizer=keras.optimizers.SGD(0.02))
        callback = firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=1.0, learning_rate=given)
        fit(model, callback, 4, callbacks=[callback, rates])
        assert float(model.optimizer.learning_rate) == pytest.approx(expected)
        if given is None:
            np.testing.assert_allclose(rates.seen, 0.02, rtol=1e-6)
        else:
            steps = np.arange(12) / 3
            warm = np.where((steps >= 1) & (steps < 2), np.minimum(1, (steps - 1 + 0.02) / 0.25), 1.0)
            np.testing.assert_allclose(rates.seen, 0.4 * (1 + np.cos(np.pi * steps / 4)) / 2 * warm, rtol=1e-5)


def test_a_schedule_inside_the_optimizer_does_not_go_with_a_rate():
    schedule = keras.optimizers.schedules.CosineDecay(0.02, decay_steps=8)
    callback = firekeras.FirePruningCallback(learning_rate=0.1)
    with pytest.raises(ValueError, match=r"has a schedule of learning rates inside.*learning_rate=0.1"):
        fit(network(optimizer=keras.optimizers.Adam(schedule)), callback)


def test_other_methods_work_in_fit_too():
    for method, criterion in (("l1", "l1"), ("taylor", "taylor")):
        callback = firekeras.FirePruningCallback(method=method, pruning_ratio=0.25, tolerance=1.0)
        fit(network(), callback, 2)
        assert callback.result.rounds[0].criterion == criterion and callback.profile is None


def test_it_says_a_line_per_round_within_80_columns(capsys):
    events = []
    callback = firekeras.FirePruningCallback(pruning_ratio=0.2, tolerance=1.0, on_event=events.append)
    x, y = images()
    network().fit(x, y, epochs=3, validation_data=images(48, seed=1), verbose=0, callbacks=[callback])
    lines = capsys.readouterr().out.splitlines()
    for words in ("Baseline: accuracy", "Round  1 kept", "Round  2 kept", "trained to the end", "Ended: "):
        assert any(words in line for line in lines)
    assert max(map(len, lines)) <= 80
    kinds = [event["event"] for event in events if event["event"] != "note"]  # a baseline may be at chance level
    assert kinds == ["start", "cut", "round", "round", "stop"]


def test_nan_weights_are_refused_before_training():
    model = network()
    model.get_layer("conv1").bias.assign(np.full(8, np.nan))
    with pytest.raises(ValueError, match="holds NaN"):
        fit(model, firekeras.FirePruningCallback())


def test_a_setting_that_the_method_does_not_read_is_refused_before_training():
    callback = firekeras.FirePruningCallback(method=firekeras.methods.FPPMO(), balance=0.5)
    with pytest.raises(ValueError, match=r"does not use balance=0\.5"):
        fit(network(), callback)


def without_relus():
    i = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, activation="tanh", name="tanh")(i)
    model = keras.Model(i, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def test_a_network_without_relus_is_refused_before_training_if_fire_alone_ranks():
    watch = Watch()
    x, y = images()
    with pytest.raises(ValueError, match="has a ReLU of its own"):
        without_relus().fit(x, y, verbose=0, callbacks=[firekeras.FirePruningCallback(method="fire_paper"), watch])
    assert not watch.losses


def test_a_network_without_relus_is_pruned_by_the_criteria_beside_fire():
    model, callback = without_relus(), firekeras.FirePruningCallback(target={"conv_macs": 0.5}, verbose=0)
    x, y = images()
    model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=[callback])
    assert model.get_layer("tanh").filters <= 4 and callback.profile is None
    assert "there is no FIRE" in callback.result.notes[0]


def test_networks_after_a_cut_learn_from_the_one_before_it(tmp_path):
    """A batch as large as the data, at rate zero: the loss of an epoch is that of the network as it was cut."""
    x, y = images()
    losses = {}
    for distill in (False, True):
        keras.utils.set_random_seed(0)
        model = network(optimizer=keras.optimizers.SGD(0.0))
        whole = keras.models.clone_model(model)
        whole.set_weights(model.get_weights())
        callback = firekeras.FirePruningCallback(target={"conv_macs": 0.6}, distill=distill, method="l1")
        losses[distill] = fit(model, callback, 2, batch_size=96).history["loss"]
        assert "compute_loss" not in vars(model)
    softened = [softmax(one.predict(x, verbose=0) / 3) for one in (whole, model)]
    lesson = 9 * np.mean(np.sum(softened[0] * np.log(softened[0] / softened[1]), -1))
    assert losses[True][0] == pytest.approx(losses[False][0]) and lesson > 0
    assert losses[True][1] == pytest.approx(0.5 * losses[False][1] + 0.5 * lesson, rel=1e-4)
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(losses[False][1], rel=1e-4)
    again = fit(model, None, 1, batch_size=96, callbacks=[])  # the teacher is gone from the compiled step too
    assert again.history["loss"] == pytest.approx(losses[False][1:], rel=1e-4)
    model.save(tmp_path / "pruned.keras")


def softmax(logits):
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def test_a_network_that_cannot_teach_is_refused_before_training():
    class Own(keras.Model):
        def compute_loss(self, *args, **kwargs):
            return super().compute_loss(*args, **kwargs)

    inner = network()
    model = Own(inner.inputs, inner.outputs)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    with pytest.raises(ValueError, match=r"distill=True: .*computes its loss in its own way"):
        fit(model, firekeras.FirePruningCallback(distill=True))
