"""Rounds: each is checked against the tolerance, and what falls below it is undone."""

import dataclasses
import json

import keras
import networks
import numpy as np
import pytest
from fake_times import table_of
from keras import layers as L
from sides import TRAIN, VALIDATION, compiled, small_cnn

import firekeras
from firekeras.channels import channel_graph
from firekeras.channels.costs import COSTS
from firekeras.export.latency import Latency
from firekeras.methods.fire import FirePruning
from firekeras.methods.play_and_prune import PlayAndPrune
from firekeras.network import Network
from firekeras.recovery import RECOVERY
from firekeras.report.run_report import RunReport
from firekeras.rounds.evaluation import Evaluation
from firekeras.rounds.monitor import chosen_monitor, lost, lower_is_better, within_tolerance
from firekeras.rounds.run import Run
from firekeras.rounds.run_directory import RunDirectory
from firekeras.rounds.settings import RunSettings, check_callbacks

pytestmark = pytest.mark.usefixtures("uncompiled")


class SmallWeights(firekeras.methods.Method):
    """A method that needs no measuring: the smallest norms go."""

    def __init__(self):
        self.calls = []

    def plan(self, model, run):
        self.calls.append(dict(run.original_widths))
        return run.plan(model, firekeras.score_filters(model, "l1"))


def scripted(baseline, *rounds):
    """Measures what it is given: the baseline as given and settled, then each round's values in turn."""
    values = iter([baseline, baseline, *(value for values in rounds for value in values)])
    return lambda model: next(values)


# The bare rounds: what comes between is tested by itself.
PLAIN = {"pruning_ratio": 0.2, "epochs": None, "backtracks": 0, "recovery": (), "batch_size": 128, "verbose": 0}


def compress(model, **settings):
    given = {**PLAIN, "method": SmallWeights(), "tolerance": 0.05, "max_rounds": 3, **settings}
    return firekeras.compress(model, TRAIN, VALIDATION, **given)


def widths(model):
    return {name: layer.kernel.shape[-1] for name, layer in networks.leaves(model).items() if hasattr(layer, "kernel")}


# What a run gives


def test_fire_is_measured_in_the_first_round_and_predicted_after(trained):
    method = FirePruning(regressor="linear", fraction=1.0, drift_threshold=-1, beside=())
    result = compress(trained, method=method, tolerance=1.0)
    assert [record.criterion for record in result.rounds] == ["fire", "fire_predicted", "fire_predicted"]
    assert method.profile.samples == len(TRAIN[0])
    assert result.model.count_params() < trained.count_params()


def test_fire_can_be_measured_in_every_round(trained):
    result = compress(trained, method=FirePruning(mode="measured", beside=()), tolerance=1.0, max_rounds=2)
    assert [record.criterion for record in result.rounds] == ["fire", "fire"]


def test_the_method_fire_by_name_takes_the_ratio(trained):
    result = compress(trained, method="fire", pruning_ratio=0.5, tolerance=1.0, max_rounds=1)
    assert result.rounds[0].filters_removed == 10 and result.rounds[0].criterion == "fire and l1 and contribution"


def test_records_say_what_each_round_did(trained):
    result = compress(trained, tolerance=1.0)
    assert [record.number for record in result.rounds] == [1, 2, 3]
    assert [record.filters_removed for record in result.rounds] == [4, 3, 3]
    assert result.stopped_because == "max_rounds=3 is reached."
    for record in result.rounds:
        costs = firekeras.count_costs(record.model)
        assert (record.conv_macs, record.macs, record.params) == (costs.conv_macs, costs.macs, costs.params)
        assert record.accepted and record.baseline == result.baseline and record.seconds > 0
        found = record.model.evaluate(*VALIDATION, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(record.accuracy)
        assert json.loads(json.dumps(record.to_dict()))["number"] == record.number


def test_the_result_is_the_last_accepted_model_and_its_numbers(trained):
    result = compress(trained, tolerance=1.0, max_rounds=2)
    settled = keras.models.clone_model(trained)
    settled.set_weights(trained.get_weights())
    firekeras.reestimate_batch_norm(settled, TRAIN)
    baseline = compiled(settled).evaluate(*VALIDATION, verbose=0, return_dict=True)["accuracy"]
    assert result.model is result.rounds[-1].model
    assert result.accuracy == result.rounds[-1].accuracy
    assert result.baseline == pytest.approx(baseline)
    assert result.costs_before == firekeras.count_costs(trained)
    assert result.costs_after == firekeras.count_costs(result.model)


def test_the_result_is_a_plain_compiled_model(trained, tmp_path):
    result = compress(trained, tolerance=1.0, max_rounds=1)
    assert type(result.model) is keras.Model or type(result.model).__module__.startswith("keras.")
    assert result.model.compiled and [layer.name for layer in result.model.layers] == [
        layer.name for layer in trained.layers
    ]


def test_the_given_model_is_not_changed(trained):
    before = [np.array(v) for v in trained.variables]
    state = [np.array(v) for v in trained.optimizer.variables]
    compress(trained, tolerance=1.0, max_rounds=2)
    for one, other in zip(before, trained.variables, strict=True):
        np.testing.assert_array_equal(one, np.array(other))
    for one, other in zip(state, trained.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, np.array(other))


# Tolerance


def test_accepted_rounds_are_within_the_tolerance(trained):
    result = compress(trained, tolerance=0.03, max_rounds=8, pruning_ratio=0.3)
    for record in result.rounds:
        assert record.accepted == (record.baseline - record.accuracy <= 0.03 + 1e-9)
    assert result.baseline - result.accuracy <= 0.03 + 1e-9
    assert all(record.accepted for record in result.rounds[:-1])


@pytest.mark.every_backend
def test_a_round_below_the_tolerance_is_trained_again_and_then_undone(trained):
    evaluate = scripted(0.9, (0.85, 0.9), (0.5, 0.6, 0.8))
    result = compress(trained, evaluate=evaluate)
    assert [record.accepted for record in result.rounds] == [True, False]
    assert [record.epochs for record in result.rounds] == [1, 2]
    assert result.model is result.rounds[0].model is result.rounds[1].model
    assert result.accuracy == 0.9 and result.rounds[1].accuracy == 0.8
    assert result.rounds[1].params < result.rounds[0].params == result.costs_after.params
    assert "Round 2" in result.stopped_because and "was undone" in result.stopped_because


def test_a_second_helping_may_save_a_round(trained):
    result = compress(trained, evaluate=scripted(0.9, (0.5, 0.6, 0.86)), max_rounds=1)
    assert [(record.accepted, record.epochs, record.accuracy) for record in result.rounds] == [(True, 2, 0.86)]


def test_if_the_first_round_is_undone_the_network_stays_as_it_was(trained):
    result = compress(trained, evaluate=scripted(0.9, (0.5, 0.5, 0.5)))
    assert [record.accepted for record in result.rounds] == [False]
    assert result.accuracy == result.baseline and result.costs_after == result.costs_before
    before, after = networks.leaves(trained), networks.leaves(result.model)
    for name, layer in before.items():
        for one, other in zip(layer.trainable_variables, after[name].trainable_variables, strict=True):
            np.testing.assert_array_equal(np.array(one), np.array(other))


def test_the_state_right_after_the_cut_is_kept_if_training_made_it_worse(trained):
    kept, values = {}, iter([0.9, 0.9, 0.89, 0.7])

    def evaluate(model):
        value = next(values)
        kept[value] = [np.array(v) for v in [*model.trainable_variables, *model.optimizer.variables]]
        return value

    result = compress(trained, evaluate=evaluate, max_rounds=1)
    record = result.rounds[0]
    assert (record.accepted, record.kept, record.accuracy, record.accuracy_after_cut) == (True, "cut", 0.89, 0.89)
    assert record.accuracy_trained == 0.7
    assert "Training did not help in 1 of them; round 1: 0.7000 trained (cut kept)." in result.summary()
    (note,) = (note for note in result.notes if "the learning rate is too high" in note)
    assert "in round 1: accuracy 0.8900 before training, 0.7000 after it" in note
    state = [*result.model.trainable_variables, *result.model.optimizer.variables]
    for value, variable in zip(kept[0.89], state[: len(kept[0.89])], strict=True):
        np.testing.assert_array_equal(value, np.array(variable))
    assert any((one != other).any() for one, other in zip(kept[0.89], kept[0.7], strict=True))


class Diverge(keras.callbacks.Callback):
    """Training that gives weights which are no numbers."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.get_layer("logits").set_weights([w * np.nan for w in self.model.get_layer("logits").get_weights()])


def test_of_training_that_diverges_the_state_before_is_kept(trained):
    result = compress(trained, callbacks=[Diverge()], tolerance=1.0, max_rounds=1)
    assert [(record.accepted, record.kept) for record in result.rounds] == [(True, "cut")]
    assert np.isnan(result.rounds[0].accuracy_trained)
    assert any("before training, NaN or infinite" in note for note in result.notes)
    assert all(np.isfinite(w).all() for w in result.model.get_weights())


def test_weights_that_a_relu_hides_from_the_metric_are_not_kept(trained):
    rounds = firekeras.compression_rounds(trained, TRAIN, VALIDATION, method=SmallWeights())
    network = Network.of(trained).copy()
    kernel, bias = network.get_layer("conv2").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    network.get_layer("conv2").set_weights([kernel, bias])
    assert np.isnan(rounds.judged(network))
    assert "of layer 'conv2' came to hold NaN or infinity" in rounds.notes[-1]


def test_a_network_that_is_lost_right_after_the_cut_and_after_training_is_undone(trained):
    nan = float("nan")
    result = compress(trained, evaluate=scripted(0.9, (nan, nan)), tolerance=1.0)
    assert [record.accepted for record in result.rounds] == [False] and result.accuracy == 0.9


def test_of_a_loss_the_small_values_are_good(trained):
    result = compress(trained, evaluate=scripted(0.4, (0.5, 0.41), (0.9, 0.9, 0.5)), monitor="loss", tolerance=0.05)
    assert [record.accepted for record in result.rounds] == [True, False]
    assert result.accuracy == 0.41


@pytest.mark.every_backend
def test_nothing_is_judged_unsettled(trained):
    """Statistics that are far off change neither the baseline nor what comes out."""
    spoilt = compiled(keras.models.clone_model(trained))
    spoilt.set_weights(trained.get_weights())
    norm = next(layer for layer in spoilt.layers if isinstance(layer, L.BatchNormalization))
    norm.moving_mean.assign(norm.moving_mean + 5.0)
    as_given = spoilt.evaluate(*VALIDATION, verbose=0, return_dict=True)["accuracy"]
    result = compress(spoilt, tolerance=0.01, max_rounds=1, epochs_per_round=0)
    whole = compress(trained, tolerance=0.01, max_rounds=1, epochs_per_round=0)
    assert abs(as_given - whole.baseline) > 0.05 and result.baseline == pytest.approx(whole.baseline)
    assert "measured again on training data" in result.notes[0] and f"{result.baseline:.4g}" in result.notes[0]
    before = [np.array(v) for v in result.model.variables]
    firekeras.reestimate_batch_norm(result.model, TRAIN)
    for one, other in zip(before, result.model.variables, strict=True):
        np.testing.assert_allclose(one, np.array(other), atol=1e-5)


@pytest.mark.parametrize(
    ("value", "monitor", "accepted"),
    [
        (0.90, "accuracy", True),
        (0.89, "accuracy", True),
        (0.8899, "accuracy", False),
        (0.99, "accuracy", True),
        (float("nan"), "accuracy", False),
        (0.909, "loss", True),
        (0.9091, "loss", False),
        (0.5, "val_mae", True),
        (float("nan"), "loss", False),
    ],
)
def test_the_tolerance_is_in_points_or_a_share_where_lower_is_better(value, monitor, accepted):
    assert within_tolerance(value, 0.90, 0.01, monitor) is accepted


@pytest.mark.parametrize(
    ("value", "baseline", "monitor", "share"),
    [(0.0, 0.0, "loss", 0.0), (0.1, 0.0, "loss", np.inf), (3.0, 2.0, "loss", 0.5), (0.7, 0.9, "accuracy", 0.2)],
)
def test_what_is_lost_is_points_or_a_share_where_lower_is_better(value, baseline, monitor, share):
    assert lost(value, baseline, monitor) == pytest.approx(share)


@pytest.mark.parametrize(
    ("monitor", "names", "outputs", "chosen"),
    [
        (None, ["loss", "accuracy"], 1, "accuracy"),
        (None, ["loss", "sparse_categorical_accuracy"], 1, "sparse_categorical_accuracy"),
        (None, ["loss", "mae"], 1, "loss"),
        (None, ["loss", "mae", "mean_io_u"], 1, "mean_io_u"),
        (None, ["loss", "auc", "acc"], 1, "acc"),
        (None, ["loss", "a_accuracy", "b_loss"], 2, "loss"),
        ("val_accuracy", ["loss", "accuracy"], 1, "accuracy"),
        ("accuracy", ["val_loss", "val_accuracy"], 1, "accuracy"),
        ("mae", ["loss", "mae"], 1, "mae"),
    ],
)
def test_the_metric_is_found(monitor, names, outputs, chosen):
    assert chosen_monitor(monitor, names, outputs) == chosen


@pytest.mark.parametrize("name", ["loss", "mae", "mean_squared_error", "binary_crossentropy", "kl_divergence"])
def test_errors_are_better_low(name):
    assert lower_is_better(name)


@pytest.mark.parametrize("name", ["accuracy", "auc", "top_k_categorical_accuracy", "mean_io_u", "f1_score"])
def test_scores_are_better_high(name):
    assert not lower_is_better(name)


# Limits over the whole run


def test_caps_hold_over_the_whole_run(trained):
    method = SmallWeights()
    result = compress(
        trained,
        method=method,
        pruning_ratio=0.3,
        tolerance=1.0,
        max_rounds=9,
        epochs_per_round=0,
        layer_caps={"conv1": 0.25, "conv2": 0.5},
    )
    assert widths(result.model) == {"conv1": 6, "conv2": 6, "logits": 2}
    assert all(call == {"conv1": 8, "conv2": 12, "logits": 2} for call in method.calls)
    assert "cap of 25% on conv1" in result.stopped_because and "Nothing goes" in result.stopped_because


def test_min_keep_holds_over_the_whole_run(trained):
    result = compress(trained, pruning_ratio=0.5, tolerance=1.0, max_rounds=20, epochs_per_round=0)
    assert widths(result.model) == {"conv1": 1, "conv2": 2, "logits": 2}


def test_a_run_where_nothing_may_go_says_why(trained):
    result = compress(trained, layer_caps={"conv1": 0, "conv2": 0})
    assert result.rounds == [] and "Nothing goes" in result.stopped_because
    assert result.accuracy == result.baseline and result.costs_after == result.costs_before


# Round by round


def test_rounds_come_one_at_a_time_and_can_be_left(trained):
    rounds = firekeras.compression_rounds(trained, TRAIN, VALIDATION, method=SmallWeights(), tolerance=1.0)
    record = next(rounds)
    result = rounds.result()
    assert result.model is record.model and len(result.rounds) == 1
    assert rounds.method.calls and len(rounds.method.calls) == 1  # nothing was done ahead


def test_after_the_last_round_there_is_none(trained):
    rounds = firekeras.compression_rounds(
        trained, TRAIN, VALIDATION, method=SmallWeights(), tolerance=1.0, max_rounds=1, epochs=0
    )
    assert len(list(rounds)) == 1 and list(rounds) == []
    assert rounds.stopped_because == "max_rounds=1 is reached."


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")  # Keras's word on a data set without shuffling
def test_data_sets_and_weights_are_taken_as_fit_takes_them(trained):
    import tensorflow as tf

    train = tf.data.Dataset.from_tensor_slices(TRAIN).batch(32)
    validation = (*VALIDATION, np.ones(len(VALIDATION[0])))
    result = firekeras.compress(
        trained, train, validation, method=SmallWeights(), tolerance=1.0, max_rounds=1, epochs=1
    )
    assert result.rounds[0].accepted


# Refused before any training


class NoTraining(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("training began before the check")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"tolerance": -0.01},
            r"tolerance must be how far the metric may fall, in absolute points.*at least 0\. Received: -0.01",
        ),
        ({"tolerance": float("nan")}, r"tolerance.*Received: nan"),
        ({"epochs_per_round": -1}, r"epochs_per_round.*Received: -1"),
        ({"epochs_per_round": 1.5}, r"epochs_per_round.*Received: 1.5"),
        ({"max_rounds": 0}, r"max_rounds.*Received: 0"),
        ({"layer_caps": {"conv3": 0.5}}, r"named 'conv3'. Did you mean 'conv[12]'"),
        ({"layer_caps": {"conv1": 1.5}}, r"cap.*Received: 1.5"),
        ({"monitor": "accuracyy"}, r"no metric 'accuracyy'.*\['accuracy', 'loss'\]"),
        ({"batchsize": 32}, r"Unknown setting 'batchsize'"),
        ({"epochs": -1}, r"epochs must be a whole number, at least 0. Received: -1"),
        ({"learning_rate": 0}, r"learning_rate must be a number, above 0\. Received: 0"),
        (
            {"schedule": "linear"},
            r"schedule must be one of 'cosine', 'constant', 'steps', 'halvings'\. Received: 'linear'",
        ),
        ({"target": {"macs": 0.5}, "epochs": 3}, r"pruning_ratio=0.2 would not be used"),
        ({"sample_weight": np.ones(128)}, r"sample_weight"),
        ({"method": "fir"}, r"Unknown method 'fir'.*Did you mean 'fire'"),
        ({"method": "fire", "pruning_ratio": 2}, r"pruning_ratio.*Received: 2"),
    ],
)
def test_settings_that_mean_nothing_are_refused(trained, settings, words):
    with pytest.raises(ValueError, match=words):
        compress(trained, **{"callbacks": [NoTraining()], **settings})


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match=r"'sides' is not compiled.*metrics=\['accuracy'\]"):
        compress(small_cnn())


def test_a_model_without_the_metric_is_refused():
    with pytest.raises(ValueError, match=r"no metric 'accuracy'.*\['loss'\].*metrics=\['accuracy'\]"):
        compress(compiled(small_cnn(), metrics=()), callbacks=[NoTraining()], monitor="accuracy")


def test_without_metrics_the_loss_is_watched(trained):
    result = compress(compiled(small_cnn(), metrics=()), max_rounds=1, tolerance=float("inf"), epochs_per_round=0)
    assert result.monitor == "loss"


def test_a_baseline_at_the_level_of_chance_is_pointed_out(trained):
    share = max(np.mean(VALIDATION[1]), 1 - np.mean(VALIDATION[1]))
    result = compress(trained, evaluate=scripted(share, (0.9,)), epochs_per_round=0, max_rounds=1)
    assert "no better than always answering with the most frequent class" in " ".join(result.notes)


@pytest.mark.parametrize(
    ("method", "dense", "gone"),
    [
        (PlayAndPrune(), {}, {"conv"}),
        (PlayAndPrune(dense=True), {}, {"conv", "hidden"}),
        (FirePruning(beside=(), dense=False), {"hidden": 0.5}, {"conv", "hidden"}),
    ],
)
def test_the_papers_methods_leave_dense_units_unless_asked(method, dense, gone):
    layers = [keras.Input((4, 4, 1)), L.Conv2D(8, 3, activation="relu", name="conv"), L.Flatten()]
    model = keras.Sequential([*layers, L.Dense(8, activation="relu", name="hidden"), L.Dense(2)])
    run = Run(RunSettings(pruning_ratio=0.5, layer_caps=dense), method, model, channel_graph(model), epochs=None)
    plan = run.plan(model, firekeras.score_filters(model, "l1"))
    assert plan.removed.keys() == gone


def test_a_network_of_dense_layers_alone_needs_dense_true():
    model = keras.Sequential([keras.Input((4,)), L.Dense(8, name="hidden"), L.Dense(2)])
    with pytest.raises(ValueError, match=r"dense=True, or layer_caps=\{'hidden': 0\.5\}"):
        Run(RunSettings(), PlayAndPrune(), model, channel_graph(model), epochs=None)


def test_a_model_with_nothing_to_prune_is_refused():
    features = keras.Input((4,), name="features")
    model = compiled(keras.Model(features, L.Dense(2, name="logits")(features)))
    with pytest.raises(ValueError, match=r"no filter that may be removed.*output 'logits'"):
        firekeras.compress(model, (np.zeros((4, 4)), np.zeros(4)), (np.zeros((4, 4)), np.zeros(4)))


def test_data_that_do_not_fit_are_refused(trained):
    wrong = (np.zeros((4, 6, 6, 3), "float32"), np.zeros(4))
    for train, validation in ((wrong, VALIDATION), (TRAIN, wrong)):
        with pytest.raises(ValueError, match=r"do not fit the model: expected samples of shape \(6, 6, 1\)"):
            firekeras.compress(trained, train, validation, callbacks=[NoTraining()])


# Backtracking


def test_data_that_can_be_read_only_once_are_refused(trained):
    with pytest.raises(ValueError, match="`train_data` are read many times, but a generator can be read only"):
        firekeras.compress(trained, (batch for batch in [TRAIN]), VALIDATION)
    with pytest.raises(ValueError, match="`validation_data` are read many times"):
        firekeras.compress(trained, TRAIN, iter([VALIDATION]))


def test_an_undone_round_is_tried_again_with_half_the_ratio_which_grows_back(trained):
    good, bad = (0.9, 0.9), (0.5, 0.5, 0.5)
    evaluate = scripted(0.9, bad, bad, good, good, good)
    result = compress(trained, evaluate=evaluate, backtracks=3, pruning_ratio=0.4, max_rounds=5)
    assert [record.accepted for record in result.rounds] == [False, False, True, True, True]
    assert [record.pruning_ratio for record in result.rounds] == [0.4, 0.2, 0.1, 0.2, 0.4]
    assert [record.filters_removed for record in result.rounds[:4]] == [8, 4, 2, 4]
    assert {record.criterion for record in result.rounds} == {"l1"}
    assert result.stopped_because == "max_rounds=5 is reached."


def test_backtracking_ends(trained):
    evaluate = scripted(0.9, *[(0.5, 0.5, 0.5)] * 3)
    result = compress(trained, evaluate=evaluate, backtracks=2, pruning_ratio=0.8, max_rounds=9)
    assert [record.pruning_ratio for record in result.rounds] == [0.8, 0.4, 0.2]
    assert not any(record.accepted for record in result.rounds)
    assert "Round 3 ended at accuracy" in result.stopped_because


def test_no_round_is_tried_again_with_as_many_filters(trained):
    result = compress(trained, evaluate=scripted(0.9, (0.5, 0.5, 0.5)), backtracks=9, pruning_ratio=0.05)
    assert [record.filters_removed for record in result.rounds] == [1]
    assert "save less than 1% of the MACs" in result.stopped_because


# Epochs


class Rates(keras.callbacks.Callback):
    """Notes the learning rate of each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_within_a_tolerance_rounds_come_first_and_the_rest_trains_to_the_end(trained):
    rates = Rates()
    given = {"callbacks": [rates], "pruning_ratio": 0.1, "batch_size": 32}
    result = compress(trained, tolerance=1.0, epochs=5, max_rounds=9, **given)
    assert [record.epochs for record in result.rounds] == [1, 1, 1, 2] and result.epochs == 5
    assert [bool(record.filters_removed) for record in result.rounds] == [True, True, True, False]
    assert result.rounds[-1].conv_macs == result.rounds[-2].conv_macs == result.costs_after.conv_macs
    assert len(rates.seen) == 20 and rates.seen[-1] < 0.02 * 0.01 < 0.9 * 0.01 < max(rates.seen[:4])
    assert float(result.model.optimizer.learning_rate) == pytest.approx(0.01)  # as the model was compiled


def test_the_rate_follows_the_cosine_by_hand(trained):
    rates = Rates()
    given = {"learning_rate": 0.4, "pruning_ratio": 0.1, "batch_size": 32}
    compress(trained, tolerance=1.0, epochs=2, max_rounds=1, callbacks=[rates], **given)
    progress = np.arange(8) / 4 / 2
    warm = np.minimum(1, (np.arange(8) / 4 + 0.02) / 0.25)  # after the cut, not before the rest is trained
    np.testing.assert_allclose(rates.seen, 0.4 * (1 + np.cos(np.pi * progress)) / 2 * warm, rtol=1e-5)


def test_a_custom_schedule(trained):
    rates = Rates()
    given = {"schedule": lambda progress: 1 - progress, "learning_rate": 0.1, "epochs": 1, "max_rounds": 1}
    compress(trained, tolerance=1.0, callbacks=[rates], batch_size=32, **given)
    assert rates.seen[-1] == pytest.approx(0.1 * 0.25, rel=1e-5)


def test_a_schedule_inside_the_optimizer_that_has_run_out_is_pointed_out():
    keras.utils.set_random_seed(0)
    schedule = keras.optimizers.schedules.CosineDecay(0.02, decay_steps=8)
    model = small_cnn()
    model.compile(keras.optimizers.Adam(schedule), compiled(small_cnn()).loss, metrics=["accuracy"])
    model.fit(*TRAIN, epochs=2, batch_size=32, verbose=0)
    rates = Rates()
    result = compress(model, tolerance=1.0, epochs=2, max_rounds=1, callbacks=[rates], batch_size=32)
    assert any("has run out" in note and "0.02" in note for note in result.notes)
    assert max(rates.seen) == pytest.approx(0.02, rel=0.2)
    config = result.model.optimizer.get_config()["learning_rate"]
    assert config["class_name"] == "CosineDecay"
    assert int(result.model.optimizer.iterations) == int(model.optimizer.iterations) + len(rates.seen)


# Targets
# Targets


TO_TARGET = {"pruning_ratio": None, "tolerance": 0.01, "max_rounds": 20}


@pytest.mark.parametrize("measure", ["macs", "conv_macs", "params"])
def test_a_run_arrives_at_its_target_and_not_far_below(trained, measure):
    result = compress(trained, target={measure: 0.5}, **{**TO_TARGET, "epochs": 0})
    before, after = (getattr(costs, measure) for costs in (result.costs_before, result.costs_after))
    assert 0.35 * before < after <= 0.5 * before  # a filter is worth an eighth here
    assert result.stopped_because == f"The target of 50% of the {COSTS[measure].title} is reached."


def test_a_target_is_reached_in_a_few_cuts_however_bad_the_metric(trained):
    evaluate = scripted(0.9, (0.2, 0.3), (0.2, 0.3))
    result = compress(trained, target={"conv_macs": 0.5}, evaluate=evaluate, **{**TO_TARGET, "epochs": 4})
    assert [record.epochs for record in result.rounds] == [1, 3]
    assert all(record.accepted for record in result.rounds) and not result.within_tolerance
    whole = result.costs_before.conv_macs
    assert 0.6 * whole < result.rounds[0].conv_macs <= 0.75 * whole
    assert result.costs_after.conv_macs <= 0.5 * whole and result.accuracy == 0.3


def test_with_few_rounds_a_target_is_reached_and_trained_to_the_end(trained):
    settings = {**TO_TARGET, "epochs": 4, "max_rounds": 1}
    result = compress(trained, target={"conv_macs": 0.5}, evaluate=scripted(0.9, (0.2, 0.3)), **settings)
    assert [record.epochs for record in result.rounds] == [4] and "is reached" in result.stopped_because


def test_after_the_last_round_that_may_cut_comes_training(trained):
    settings = {"epochs": 5, "epochs_per_round": 1, "max_rounds": 2, "tolerance": 1.0}
    result = compress(trained, evaluate=scripted(0.9, (0.8, 0.8), (0.8, 0.8), (0.9,)), **settings)
    assert [(record.filters_removed > 0, record.epochs) for record in result.rounds] == [
        (True, 1),
        (True, 1),
        (False, 3),
    ]
    assert result.stopped_because == "max_rounds=2 is reached."


def test_with_a_target_in_conv_macs_dense_units_stay():
    image = keras.Input((6, 6, 1))
    x = L.Conv2D(12, 3, activation="relu", name="conv1")(image)
    x = L.Dense(16, activation="relu", name="hidden")(L.Flatten()(x))
    model = compiled(keras.Model(image, L.Dense(2, name="logits")(x)))
    given = {**TO_TARGET, "epochs": 0, "method": "fire", "target": {"conv_macs": 0.5}}
    assert widths(compress(model, **given).model) == {"conv1": 6, "hidden": 16, "logits": 2}


def test_the_better_of_the_last_cut_and_the_end_is_what_comes_out(trained):
    evaluate = scripted(0.9, (0.85, 0.8))
    result = compress(trained, target={"conv_macs": 0.9}, evaluate=evaluate, **{**TO_TARGET, "epochs": 2})
    assert [(record.kept, record.accuracy) for record in result.rounds] == [("cut", 0.85)]


def test_a_target_of_latency_is_measured(trained, monkeypatch):
    def measured(model):
        macs = firekeras.count_costs(model).macs
        return Latency(macs * 1e-6, 0.0, 1)

    monkeypatch.setattr("firekeras.rounds.targets.measure_latency", measured)
    result = compress(trained, target={"latency": 0.5}, **{**TO_TARGET, "epochs": 0})
    assert 0.35 < result.costs_after.macs / result.costs_before.macs <= 0.5
    assert "50% of the latency is reached" in result.stopped_because


@pytest.mark.parametrize("latency", [0.6, "15 us"])
def test_a_target_of_latency_is_reached_by_a_table(trained, monkeypatch, latency):
    table = table_of(trained, monkeypatch)
    result = compress(trained, target={"latency": latency}, latency=table, **{**TO_TARGET, "epochs": 0})
    limit = latency * table.seconds[0] if latency == 0.6 else 15e-6
    assert 0.7 * limit < table.predict(result.model) <= limit and result.costs_after.latency <= limit
    assert "latency by the table" in result.summary() and "is reached" in result.stopped_because


def test_a_run_goes_on_with_the_table_that_it_was_begun_with(trained, monkeypatch, tmp_path):
    table = table_of(trained, monkeypatch)
    given = {**TO_TARGET, "target": {"latency": 0.8}, "epochs": 0, "run_dir": tmp_path / "run"}
    first = compress(trained, latency=table, **given)
    again = compress(trained, latency=table, resume=True, **{**given, "target": {"latency": 0.6}})
    assert table.predict(again.model) <= 0.6 * table.seconds[0] < first.costs_after.latency
    directory = RunDirectory.open(tmp_path / "run")
    report = RunReport.of(directory.settings, directory.events())
    title, before, after, _ = report.comparison()[-1]
    assert title == "latency by the table, ms"
    assert (before, after) == (f"{1e3 * table.seconds[0]:.4g}", f"{1e3 * table.predict(again.model):.4g}")
    other = dataclasses.replace(table, device="another")
    with pytest.raises(ValueError, match=r"The run was begun with latency='\w{16}'"):
        compress(trained, latency=other, resume=True, **given)


def test_a_latency_out_of_reach_of_a_table_is_refused(trained, monkeypatch):
    table = table_of(trained, monkeypatch)
    with pytest.raises(ValueError, match=r"the least is [\d.]+ ms \(\w+ takes most of it\)"):
        compress(trained, target={"latency": "1 us"}, latency=table, **TO_TARGET)


@pytest.mark.every_backend
def test_a_target_of_latency_in_litert_is_measured_on_the_exported_file(trained, monkeypatch):
    seen = []

    def measured(path, threads):
        seen.append(path.suffix)
        return Latency(path.stat().st_size, 0.0, 1)

    monkeypatch.setattr("firekeras.rounds.targets.measure_latency", measured)
    monkeypatch.setattr("firekeras.rounds.targets.TRIES", 1)
    settings = {"target": {"litert_latency": 0.8}, **TO_TARGET, "epochs": 0}
    if keras.backend.backend() != "tensorflow":  # which alone exports to LiteRT
        with pytest.raises(ValueError, match=r"No export to 'litert'.*Set KERAS_BACKEND=tensorflow"):
            compress(trained, **settings)
        return
    result = compress(trained, **settings)
    assert "80% of the latency in LiteRT is reached" in result.stopped_because and set(seen) == {".tflite"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"target": {"macs": 0.01}}, r"target {'macs': 0.01} cannot be reached.*the least is 0\.0[2-9]"),
        ({"target": {"params": 0.2}, "layer_caps": {"conv*": 0.25}}, r"cannot be reached.*Loosen the caps"),
        ({"target": {"flops": 0.5}}, r"target must be one of .*'latency'.*Received: {'flops': 0.5}"),
        ({"target": {"macs": 1.5}}, r"target must be one of .*Received: {'macs': 1.5}"),
        ({"backtracks": -1}, r"backtracks must be a whole number, at least 0. Received: -1"),
        ({"seed": 0.5}, r"seed must be a whole number.*Received: 0.5"),
        ({"round_to": 0}, r"round_to.*Received: 0"),
        ({"recovery": ["batchnorm"]}, r"Unknown recovery step 'batchnorm'.*Did you mean 'batch_norm'"),
        ({"fine_tune": print}, r"fine_tune trains by itself: batch_size, callbacks would not be used"),
        ({"verbose": 3}, r"verbose must be one of 0, 1, 2\. Received: 3"),
        ({"resume": True}, r"Give the folder: run_dir='runs/a'"),
        ({"callbacks": 3}, r"callbacks must be a list of objects of keras.callbacks.Callback. Received: 3"),
        ({"callbacks": [keras.callbacks.EarlyStopping]}, r"callbacks must be a list.*Received: <class"),
        ({"fine_tune": 3}, r"fine_tune must be a function or None\. Received: 3"),
        ({"evaluate": "x"}, r"evaluate must be a function or None\. Received: 'x'"),
        ({"on_event": 3}, r"on_event must be a function or None\. Received: 3"),
        ({"monitor": 3}, r"monitor must be text or None\. Received: 3"),
        ({"monitor": "nope"}, r"has no metric 'nope' to watch; it has \['accuracy', 'loss'\]"),
        (
            {"evaluate": lambda model: float("nan")},
            r"There is no baseline: evaluate returned nan",
        ),
        ({"evaluate": lambda model: None}, r"evaluate is a function.*returns a number. It returned: None"),
    ],
)
def test_what_cannot_be_is_refused_before_training(trained, settings, words):
    with pytest.raises(ValueError, match=words):
        compress(trained, **{"callbacks": [NoTraining()], **settings})


# The user's own training and measuring


def test_a_function_of_the_user_fine_tunes_and_measures():
    model, tuned = small_cnn(), []
    rounds = firekeras.compression_rounds(
        model, TRAIN, VALIDATION, method=SmallWeights(), recovery=(), max_rounds=2,
        fine_tune=tuned.append, evaluate=lambda network: 1 - 0.001 * len(tuned), epochs=None, pruning_ratio=0.1,
    )  # fmt: skip
    records = list(rounds)
    assert [record.model for record in records] == tuned and not model.compiled
    assert [record.accuracy_after_cut for record in records] == [1.0, 0.999] and records[0].baseline == 1
    assert [record.accuracy for record in records] == [1.0, 0.999]  # the better state


def test_another_model_from_fine_tune_is_refused_at_once(trained):
    calls = []

    def fine_tune(model):
        calls.append(model)
        return small_cnn()

    with pytest.raises(ValueError, match="fine_tune trains the model in place; it returned another model"):
        firekeras.compress(trained, TRAIN, VALIDATION, fine_tune=fine_tune, method=SmallWeights(), verbose=0)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.EarlyStopping(patience=2),
        keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
    ],
)
def test_callbacks_that_wait_for_validation_are_refused(trained, callback):
    with pytest.raises(ValueError, match=r"waits for a validation metric.*let it watch '(loss|accuracy)'"):
        compress(trained, callbacks=[callback])


@pytest.mark.parametrize(
    "callback", [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate), keras.callbacks.ReduceLROnPlateau()]
)
def test_callbacks_that_set_the_rate_are_refused(trained, callback):
    with pytest.raises(ValueError, match=r"sets the learning rate, and compress sets it at each step.*schedule="):
        compress(trained, callbacks=[callback])


def test_a_frozen_network_is_noted(trained):
    frozen = keras.models.clone_model(trained)
    frozen.trainable = False
    rounds = firekeras.compression_rounds(compiled(frozen), TRAIN, VALIDATION, method=SmallWeights())
    assert any("All layers are frozen" in note for note in rounds.notes)


@pytest.mark.parametrize("name", ["validation_split", "validation_splt"])
def test_a_share_to_validate_on_is_told_how_to_hold_out(trained, name):
    with pytest.raises(ValueError, match=r"compress takes validation_data\. Hold some samples out"):
        compress(trained, **{name: 0.2})


def test_callbacks_that_watch_training_are_taken(tmp_path):
    saving = keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")
    check_callbacks([keras.callbacks.EarlyStopping("loss"), saving])


def test_a_model_that_is_not_compiled_needs_both_functions():
    with pytest.raises(ValueError, match="is not compiled"):
        firekeras.compression_rounds(small_cnn(), TRAIN, VALIDATION, fine_tune=print)


# What is done before fine-tuning, and how


def test_recovery_comes_before_the_first_measure(trained, monkeypatch):
    order = []
    monkeypatch.setitem(RECOVERY, "mine", lambda *given: order.append("recovery") or ["said by recovery"])
    measured = Evaluation.measured
    monkeypatch.setattr(Evaluation, "measured", lambda self, model: order.append("measure") or measured(self, model))
    result = compress(trained, recovery=("mine",), tolerance=1.0, max_rounds=1)
    assert order == ["measure", "measure", "recovery", "measure", "measure"]  # as given, settled, cut, trained
    assert result.rounds[0].notes == ["said by recovery"]


def test_distillation_is_one_setting(trained):
    result = compress(trained, distill=True, tolerance=1.0, max_rounds=1, backtracks=0)
    assert result.rounds[0].accepted and result.model.optimizer.iterations > trained.optimizer.iterations


# What happens on the way


def test_events_hold_everything(trained):
    events = []
    rounds = firekeras.compression_rounds(
        trained, TRAIN, VALIDATION, method=SmallWeights(), max_rounds=1, on_event=events.append, tolerance=1.0,
        recovery=(), epochs_per_round=2, epochs=None,
    )  # fmt: skip
    list(rounds)
    assert [e["event"] for e in events if e["event"] != "note"] == ["start", "cut", "epoch", "epoch", "round", "stop"]
    json.dumps(events, allow_nan=False)
    assert sum(events[-2]["widths"].values()) == 22 - events[-2]["filters_removed"]
    assert events[-1]["seconds"].keys() >= {"training", "compiling", "judging", "cutting", "measuring"}


def test_events_list_the_removed_filters_of_the_first_network(trained, tmp_path):
    """Without training, what is left of a kernel after several rounds is what it was, without those filters."""
    folder, plain = tmp_path / "run", {"epochs_per_round": 0, "recovery": (), "tolerance": 1.0}
    compress(trained, run_dir=folder, max_rounds=2, **plain)
    result = compress(trained, run_dir=folder, max_rounds=4, resume=True, **plain)
    rounds = RunDirectory.open(folder).rounds()
    assert len(rounds) == 4 and sum(map(len, rounds[-1]["removed"].values())) > rounds[0]["filters_removed"]
    for event in rounds:
        lost = {name: trained.get_layer(name).kernel.shape[-1] - width for name, width in event["widths"].items()}
        assert {name: len(filters) for name, filters in event["removed"].items()} == {
            n: k for n, k in lost.items() if k
        }
    removed = {name: rounds[-1]["removed"].get(name, []) for name in ("conv1", "conv2")}
    first, second = (np.asarray(trained.get_layer(name).kernel) for name in removed)
    left = np.delete(np.delete(second, removed["conv2"], -1), removed["conv1"], -2)
    np.testing.assert_array_equal(result.model.get_layer("conv1").kernel, np.delete(first, removed["conv1"], -1))
    np.testing.assert_array_equal(result.model.get_layer("conv2").kernel, left)


def test_an_undone_round_takes_no_filter_of_the_first_network(trained, tmp_path):
    given = {"epochs_per_round": 0, "backtracks": 1, "evaluate": scripted(0.9, (0.9,), (0.1,), (0.9,))}
    compress(trained, run_dir=tmp_path / "run", max_rounds=3, **given)
    before, undone, after = RunDirectory.open(tmp_path / "run").rounds()
    assert [before["accepted"], undone["accepted"], after["accepted"]] == [True, False, True]
    assert before["removed"] == undone["removed"] and before["removed"]
    assert sum(map(len, after["removed"].values())) == before["filters_removed"] + after["filters_removed"]


@pytest.mark.parametrize(("error", "kind"), [(KeyboardInterrupt, "interrupted"), (MemoryError, "error")])
def test_what_interrupts_a_round_is_reported_and_the_rest_stays(trained, error, kind, tmp_path):
    folder, breaker = tmp_path / "run", Break(round=2, error=error)
    with pytest.raises(error):
        compress(trained, run_dir=folder, tolerance=1.0, callbacks=[breaker])
    run = RunDirectory.open(folder)
    assert run.events()[-1]["event"] == kind and len(run.rounds()) == 1
    result = compress(trained, run_dir=folder, tolerance=1.0, callbacks=[Break(round=9)], resume=True)
    assert [record.number for record in result.rounds] == [1, 2, 3]
    assert run.rounds()[0].items() >= result.rounds[0].to_dict().items()


class Break(keras.callbacks.Callback):
    """Ends training in the middle of a step of some round."""

    def __init__(self, round, error=KeyboardInterrupt):
        super().__init__()
        self.round, self.error, self.runs = round, error, 0

    def on_train_begin(self, logs=None):
        self.runs += 1

    def on_train_batch_end(self, batch, logs=None):
        if self.runs == self.round:
            raise self.error("in a step")


def test_a_run_stops_after_the_round_where_somebody_asks(trained, tmp_path):
    rounds = firekeras.compression_rounds(
        trained, TRAIN, VALIDATION, method=SmallWeights(), run_dir=tmp_path / "run", tolerance=1.0, epochs=None
    )
    next(rounds)
    RunDirectory.open(tmp_path / "run").ask_to_stop()
    assert list(rounds) == [] and rounds.stopped_because == "Stopped on request after round 1."


@pytest.mark.parametrize(("share", "reached"), [(0.9, True), (0.2, False)])
def test_a_run_that_somebody_stops_says_that_its_target_is_missed_if_it_is(trained, tmp_path, share, reached):
    given = {"method": SmallWeights(), "target": {"params": share}, "epochs": 2, "run_dir": tmp_path / "run"}
    rounds = firekeras.compression_rounds(trained, TRAIN, VALIDATION, **given)
    next(rounds)
    RunDirectory.open(tmp_path / "run").ask_to_stop()
    assert list(rounds) == []
    said, _, missed = rounds.stopped_because.partition(" after round 1.")
    assert said == "Stopped on request" and (not missed) == reached


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pruning_ratio": 0.3}, r"begun with pruning_ratio=0.2. Received: pruning_ratio=0.3"),
        ({"method": "fire"}, r"begun with method="),
    ],
)
def test_a_run_goes_on_with_the_same_settings_alone(trained, tmp_path, changed, words):
    compress(trained, run_dir=tmp_path / "run", tolerance=1.0, max_rounds=1, epochs_per_round=0)
    given = {"run_dir": tmp_path / "run", "tolerance": 1.0, "max_rounds": 1, "epochs_per_round": 0, "resume": True}
    with pytest.raises(ValueError, match=words):
        compress(trained, **given, **changed)
    longer = compress(trained, **{**given, "max_rounds": 2})
    assert len(longer.rounds) == 2 and longer.stopped_because == "max_rounds=2 is reached."


def renamed(model):
    """The same network, built again in the same process: its layers have other names."""
    twin = keras.models.clone_model(model, clone_function=rebuilt)
    twin.set_weights(model.get_weights())
    return compiled(twin)


def rebuilt(layer):
    return layer.from_config({**layer.get_config(), "name": f"{layer.name}_1"})


def test_a_run_goes_on_with_the_same_network_by_other_names(trained, tmp_path):
    plain = {"epochs_per_round": 0, "recovery": (), "tolerance": 1.0, "run_dir": tmp_path / "run"}
    first = compress(trained, max_rounds=1, **plain)
    second = compress(renamed(trained), max_rounds=2, resume=True, **plain)
    assert [record.filters_removed for record in second.rounds[:1]] == [first.rounds[0].filters_removed]
    assert len(second.rounds) == 2 and second.model.name == first.model.name
    assert channel_graph(second.model).widths.keys() == channel_graph(trained).widths.keys()


def test_a_resumed_run_keeps_the_notes_of_its_beginning(trained, tmp_path):
    plain = {"epochs_per_round": 0, "recovery": (), "tolerance": 0.5, "run_dir": tmp_path / "run"}
    first = compress(trained, max_rounds=1, method="l1", **{**plain, "tolerance": 1e-6})
    second = compress(trained, max_rounds=2, method="l1", resume=True, **{**plain, "tolerance": 1e-6})
    assert any("held-out samples cannot judge" in note for note in first.notes)
    assert second.notes[: len(first.notes)] == first.notes
    texts = [event["text"] for event in RunDirectory.open(tmp_path / "run").events() if event["event"] == "note"]
    assert len(texts) == len(set(texts))


def test_a_run_does_not_go_on_with_another_network(trained, tmp_path):
    plain = {"epochs_per_round": 0, "recovery": (), "tolerance": 1.0, "run_dir": tmp_path / "run"}
    compress(trained, max_rounds=1, **plain)
    untrained = renamed(trained)
    untrained.get_layer("logits_1").set_weights([w + 1 for w in untrained.get_layer("logits_1").get_weights()])
    with pytest.raises(
        ValueError, match=r"not the one that the run was begun with: its weights are others.*000\.keras"
    ):
        compress(untrained, max_rounds=2, resume=True, **plain)
    smaller = firekeras.prune(
        trained, firekeras.plan_pruning(trained, firekeras.score_filters(trained, "l1"), pruning_ratio=0.3)
    )
    with pytest.raises(ValueError, match=r"its layers have \[.*\] filters\. Expected \[.*\]"):
        compress(smaller, max_rounds=2, resume=True, **plain)


def test_a_finished_run_is_continued_with_another_target_or_more_epochs(trained, tmp_path):
    given = {**TO_TARGET, "run_dir": tmp_path / "a" / "run", "epochs": 1}
    half = compress(trained, target={"conv_macs": 0.5}, **given)
    assert half.epochs == 1 and (tmp_path / "a" / "run" / "best.keras").exists()
    quarter = compress(trained, target={"conv_macs": 0.3}, resume=True, **given)
    assert quarter.rounds[: len(half.rounds)] and quarter.epochs == 2
    assert quarter.costs_after.conv_macs <= 0.3 * quarter.costs_before.conv_macs
    assert quarter.baseline == half.baseline
    with pytest.raises(ValueError, match="begun with seed=0"):
        compress(trained, target={"conv_macs": 0.3}, resume=True, seed=1, **given)


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, len(VALIDATION[0])), ({"evaluate": scripted(0.9, (0.9,))}, None)]
)
def test_a_run_records_how_many_samples_judge_it(trained, tmp_path, settings, expected):
    given = {"run_dir": tmp_path / "run", "max_rounds": 1, "epochs_per_round": 0, "tolerance": 1.0}
    compress(trained, **given, **settings)
    directory = RunDirectory.open(tmp_path / "run")
    assert directory.settings["judged_on"] == expected
    title = RunReport.of(directory.settings, directory.events()).comparison()[0][0]
    assert title == (f"accuracy on {expected} validation samples" if expected else "accuracy")


def test_fire_of_the_network_that_a_run_leaves_is_in_its_folder(trained, tmp_path):
    given = {"method": FirePruning(fraction=1.0), "tolerance": 1.0, "max_rounds": 2, "epochs_per_round": 0}
    result = compress(trained, run_dir=tmp_path / "run", **given)
    kept = firekeras.FireProfile.load(tmp_path / "run" / "round-002.fire.h5")
    expected = firekeras.measure_fire(result.model, TRAIN)
    assert kept.samples == len(TRAIN[0]) and kept.graph.widths == channel_graph(result.model).widths
    for layer in expected:
        np.testing.assert_array_equal(kept[layer], expected[layer])
    assert not (tmp_path / "run" / "round-001.fire.h5").exists()


def test_a_run_whose_last_network_cannot_be_measured_ends_all_the_same(trained, tmp_path):
    class Once(FirePruning):
        def fire_of(self, model, run):
            raise ValueError("The data have come to their end.")

    given = {"method": Once(), "tolerance": 1.0, "max_rounds": 1, "epochs_per_round": 0, "run_dir": tmp_path / "run"}
    result = compress(trained, **given)
    said = "FIRE of the last network was not measured: The data have come to their end."
    assert said in result.notes and RunDirectory.open(tmp_path / "run").events()[-1]["event"] == "stop"


@pytest.mark.parametrize("settings", [{"tolerance": 1.0}, {"method": FirePruning(), "evaluate": scripted(0.9, (0.1,))}])
def test_no_fire_is_measured_in_the_end_without_a_ranking_by_it_or_a_cut(trained, tmp_path, settings):
    compress(trained, run_dir=tmp_path / "run", **{"max_rounds": 1, "epochs_per_round": 0, **settings})
    assert not [*(tmp_path / "run").glob("round-*.fire.h5")]


def test_more_epochs_train_a_network_that_has_arrived(trained, tmp_path):
    given = {**TO_TARGET, "run_dir": tmp_path / "run", "target": {"conv_macs": 0.5}}
    half = compress(trained, epochs=1, **given)
    before = half.model.get_weights()
    longer = compress(trained, epochs=2, resume=True, **given)
    assert longer.epochs == half.epochs + 2 and longer.costs_after == half.costs_after
    assert longer.rounds[-1].filters_removed == 0 and longer.rounds[-1].epochs == 2
    assert longer.rounds[-1].kept != "trained" or any(
        (old != new).any() for old, new in zip(before, longer.model.get_weights(), strict=True)
    )
    again = compress(trained, epochs=2, resume=True, **given)
    assert again.epochs == longer.epochs  # nothing was asked for that is not done


def test_a_model_that_does_not_load_again_is_refused_a_run_directory(tmp_path):
    image = keras.Input((6, 6, 1))
    x = L.Conv2D(4, 3, activation="relu", name="conv1")(image)
    x = L.Lambda(lambda y: y * 2, name="twice")(x)
    model = compiled(keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(x))))
    with pytest.raises(ValueError, match=r"only if its saved model loads again.*'twice'.*Leave out run_dir"):
        compress(model, run_dir=tmp_path / "run", callbacks=[NoTraining()])


def test_rounds_are_shown_on_standard_error(trained, capsys):
    compress(trained, tolerance=1.0, max_rounds=1, verbose=2)
    shown = capsys.readouterr()
    for words in ("Baseline: accuracy", "Round  1 kept", "epoch 1 of 1: ", "Ended: max_rounds=1"):
        assert words in shown.err
    assert shown.out == "" and max(map(len, shown.err.splitlines())) <= 80


def test_tensorboard_gets_a_step_per_round(trained, tmp_path):
    compress(trained, tolerance=1.0, max_rounds=2, tensorboard=tmp_path / "board")
    assert list((tmp_path / "board").iterdir())


def test_validation_on_training_samples_is_warned_of(trained):
    with pytest.warns(UserWarning, match="are samples of train_data") as warned:
        firekeras.compress(trained, TRAIN, TRAIN, method=SmallWeights(), **{**PLAIN, "max_rounds": 1})
        firekeras.compression_rounds(trained, TRAIN, TRAIN, method=SmallWeights())
    places = [found.filename for found in warned if "are samples" in str(found.message)]
    assert places == [__file__, __file__]  # where it was called
