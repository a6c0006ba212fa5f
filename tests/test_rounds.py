"""Rounds: each is checked against the tolerance, and what falls below it is undone."""

import json

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras
from firekeras.evaluation import within_tolerance
from firekeras.methods.fire import FirePruning
from firekeras.monitor import lower_is_better


def build():
    image = keras.Input((6, 6, 1), name="image")
    x = networks.conv_bn_relu(image, 8, "conv1")
    x = L.Conv2D(12, 3, activation="relu", name="conv2")(x)
    x = L.Flatten(name="flatten")(x)
    return keras.Model(image, L.Dense(2, name="logits")(x), name="sides")


def draw(count, seed):
    """Noise with a brighter half: the label says which."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.normal(size=(count, 6, 6, 1)).astype("float32")
    for image, label in zip(images, labels, strict=True):
        image[:, 3 * label : 3 * label + 3] += 2
    return images, labels


TRAIN, VALIDATION = draw(128, seed=1), draw(64, seed=2)


def compiled(model, **settings):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, **{"metrics": ["accuracy"], **settings})
    return model


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = compiled(build())
    model.fit(*TRAIN, epochs=6, batch_size=32, verbose=0)
    return model


class SmallWeights:
    """A method that needs no measuring: the smallest norms go."""

    def __init__(self):
        self.calls = []

    def plan(self, model, run):
        self.calls.append(dict(run.original_widths))
        return run.plan(model, firekeras.score_filters(model, "l1"))


class Ruin(keras.callbacks.Callback):
    """Makes the fine-tuned model useless from some round on."""

    def __init__(self, round, value=0.0):
        super().__init__()
        self.round, self.value, self.runs = round, value, 0

    def on_train_end(self, logs=None):
        self.runs += 1
        if self.runs >= self.round:
            kernel, bias = self.model.get_layer("logits").get_weights()
            self.model.get_layer("logits").set_weights([kernel * self.value, bias * self.value])


# The bare rounds: what comes between is tested by itself.
PLAIN = {"pruning_ratio": 0.2, "backtracks": 0, "recovery": (), "batch_size": 32, "verbose": 0}


def compress(model, **settings):
    given = {**PLAIN, "method": SmallWeights(), "tolerance": 0.05, "max_rounds": 3, **settings}
    return firekeras.compress(model, TRAIN, VALIDATION, **given)


def widths(model):
    return {name: layer.kernel.shape[-1] for name, layer in networks.leaves(model).items() if hasattr(layer, "kernel")}


# What a run gives


def test_fire_is_measured_in_the_first_round_and_predicted_after(trained):
    method = FirePruning(regressor="linear", fraction=1.0, drift_threshold=-1)
    result = compress(trained, method=method, tolerance=0.2)
    assert [record.criterion for record in result.rounds] == ["fire", "fire_predicted", "fire_predicted"]
    assert method.profile.samples == len(TRAIN[0])
    assert result.model.count_params() < trained.count_params()


def test_fire_can_be_measured_in_every_round(trained):
    result = compress(trained, method=FirePruning(mode="measured"), tolerance=0.2, max_rounds=2)
    assert [record.criterion for record in result.rounds] == ["fire", "fire"]


def test_the_method_fire_by_name_takes_the_ratio(trained):
    result = compress(trained, method="fire", pruning_ratio=0.5, tolerance=1.0, max_rounds=1)
    assert result.rounds[0].filters_removed == 10 and result.rounds[0].criterion == "fire"


def test_records_say_what_each_round_did(trained):
    result = compress(trained, tolerance=1.0)
    assert [record.number for record in result.rounds] == [1, 2, 3]
    assert [record.filters_removed for record in result.rounds] == [4, 3, 3]
    assert result.stopped_because == "max_rounds=3 is reached"
    for record in result.rounds:
        costs = firekeras.count_costs(record.model)
        assert (record.conv_macs, record.macs, record.params) == (costs.conv_macs, costs.macs, costs.params)
        assert record.accepted and record.baseline == result.baseline and record.seconds > 0
        found = record.model.evaluate(*VALIDATION, verbose=0, return_dict=True)
        assert found["accuracy"] == pytest.approx(record.accuracy)
        assert json.loads(json.dumps(record.to_dict()))["number"] == record.number


def test_the_result_is_the_last_accepted_model_and_its_numbers(trained):
    result = compress(trained, tolerance=1.0, max_rounds=2)
    baseline = trained.evaluate(*VALIDATION, verbose=0, return_dict=True)["accuracy"]
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


def test_a_rejected_round_is_undone(trained):
    result = compress(trained, callbacks=[Ruin(round=2)], tolerance=0.3)
    assert [record.accepted for record in result.rounds] == [True, False]
    assert result.model is result.rounds[0].model is result.rounds[1].model
    assert result.accuracy == result.rounds[0].accuracy > result.rounds[1].accuracy
    assert result.rounds[1].params < result.rounds[0].params == result.costs_after.params
    assert "Round 2" in result.stopped_because and "was undone" in result.stopped_because


def test_where_the_first_round_is_rejected_the_network_stays_as_it_was(trained):
    result = compress(trained, callbacks=[Ruin(round=1)], tolerance=0.3)
    assert [record.accepted for record in result.rounds] == [False]
    assert result.accuracy == result.baseline and result.costs_after == result.costs_before
    for one, other in zip(trained.get_weights(), result.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("monitor", ["accuracy", "loss"])
def test_a_round_that_ends_in_nan_is_rejected(trained, monitor):
    result = compress(trained, callbacks=[Ruin(round=1, value=float("nan"))], tolerance=0.3, monitor=monitor)
    assert [record.accepted for record in result.rounds] == [False]


def test_of_a_loss_the_small_values_are_good(trained):
    result = compress(trained, callbacks=[Ruin(round=2)], monitor="loss", tolerance=0.4)
    assert [record.accepted for record in result.rounds] == [True, False]
    assert result.accuracy <= result.baseline + 0.4


@pytest.mark.parametrize(
    ("value", "monitor", "accepted"),
    [
        (0.90, "accuracy", True),
        (0.89, "accuracy", True),
        (0.8899, "accuracy", False),
        (0.99, "accuracy", True),
        (float("nan"), "accuracy", False),
        (0.91, "loss", True),
        (0.911, "loss", False),
        (0.5, "val_mae", True),
        (float("nan"), "loss", False),
    ],
)
def test_the_tolerance_is_in_absolute_points(value, monitor, accepted):
    assert within_tolerance(value, 0.90, 0.01, monitor) is accepted


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
        trained, TRAIN, VALIDATION, method=SmallWeights(), tolerance=1.0, max_rounds=1, epochs_per_round=0
    )
    assert len(list(rounds)) == 1 and list(rounds) == []
    assert rounds.stopped_because == "max_rounds=1 is reached"


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")  # Keras's word on a data set without shuffling
def test_data_sets_and_weights_are_taken_as_fit_takes_them(trained):
    import tensorflow as tf

    train = tf.data.Dataset.from_tensor_slices(TRAIN).batch(32)
    validation = (*VALIDATION, np.ones(len(VALIDATION[0])))
    result = firekeras.compress(trained, train, validation, method=SmallWeights(), tolerance=1.0, max_rounds=1)
    assert result.rounds[0].accepted


# Refused before any training


class NoTraining(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("training began before the check")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tolerance": -0.01}, r"tolerance is in absolute points.*Received: -0.01"),
        ({"tolerance": float("nan")}, r"tolerance.*Received: nan"),
        ({"epochs_per_round": -1}, r"epochs_per_round.*Received: -1"),
        ({"epochs_per_round": 1.5}, r"epochs_per_round.*Received: 1.5"),
        ({"max_rounds": 0}, r"max_rounds.*Received: 0"),
        ({"layer_caps": {"conv3": 0.5}}, r"named 'conv3'. Did you mean 'conv[12]'"),
        ({"layer_caps": {"conv1": 1.5}}, r"cap.*Received: 1.5"),
        ({"monitor": "accuracyy"}, r"no metric 'accuracyy'.*\['accuracy', 'loss'\]"),
        ({"batchsize": 32}, r"Unknown setting 'batchsize'"),
        ({"epochs": 3}, r"Unknown setting 'epochs'"),
        ({"sample_weight": np.ones(128)}, r"sample_weight"),
        ({"method": "fier"}, r"Unknown method 'fier'.*Did you mean 'fire'"),
        ({"method": "fire", "pruning_ratio": 2}, r"pruning_ratio.*Received: 2"),
    ],
)
def test_settings_that_mean_nothing_are_refused(trained, settings, words):
    with pytest.raises(ValueError, match=words):
        compress(trained, **{"callbacks": [NoTraining()], **settings})


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match=r"'sides' is not compiled.*metrics=\['accuracy'\]"):
        compress(build())


def test_a_model_without_the_metric_is_refused():
    with pytest.raises(ValueError, match=r"no metric 'accuracy'.*\['loss'\].*metrics=\['accuracy'\]"):
        compress(compiled(build(), metrics=None), callbacks=[NoTraining()])


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
