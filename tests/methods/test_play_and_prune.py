"""Play and Prune: the penalty in the training step, thresholds, the controller, and what a run comes to."""

import json
import zipfile
from types import SimpleNamespace

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from sides import TRAIN, VALIDATION, compiled, small_cnn

import firekeras
from firekeras import methods
from firekeras.channels import channel_graph
from firekeras.methods import play_and_prune
from firekeras.methods.penalty import FilterPenalty
from firekeras.methods.play_and_prune import (
    Memory,
    PlayAndPrune,
    first_thresholds,
    free_units,
    longest,
    pressure_at,
    strengths,
)
from firekeras.network import Network
from firekeras.network.masking import MaskedNetwork

pytestmark = pytest.mark.usefixtures("uncompiled")


def rounds(model, method, **settings):
    given = {"tolerance": 0.05, "epochs": None, "epochs_per_round": 0, "recovery": (), "batch_size": 32, **settings}
    return firekeras.compression_rounds(model, TRAIN, VALIDATION, method=method, **given)


def numbers(variables):
    return [keras.ops.convert_to_numpy(one) for one in variables]


# The penalty


def one_step(model, coefficients=None, **settings):
    """The weights after one step of gradient descent, by path."""
    before = model.get_weights()
    with FilterPenalty(model, **settings) as penalty:
        if coefficients is not None:
            penalty.set(coefficients)
        model.fit(TRAIN[0][:32], TRAIN[1][:32], batch_size=32, shuffle=False, verbose=0)
    after = {path: layer.get_weights() for path, layer in networks.leaves(model).items()}
    model.set_weights(before)
    return after


@pytest.mark.compiled
@pytest.mark.every_backend
def test_one_step_goes_down_the_penalty_by_the_learning_rate_times_the_coefficient():
    model = compiled(networks.scramble(small_cnn()), keras.optimizers.SGD(0.5))
    graph = channel_graph(model)
    coefficients = np.zeros(graph.num_units)
    coefficients[graph.filters("conv2")[[3, 7]]] = 0.25, 0.5
    without, with_penalty = one_step(model), one_step(model, coefficients)
    signs = np.sign(model.get_layer("conv2").get_weights()[0])
    expected = without["conv2"][0].copy()
    expected[..., 3] -= 0.5 * 0.25 * signs[..., 3]
    expected[..., 7] -= 0.5 * 0.5 * signs[..., 7]
    np.testing.assert_allclose(with_penalty["conv2"][0], expected, atol=1e-6)
    for path in ("conv1", "conv1_bn", "logits"):
        for one, other in zip(without[path], with_penalty[path], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.compiled
@pytest.mark.every_backend
def test_the_loss_is_that_of_the_network_and_the_penalty():
    model = compiled(networks.scramble(small_cnn()), keras.optimizers.SGD(0.0))
    plain = model.evaluate(*VALIDATION, verbose=0, return_dict=True)["loss"]
    graph = channel_graph(model)
    with FilterPenalty(model) as penalty:
        penalty.set(np.full(graph.num_units, 0.01))
        penalised = model.evaluate(*VALIDATION, verbose=0, return_dict=True)["loss"]
    norms = sum(np.abs(kernel).sum() for kernel in Network.of(model).filter_kernels().values())
    assert penalised == pytest.approx(plain + 0.01 * norms, rel=1e-5)


def test_batch_normalization_is_penalised_where_asked():
    model = compiled(networks.scramble(small_cnn()), keras.optimizers.SGD(0.5))
    graph = channel_graph(model)
    coefficients = np.zeros(graph.num_units)
    coefficients[graph.filters("conv1")[2]] = 0.25
    without, with_penalty = one_step(model, batch_norm=True), one_step(model, coefficients, batch_norm=True)
    for place, values in enumerate(model.get_layer("conv1_bn").get_weights()[:2]):  # gamma, beta
        moved = with_penalty["conv1_bn"][place] - without["conv1_bn"][place]
        np.testing.assert_allclose(moved, -0.125 * np.sign(values) * (np.arange(8) == 2), atol=1e-6)


@pytest.mark.parametrize("network", [networks.residual, networks.mobile, networks.grouped, networks.transposed])
def test_what_goes_together_is_penalised_together(network):
    model = networks.scramble(network())
    graph, kernels = channel_graph(model), Network.of(model).filter_kernels()
    with FilterPenalty(model) as penalty:
        for unit in (0, graph.num_units // 2):
            penalty.set(np.arange(graph.num_units) == unit)
            mine = [np.abs(kernel[..., graph.filters(name) == unit]).sum() for name, kernel in kernels.items()]
            assert sum(map(float, numbers(model.losses))) == pytest.approx(sum(mine), rel=1e-5)


@pytest.mark.compiled
def test_other_coefficients_compile_nothing(monkeypatch):
    model, calls = compiled(small_cnn()), []
    call = L.Conv2D.call
    monkeypatch.setattr(L.Conv2D, "call", lambda layer, x: calls.append(layer) or call(layer, x))
    with FilterPenalty(model) as penalty:
        model.fit(*TRAIN, batch_size=32, verbose=0)
        compiling = len(calls)
        penalty.set(np.full(channel_graph(model).num_units, 10.0))
        loss = model.fit(*TRAIN, batch_size=32, verbose=0).history["loss"][0]
    assert len(calls) == compiling or keras.backend.backend() == "torch"  # which compiles nothing, and calls each time
    assert loss > 100  # and yet they counted


def test_the_penalty_leaves_no_trace():
    regulariser = keras.regularizers.L2(0.01)
    model = small_cnn()
    model.get_layer("conv2").kernel.regularizer = regulariser
    compiled(model)
    config, names = json.dumps(model.get_config()), [v.path for v in model.variables]
    plain = model.evaluate(*VALIDATION, verbose=0)[0]
    with FilterPenalty(model):
        model.fit(*TRAIN, batch_size=32, verbose=0)
        model.evaluate(*VALIDATION, verbose=0)
    assert json.dumps(model.get_config()) == config and [v.path for v in model.variables] == names
    regularised = {v.path: v.regularizer for v in model.variables if v.regularizer}
    assert regularised == {model.get_layer("conv2").kernel.path: regulariser}
    model.fit(*TRAIN, batch_size=32, verbose=0)
    assert np.isfinite(plain)


def test_regularisers_of_the_network_go_on_counting():
    model = networks.scramble(small_cnn())
    model.get_layer("conv2").kernel.regularizer = keras.regularizers.L2(0.5)
    compiled(model)
    before = model.evaluate(*VALIDATION, verbose=0)[0]
    with FilterPenalty(model):
        during = model.evaluate(*VALIDATION, verbose=0)[0]
    assert during == pytest.approx(before, rel=1e-6) and keras.ops.convert_to_numpy(sum(model.losses)) > 1


# The controller


@pytest.mark.parametrize(
    ("accuracy", "tolerance", "monitor", "pressure"),
    [
        (0.90, 0.02, "accuracy", 1.0),
        (0.89, 0.02, "accuracy", 0.5),
        (0.88, 0.02, "accuracy", 0.0),
        (0.50, 0.02, "accuracy", 0.0),
        (0.91, 0.02, "accuracy", 1.5),
        (0.99, 0.02, "accuracy", 2.0),
        (0.909, 0.02, "loss", 0.5),
        (0.88, 0.02, "loss", 2.0),
        (float(np.float32(0.88) + np.float32(6e-8)), 0.02, "accuracy", 0.0),  # rounded
        (0.90, 0.0, "accuracy", 1.0),
        (0.89, 0.0, "accuracy", 0.0),
        (float("nan"), 0.02, "accuracy", 0.0),
    ],
)
def test_the_pressure_is_how_much_of_the_tolerance_is_left(accuracy, tolerance, monitor, pressure):
    run = SimpleNamespace(baseline=0.9, monitor=monitor, settings=SimpleNamespace(tolerance=tolerance))
    assert pressure_at(accuracy, run) == (pytest.approx(pressure) if pressure else 0)


class Measured:
    """An `evaluate` that gives these values, one after the other, and then the last one; it remembers the networks."""

    def __init__(self, *values):
        self.values, self.models = list(values), []

    def __call__(self, model):
        self.models.append(model)
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


@pytest.fixture
def pressed(monkeypatch):
    """Records the highest coefficient of each epoch; thresholds are not looked for."""
    found = []
    set_penalty = FilterPenalty.set

    def recording(penalty, coefficients):
        found.append(float(np.max(coefficients)))
        set_penalty(penalty, coefficients)

    monkeypatch.setattr(FilterPenalty, "set", recording)
    monkeypatch.setattr(play_and_prune, "first_thresholds", lambda model, run: all_equal(model))
    return found


def all_equal(model):
    return {layer: 1.0 for layer, _ in free_units(*strengths(model))}


def epochs(pressed):
    """What was set for the epochs; after each the penalty is taken off, so as to measure."""
    assert not any(pressed[1::2])
    return pressed[::2]


def test_below_the_tolerance_nothing_is_pressed_and_nothing_goes(trained, pressed):
    method = PlayAndPrune(penalty=0.5, delta=1e-9, give_up=4, patience=9)
    run = rounds(trained, method, evaluate=Measured(0.9, 0.9, 0.875, 0.5, 0.84))
    first = run.best
    assert list(run) == [] and run.best is first
    assert epochs(pressed) == pytest.approx([0.5, 0.25, 0, 0])
    assert run.stopped_because == "In 4 epochs without a cut accuracy did not recover to within the tolerance."
    method._move.pressure = 0.0
    method.delta = 1e9
    assert method.plan(trained, run).removed == {}


def test_it_ends_where_nothing_falls_below_the_thresholds(trained, pressed):
    run = rounds(trained, PlayAndPrune(delta=1e-9, give_up=3, patience=9), evaluate=Measured(0.9))
    assert list(run) == [] and len(epochs(pressed)) == 3
    assert run.stopped_because == "In 3 epochs under the penalty no filter fell below its layer's threshold."
    assert run.result().costs_after == run.costs_before


def test_after_epochs_without_a_cut_penalty_and_thresholds_grow(trained, pressed):
    method = PlayAndPrune(penalty=0.5, delta=1e-9, give_up=5, patience=2)
    list(rounds(trained, method, evaluate=Measured(0.9)))
    assert epochs(pressed) == pytest.approx([0.5, 0.5, 0.5 * 1.25, 0.5 * 1.25**2, 0.5 * 1.25**3])
    assert method.state()["thresholds"] == pytest.approx({"conv1": 1.25**3, "conv2": 1.25**3})


def test_the_penalty_grows_to_ten_times_at_most():
    memory = Memory({"conv1": 1.0})
    for _ in range(20):
        memory.grow()
    assert memory.growth == 10 and memory.thresholds["conv1"] == pytest.approx(1.25**20)


def test_a_round_that_is_undone_halves_the_thresholds_of_the_layers_it_cut(trained, pressed):
    method = PlayAndPrune(penalty=1e-6)
    given, baseline, after_cut, after_epoch = 0.9, 0.9, 0.2, 0.9
    evaluate = Measured(given, baseline, after_cut, after_epoch)
    run = rounds(trained, method, evaluate=evaluate, layer_caps={"conv1": 0}, backtracks=1)
    record = next(run)
    assert not record.accepted and run.best is run.records[0].model
    assert method.state() == {"thresholds": {"conv1": 1.0, "conv2": 1.0}, "growth": 1.0, "touched": ["conv2"]}
    method.prepare(trained, run)
    assert method.state()["thresholds"] == {"conv1": 1.0, "conv2": 0.5}


def test_thresholds_are_halved_until_the_tries_are_used_up(trained, pressed):
    run = rounds(trained, PlayAndPrune(penalty=1e-6), evaluate=Measured(0.9, 0.9, 0.2), backtracks=2)
    assert [record.filters_removed for record in run] == [2, 2, 2]  # no fewer, but the thresholds are lower
    assert run.stopped_because.startswith("Round 3 ended") and run.method.state()["thresholds"]["conv2"] == 0.25


def test_a_tenth_of_each_layer_goes_at_a_time_and_at_least_one_filter(trained, pressed):
    record = next(rounds(trained, PlayAndPrune(0.2, delta=1e9), tolerance=1.0))
    assert networks_widths(record.model) == {"conv1": 7, "conv2": 10, "logits": 2}
    assert record.details == {"pressure": pytest.approx(record.details["pressure"]), "penalty": 5e-4, "epochs": 1}


def networks_widths(model):
    return channel_graph(model).widths


def test_the_weakest_go(trained, pressed):
    method = PlayAndPrune(0.25, penalty=1e-12, delta=1e9)
    run = rounds(trained, method, tolerance=1.0)
    copy = method.prepare(trained, run)
    plan = method.plan(copy, run)
    for name, kernel in Network.of(copy).filter_kernels().items():
        weakest = np.argsort(np.abs(kernel).mean(axis=(0, 1, 2)))[: kernel.shape[-1] // 4] if name != "logits" else []
        assert set(plan.removed.get(name, [])) == set(weakest)
    assert "ranks" in plan.explain("conv1", plan.removed["conv1"][0])
    stays = next(k for k in range(8) if k not in plan.removed["conv1"])
    assert "not among the weakest" in plan.explain("conv1", stays)


def test_caps_and_targets_hold(trained, pressed):
    caps = {"conv1": 0.25, "conv2": 0.5}
    run = rounds(trained, PlayAndPrune(0.5, delta=1e9), tolerance=1.0, layer_caps=caps)
    list(run)
    assert networks_widths(run.best) == {"conv1": 6, "conv2": 6, "logits": 2}
    assert "the cap of 25% on conv1 is reached" in run.stopped_because
    run = rounds(trained, PlayAndPrune(0.5, delta=1e9), tolerance=1.0, target={"macs": 0.8})
    list(run)
    assert run.stopped_because == "The target of 80% of the MACs is reached."
    assert 0.6 < run.result().costs_after.macs / run.costs_before.macs <= 0.8


def test_widths_go_down_in_multiples(trained, pressed):
    record = next(rounds(trained, PlayAndPrune(delta=1e9), tolerance=1.0, round_to=4))
    assert networks_widths(record.model) == {"conv1": 4, "conv2": 8, "logits": 2}


def test_what_is_missing_to_a_target_goes_at_once(trained, pressed):
    """Nothing falls below the thresholds in the epochs for cutting."""
    method = PlayAndPrune(delta=1e-9, give_up=99, patience=99)
    run = rounds(trained, method, target={"macs": 0.5}, epochs=5, epochs_per_round=None)
    (cut, *_), trained_on = list(run), run.result()
    assert cut.details == {"at_once": True} and "was cut at once. The epochs for cutting are used up." in cut.notes[-1]
    assert len(epochs(pressed)) == 3 and trained_on.epochs == 5  # three under the penalty
    assert 0.4 < trained_on.costs_after.macs / run.costs_before.macs <= 0.5
    assert networks_widths(run.best)["conv1"] / 8 == pytest.approx(networks_widths(run.best)["conv2"] / 12, abs=0.15)


def test_without_a_target_cutting_ends_with_its_epochs(trained, pressed):
    run = rounds(trained, PlayAndPrune(delta=1e-9, give_up=99, patience=99), epochs=5, epochs_per_round=None)
    assert list(run) == [] and len(epochs(pressed)) == 3
    assert run.stopped_because == "The epochs for cutting are used up."


# Thresholds


def test_the_longest_harmless_cut_is_found_by_bisection():
    for harmless_up_to in range(9):
        asked = []

        def harmless(units, limit=harmless_up_to, asked=asked):
            asked.append(len(units))
            return len(units) <= limit

        assert longest(list(range(9)), harmless) == min(harmless_up_to, 8)
        assert len(asked) <= 4 and 9 not in asked


def test_first_thresholds_are_the_highest_that_cost_a_tenth_of_a_point(trained):
    run = rounds(trained, PlayAndPrune())
    thresholds = first_thresholds(trained, run)
    graph, strength = strengths(trained)
    x = TRAIN[0][np.random.default_rng(0).permutation(128)]
    masked = MaskedNetwork(trained, [x])
    full = run.evaluation.measured(masked.model)
    assert set(thresholds) == {"conv1", "conv2"}
    for name, threshold in thresholds.items():
        units = graph.filters(name)
        assert not (strength[units] < threshold).all()
        masked.remove(np.isin(np.arange(graph.num_units), units[strength[units] < threshold]))
        assert full - run.evaluation.measured(masked.model) <= 0.001


def test_filters_that_do_nothing_are_below_the_first_threshold(trained):
    model = compiled(small_cnn())
    model.set_weights(trained.get_weights())
    kernel, bias = model.get_layer("conv2").get_weights()
    kernel[..., :5] *= 1e-3
    bias[:5] = -1e3
    model.get_layer("conv2").set_weights([kernel, bias])
    threshold = first_thresholds(model, rounds(model, PlayAndPrune()))["conv2"]
    assert threshold > np.abs(kernel[..., :5]).mean(axis=(0, 1, 2)).max()


def test_a_strength_is_the_mean_over_all_filters_that_go_together():
    model = networks.scramble(networks.residual())
    graph, strength = strengths(model)
    kernels = Network.of(model).filter_kernels()
    coupled = graph.coupled("stem", 3)
    assert len(coupled) == 2
    expected = np.mean([np.abs(kernels[name][..., k]).mean() for name, k in coupled])
    assert strength[graph.filters("stem")[3]] == pytest.approx(expected, rel=1e-6)


# Whole runs


def test_a_run_stays_within_the_tolerance_and_its_model_needs_no_firekeras(trained, tmp_path):
    keras.utils.set_random_seed(1)
    settings = {"tolerance": 0.05, "max_rounds": 2, "epochs": 4, "batch_size": 32, "verbose": 0}
    result = firekeras.compress(trained, TRAIN, VALIDATION, method="play_and_prune", **settings)
    assert result.rounds and result.baseline - result.accuracy <= 0.05 + 1e-9
    assert result.costs_after.macs < result.costs_before.macs
    assert not [v.path for v in result.model.variables if "filter_penalty" in v.path]
    result.model.save(tmp_path / "pruned.keras")
    assert b"firekeras" not in zipfile.ZipFile(tmp_path / "pruned.keras").read("config.json")
    again = keras.models.load_model(tmp_path / "pruned.keras")
    expected, found = (model.predict(VALIDATION[0], verbose=0) for model in (result.model, again))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_coupled_layers_are_pressed_together():
    model = networks.scramble(networks.residual())
    limits = {"layer_caps": {}, "original_widths": {}, "round_to": 1, "min_keep": 0.1}
    run = SimpleNamespace(limits=limits, target=None, settings=SimpleNamespace(round_to=1))
    units, notes = PlayAndPrune(0.2)._weakest(model, run)
    pressed = {name: filters.size for name, filters in channel_graph(model).removed_filters(units).items()}
    assert pressed == {"stem": 1, "a1": 1, "a2": 1, "b1": 2, "b2": 2, "b_shortcut": 2} and notes == []


def test_the_model_that_is_given_stays_as_it_is(trained, pressed):
    before, state = numbers(trained.variables), numbers(trained.optimizer.variables)
    next(rounds(trained, PlayAndPrune(delta=1e9), tolerance=1.0))
    for one, other in zip(before + state, numbers([*trained.variables, *trained.optimizer.variables]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any(variable.regularizer for variable in trained.variables)


def test_the_optimizer_goes_on_from_where_it_was(trained, pressed):
    method = PlayAndPrune(delta=1e9)
    copy = method.prepare(trained, rounds(trained, method, tolerance=1.0))
    assert int(copy.optimizer.iterations) == int(trained.optimizer.iterations) + 4


def test_a_run_that_is_taken_up_again_goes_on_as_it_would_have(trained, pressed, tmp_path):
    settings = {"tolerance": 1.0, "layer_caps": {"conv1": 0.5}}
    whole = list(rounds(trained, PlayAndPrune(0.2, delta=5.0), max_rounds=2, **settings))
    list(rounds(trained, PlayAndPrune(0.2, delta=5.0), max_rounds=1, run_dir=tmp_path / "run", **settings))
    again = rounds(
        trained, PlayAndPrune(0.2, delta=5.0), max_rounds=2, run_dir=tmp_path / "run", resume=True, **settings
    )
    (second,) = list(again)
    assert [whole[1].params, whole[1].filters_removed] == [second.params, second.filters_removed]
    assert second.accuracy == pytest.approx(whole[1].accuracy, abs=1e-6)


def test_the_same_seed_gives_the_same_run(trained, pressed):
    one, other = (list(rounds(trained, PlayAndPrune(delta=5.0), tolerance=1.0, max_rounds=2)) for _ in range(2))
    assert [r.accuracy for r in one] == [r.accuracy for r in other]
    for a, b in zip(one[-1].model.get_weights(), other[-1].model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_that_diverges_ends_the_run(trained, pressed):
    run = rounds(trained, PlayAndPrune(penalty=1e38), tolerance=0.05)
    first = run.best
    assert list(run) == [] and run.best is first
    assert run.stopped_because == "Training under the penalty diverged: its loss is not a number."


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"share": 0}, "share must be a share, above 0, up to 1. Received: 0"),
        ({"share": 1.5}, "share must be a share, above 0, up to 1. Received: 1.5"),
        ({"penalty": 0}, "penalty must be a number, above 0. Received: 0"),
        ({"delta": -1}, "delta must be a number, above 0. Received: -1"),
        ({"patience": 0.5}, "patience must be a whole number. Received: 0.5"),
        ({"give_up": 0}, "give_up must be a whole number, at least 1. Received: 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        methods.get("play_and_prune", **settings)
