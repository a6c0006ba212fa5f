"""FPPMO: what it finds by trying networks out, within the budget, and repeatably."""

import json
import math
from types import SimpleNamespace

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from plans import run_on

import firekeras
from firekeras import methods
from firekeras.channels import channel_graph
from firekeras.data.samples import batches, draw_samples, in_batches, shared_out
from firekeras.methods.fppmo import FPPMO, Beliefs, Budget, Learning, Reward, first_probabilities, silence
from firekeras.network import Network
from firekeras.network.masking import MaskedNetwork
from firekeras.recovery.batch_statistics import reestimate_batch_norm
from firekeras.rounds.targets import Target

REAL, DEAD, COPIES = np.arange(6), np.arange(6, 15), np.arange(15, 24)  # the filters of the second convolution


def network():
    image = keras.Input((8, 8, 1), name="image")
    x = networks.conv_bn_relu(image, 8, "conv1")
    x = L.Conv2D(24, 3, activation="relu", name="conv2")(x)
    x = L.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, L.Dense(6, name="answers")(x), name="six_answers")
    jit = keras.backend.backend() == "jax"  # elsewhere compiling takes longer than it saves here
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=jit)
    return model


def planted():
    """Six filters that answer one question each, nine that never fire, and nine copies that nobody reads."""
    model = networks.scramble(network())
    kernel, bias = model.get_layer("conv2").get_weights()
    kernel[..., DEAD], kernel[..., COPIES], bias[DEAD] = 5 * kernel[..., DEAD], kernel[..., COPIES % 6], -1e3
    model.get_layer("conv2").set_weights([kernel, bias])
    read, offset = model.get_layer("answers").get_weights()
    read[REAL], read[COPIES] = 2 * np.eye(6), 0
    model.get_layer("answers").set_weights([read, offset])
    reestimate_batch_norm(model, images(512, seed=0), batch_size=512)
    return model


def images(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 8, 8, 1)).astype("float32")


def predicted(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def draw(count, seed):
    """Images, and the answers of the network itself: nothing is better than to keep what they need."""
    x = images(count, seed)
    return x, predicted(ORIGINAL, x)


ORIGINAL = planted()
TRAIN, VALIDATION, SEARCH = draw(512, seed=1), draw(128, seed=2), draw(512, seed=3)


@pytest.fixture
def redundant():
    return planted()


def rounds(model, method, **settings):
    """The bare rounds: the second convolution alone is pruned, down to a quarter of it."""
    given = {"layer_caps": {"conv1": 0}, "pruning_ratio": 0.69, "min_keep": 0.0, "epochs": None, **settings}
    given = {"tolerance": math.inf, "monitor": "loss", "epochs_per_round": 0, "recovery": (), "max_rounds": 1, **given}
    run = firekeras.compression_rounds(model, TRAIN, VALIDATION, method=method, **given)
    run.next_step()  # as before each plan
    return run


def small_search(search="elite", **settings):
    return FPPMO(search, **{"prior": 0, "search_data": SEARCH, "search_samples": 128, **settings})


# Masked networks


@pytest.mark.parametrize("build", networks.TINY)
def test_a_masked_network_computes_what_the_pruned_one_does(build):
    model = networks.scramble(build())
    x, masked = networks.samples(model), MaskedNetwork(model)
    plan = firekeras.plan_pruning(model, firekeras.score_filters(model, "random", seed=0), pruning_ratio=0.4)
    masked.remove(masked.graph.units_of(plan.removed))
    expected = networks.predictions(firekeras.prune(model, plan), x)
    for one, other in zip(expected, networks.predictions(masked.model, x), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=3e-6 * np.std(one))
    masked.remove(np.zeros(masked.graph.num_units, bool))
    for one, other in zip(networks.predictions(model, x), networks.predictions(masked.model, x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batch_normalization_is_measured_as_in_the_pruned_network(redundant):
    plan = firekeras.plan_pruning(redundant, firekeras.score_filters(redundant, "random", seed=0), pruning_ratio=0.4)
    masked = MaskedNetwork(redundant, [TRAIN[0][:64]])
    masked.remove(masked.graph.units_of(plan.removed))
    smaller = firekeras.prune(redundant, plan)
    reestimate_batch_norm(smaller, TRAIN[0][:64], batch_size=64)
    kept = np.delete(np.arange(8), plan.removed["conv1"])
    for one, other in zip(smaller.get_layer("conv1_bn").get_weights(), bn_of(masked.model), strict=True):
        np.testing.assert_allclose(other[kept], one, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(predicted(masked.model, VALIDATION[0]), predicted(smaller, VALIDATION[0]), atol=1e-5)


def bn_of(model):
    return model.get_layer("conv1_bn").get_weights()


def test_the_loss_is_a_mean_over_all_batches_and_owes_nothing_to_the_last_call(redundant):
    masked, rng = MaskedNetwork(redundant), np.random.default_rng(0)
    x, y = VALIDATION[0], VALIDATION[1] + rng.normal(size=VALIDATION[1].shape) * np.arange(128)[:, None]
    expected = float(np.square(predicted(redundant, x) - y).mean())
    for _ in range(2):
        assert masked.loss(in_batches((x, y, None), 32)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_that_of_the_network_without_its_regularisers(redundant):
    plain, wrong = redundant.evaluate(*VALIDATION, verbose=0), (VALIDATION[0], VALIDATION[1] + 1, None)
    redundant.get_layer("conv2").kernel.regularizer = keras.regularizers.L2(1.0)
    assert MaskedNetwork(redundant).loss(in_batches(wrong, 32)) == pytest.approx(plain + 1, abs=1e-5)
    assert redundant.get_layer("conv2").kernel.regularizer is not None


@pytest.mark.every_backend
def test_no_candidate_compiles_anything(redundant, monkeypatch):
    reward, calls = Reward(redundant, TRAIN, SEARCH, 64, 0), []
    units = channel_graph(redundant).num_units
    reward(np.zeros(units, bool))
    call = L.Conv2D.call
    monkeypatch.setattr(L.Conv2D, "call", lambda layer, x: calls.append(layer) or call(layer, x))
    rewards = {reward(np.arange(units) == unit) for unit in range(8, 14)}
    assert len(rewards) == 6
    assert len(calls) == (0 if keras.backend.backend() != "torch" else 4 * 6)


# What is found


@pytest.fixture(scope="module")
def found():
    """A network, what searched it, and the plan."""
    model, method = planted(), small_search(seed=0)
    return model, method, method.plan(model, rounds(model, method))


def test_the_probabilities_find_the_filters_that_nobody_needs(found):
    _, method, plan = found
    chances = method.probabilities["conv2"]
    assert chances[REAL].max() < 0.2 < 0.5 < min(chances[DEAD].mean(), chances[COPIES].mean())
    assert plan.removed["conv2"].tolist() == [*DEAD, *COPIES]
    assert method.details["evaluations"] <= 24 * 16 and method.details["reward"] > -0.001


def test_what_is_learned_beats_as_many_random_networks(found):
    """On samples that neither has seen."""
    model, _, learned = found
    unseen, blind = Reward(model, TRAIN, draw(1024, seed=9), 512, 0), small_search("random", seed=0)
    plans = (learned, blind.plan(model, rounds(model, blind)))
    elite, random = (-unseen(channel_graph(model).units_of(plan.removed)) for plan in plans)
    assert elite < random / 2


def test_reinforce_follows_the_gradient_of_the_expected_reward(redundant):
    beliefs = Beliefs(np.full(2, 0.5), channel_graph(networks.two_convs(1, 1)), Learning(rate=0.5))
    beliefs.reinforce(np.array([[True, False], [False, False]]), np.array([3.0, 1.0]))  # advantages 1 and -1
    assert beliefs.logits.tolist() == pytest.approx([0.5 * (0.5 + 0.5), 0.0])
    beliefs.reinforce(np.array([[True, False], [False, False]]), np.array([-np.inf, -np.inf]))
    assert beliefs.logits.tolist() == pytest.approx([0.5, 0.0])  # nothing to learn from candidates that all fail


def test_a_soft_search_trains_all_filters_and_counts_its_epochs(redundant):
    """What the best candidate lacks is set to zero and learns again; the likeliest filters go in one stage."""
    idle = []

    def train(network):
        kernels = (network.get_layer(name).get_weights()[0] for name in ("conv1", "conv2"))
        idle.append(sum(int((abs(kernel).sum((0, 1, 2)) == 0).sum()) for kernel in kernels))
        return 0.1 if len(idle) < 3 else math.nan  # the third epoch diverges

    run = run_on(redundant, target={"conv_macs": 0.6}, min_keep=0)
    own = {"epochs_to_cut": 5.0, "train_for_method": train, "settings": SimpleNamespace(seed=0)}
    vars(run).update(own, train_data=TRAIN, costs_before=firekeras.count_costs(redundant))
    method = small_search("reinforce", soft=True, iterations=4, samples=2, search_samples=32)
    trained = method.prepare(redundant, run)
    assert len(idle) == 3 and min(idle) > 0 and method.details["evaluations"] == 6
    plan = method.plan(trained, run)
    assert plan.costs_after.conv_macs <= 0.6 * plan.costs_before.conv_macs
    assert method.trains and method.stages == 1 and not small_search().trains
    with pytest.raises(ValueError, match='search="random" learns nothing'):
        FPPMO("random", soft=True)


def test_silent_filters_are_zero_and_all_others_as_they_were(redundant):
    model = keras.models.clone_model(redundant)
    model.set_weights(redundant.get_weights())
    network = Network.of(model)
    silence(network, network.graph.units_of({"conv2": [3]}))
    kernel, before = (one.get_layer("conv2").get_weights()[0] for one in (model, redundant))
    assert not kernel[..., 3].any() and np.array_equal(np.delete(kernel, 3, -1), np.delete(before, 3, -1))
    assert np.array_equal(*(one.get_layer("conv1").get_weights()[0] for one in (model, redundant)))


def test_with_a_prior_small_norms_are_likelier_to_begin_with(redundant):
    run = rounds(redundant, FPPMO())
    budget = Budget.of(channel_graph(redundant), run, 3)
    flat, leaning = (budget.graph.by_layer(first_probabilities(redundant, budget, prior)) for prior in (0, 0.5))
    norms = firekeras.score_filters(redundant, "l1").l1["conv2"]
    np.testing.assert_allclose(flat["conv2"], flat["conv2"][0])
    assert leaning["conv2"].max() - leaning["conv2"].min() == pytest.approx(0.5)
    assert np.argmax(leaning["conv2"]) == np.argmin(norms)


# The budget


def test_every_candidate_meets_the_budget(redundant, monkeypatch):
    plans, plan = [], Budget.plan
    monkeypatch.setattr(Budget, "plan", lambda budget, scores: plans.append(plan(budget, scores)) or plans[-1])
    for search in ("elite", "random"):
        method = small_search(search, iterations=3, samples=8)
        run = rounds(redundant, method, layer_caps={}, pruning_ratio=0.5, min_keep=0.25)
        before = firekeras.count_costs(redundant).macs
        chosen = method.plan(redundant, run)
        assert any(chosen is one for one in plans) and len(plans) >= 24
        for one in plans:
            assert one.costs_after.macs <= 0.5 * before
            assert all(width - len(one.removed.get(name, ())) >= 0.25 * width for name, width in one.widths.items())
        plans.clear()


def test_stages_lead_down_to_the_target(redundant):
    method = small_search(stages=2, iterations=2, samples=4)
    run = rounds(redundant, method, target={"conv_macs": 0.4}, layer_caps={}, max_rounds=9)
    before = run.costs_before.conv_macs
    kept = [record.conv_macs / before for record in run]
    assert len(kept) == 2 and 0.5 < kept[0] <= 0.7 and 0.2 < kept[1] <= 0.4
    assert run.stopped_because == "The target of 40% of the conv MACs is reached."


def budget_of(model, **run):
    limits = {"layer_caps": {}, "original_widths": {}, "round_to": 1, "min_keep": 0.0}
    step = SimpleNamespace(goal=None)
    given = {"target": None, "halvings": 0, "pruning_ratio": 0.2, "limits": limits, "step": step, **run}
    graph = channel_graph(model)
    return Budget.of(graph, SimpleNamespace(costs_before=firekeras.count_costs(graph), **given), stages=4)


def test_a_stage_takes_its_share_of_the_way_and_half_after_a_round_that_was_undone(redundant):
    costs = firekeras.count_costs(redundant)
    fewer = {"macs": int(0.8 * costs.macs)}
    assert budget_of(redundant).amounts == fewer
    step = SimpleNamespace(goal={"macs": 0.9 * costs.macs})
    assert budget_of(redundant, step=step).amounts == {"macs": int(0.9 * costs.macs)}
    target = Target.of({"params": 0.6}, redundant, costs)
    assert budget_of(redundant, target=target).amounts == {"params": int(costs.params - 0.1 * costs.params)}
    half = {"params": int(costs.params - 0.05 * costs.params)}
    assert budget_of(redundant, target=target, halvings=1).amounts == half
    latency = Target({"latency": 0.5}, {"latency": 0.002}, {"latency": 0.001}, timed=("latency",))
    assert budget_of(redundant, target=latency).amounts == fewer


def test_of_several_targets_all_are_reached(redundant):
    costs = firekeras.count_costs(redundant)
    target = Target.of({"macs": 0.8, "ram": 0.7, "flash": "20 MB"}, redundant, costs)
    budget = budget_of(redundant, target=target)
    assert list(budget.amounts) == ["macs", "ram", "flash"] and budget.amounts["macs"] == int(0.95 * costs.macs)
    after = budget.plan(np.arange(budget.graph.num_units) / 7 % 1).costs_after
    assert all(getattr(after, measure) <= amount for measure, amount in budget.amounts.items())
    assert after.ram <= costs.ram - 0.3 / 4 * costs.ram
    both = Target({"ram": 0.8, "latency": 0.5}, {}, {"ram": 0.8 * costs.ram, "latency": 0.1}, timed=("latency",))
    assert list(budget_of(redundant, target=both).amounts) == ["ram", "macs"]


def test_where_nothing_may_go_the_run_says_why(redundant):
    run = rounds(redundant, small_search(), layer_caps={"conv1": 0, "conv2": 0})
    assert list(run) == [] and "the cap of 0% on conv1" in run.stopped_because


def test_less_is_taken_where_the_budget_is_out_of_reach(redundant):
    method = small_search(iterations=2, samples=4)
    record = next(rounds(redundant, method, pruning_ratio=0.9, layer_caps={"conv1": 0, "conv2": 0.25}))
    assert record.filters_removed == 6


# From stage to stage


def test_what_was_learned_of_the_filters_that_stay_goes_on(redundant):
    method = small_search(iterations=3, samples=8)
    run = rounds(redundant, method, pruning_ratio=0.3, max_rounds=2)
    first = next(run)
    gone = method.state()["removed"]["conv2"]
    learned = np.delete(method.probabilities["conv2"], gone)
    budget = Budget.of(channel_graph(first.model), run, 3)
    carried = method._beliefs(first.model, run, budget)
    np.testing.assert_allclose(logit(budget.graph.by_layer(carried.probabilities)["conv2"]), logit(learned) / 2)


def logit(p):
    return np.log(p / (1 - p))


def test_after_a_round_that_was_undone_all_filters_are_there_still(redundant):
    method = small_search(iterations=3, samples=8)
    values = iter([0.9, 0.9, 0.1])
    settings = {"evaluate": lambda model: next(values), "monitor": "accuracy", "tolerance": 0.1, "max_rounds": 2}
    run = rounds(redundant, method, **settings)
    assert not next(run).accepted
    learned = method.probabilities["conv2"]
    carried = method._beliefs(redundant, run, Budget.of(channel_graph(redundant), run, 3))
    np.testing.assert_allclose(
        logit(carried.probabilities[channel_graph(redundant).filters("conv2")]), logit(learned) / 2
    )


def test_a_run_that_is_taken_up_again_goes_on_as_it_would_have(redundant, tmp_path):
    def run(**settings):
        method = small_search(iterations=2, samples=6)
        return list(rounds(redundant, method, pruning_ratio=0.3, layer_caps={}, **settings))

    whole = run(max_rounds=2)
    run(max_rounds=1, run_dir=tmp_path / "run")
    (second,) = run(max_rounds=2, run_dir=tmp_path / "run", resume=True)
    assert (second.params, second.details) == (whole[1].params, pytest.approx(whole[1].details, rel=1e-4))


@pytest.mark.parametrize("search", ["elite", "random"])
def test_a_seed_decides_all(redundant, search):
    def found(seed):
        method = small_search(search, seed=seed, iterations=3, samples=6, search_data=None)
        plan = method.plan(redundant, rounds(redundant, method))
        return {name: filters.tolist() for name, filters in plan.removed.items()}, method.details

    assert found(1) == found(1)
    assert found(1) != found(2)


# How it learns


def beliefs(probabilities, **learning):
    graph = channel_graph(networks.two_convs(2, 3))
    return Beliefs(np.array([*probabilities, 0.5, 0.5, 0.5]), graph, Learning(**learning))


def test_probabilities_move_towards_the_best_quarter():
    one = beliefs([0.5, 0.5, 0.5, 0.5, 0.9], rate=0.2, elite=0.5, least=0.1)
    masks = np.zeros((4, 8), bool)
    masks[1, :2], masks[2, 0], masks[3, 2] = True, True, True
    one.learn(masks, np.array([-9.0, -1.0, -2.0, -3.0]))  # the second and the third are the best
    np.testing.assert_allclose(one.probabilities[:5], [0.6, 0.5, 0.4, 0.4, 0.72])
    for _ in range(50):
        one.learn(masks, np.array([-9.0, -1.0, -2.0, -3.0]))
    np.testing.assert_allclose(one.probabilities[:5], [0.9, 0.5, 0.1, 0.1, 0.1], atol=1e-3)


def test_at_temperature_one_a_filter_is_drawn_by_its_probability():
    one, rng = beliefs([0.1, 0.3, 0.5, 0.7, 0.9]), np.random.default_rng(0)
    drawn = np.mean([one.draw(rng, 1.0) > 0 for _ in range(4000)], axis=0)
    np.testing.assert_allclose(drawn[:5], [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.03)


def test_entropy_is_that_of_the_filters_that_may_go():
    assert beliefs([0.5] * 5).entropy == pytest.approx(np.log(2))
    assert beliefs([0.02] * 5).entropy < 0.1
    assert beliefs([0.0, 1.0] * 2 + [0.5], least=0.02).probabilities[:2].tolist() == [0.02, 0.98]


# Data


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0]) // 8

    def __getitem__(self, index):
        return tuple(array[8 * index : 8 * index + 8] for array in self.arrays)


def test_samples_keep_what_belongs_to_them():
    x, y = np.arange(40.0)[:, None], np.arange(40)
    x2, y2, none = draw_samples((x, y), 10, seed=1)
    assert none is None and y2.tolist() == x2[:, 0].tolist() and len(set(y2)) == 10
    for data in (Batches(x, y), iter([(x[:8], y[:8]), (x[8:16], y[8:16])])):
        x2, y2, none = draw_samples(data, 10, seed=1)
        assert none is None and y2.tolist() == x2[:, 0].tolist() and len(y2) == 10 and set(y2) < set(range(16))
    x2, y2, none = draw_samples(x, 10, seed=1)  # samples alone
    assert none is None and y2 is None and x2.shape == (10, 1)
    x2, y2, _ = draw_samples([x, 2 * x], 10, seed=1)  # of two inputs
    assert y2 is None and (2 * x2[0] == x2[1]).all() and x2[0].shape == (10, 1)
    loader = [[x[:8], y[:8]], [x[8:16], y[8:16]]]  # a torch DataLoader gives lists
    assert [one[1].tolist() for one in batches(iter(loader), 3)] == [y[:8].tolist(), y[8:16].tolist()]
    assert [len(one[0]) for one in batches((x, y, None), 16)] == [16, 16, 8]
    x2, _, weights = draw_samples(({"a": x}, {"b": y}, 2 * y), 5)
    assert (2 * x2["a"][:, 0]).tolist() == weights.tolist()


def test_batches_are_all_of_one_size():
    x = np.arange(10)
    assert [batch[0].tolist() for batch in in_batches((x, x, None), 4)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [len(batch[0]) for batch in in_batches((x, x, None), 5)] == [5, 5]
    assert [len(batch[0]) for batch in in_batches((x, x, None), 99)] == [10]
    assert [part[0].tolist() for part in shared_out((x, x, None), 3)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(ValueError, match=r"at least 3 samples of training data\. Received: 2"):
        shared_out((x[:2], x[:2], None), 3)


def test_data_in_batches_are_searched_on(redundant):
    method = small_search(search_data=None, iterations=1, samples=4, search_samples=16)
    settings = {"tolerance": math.inf, "monitor": "loss", "epochs_per_round": 0, "recovery": (), "max_rounds": 1}
    run = firekeras.compression_rounds(redundant, Batches(*TRAIN), VALIDATION, method=method, **settings)
    assert next(run).filters_removed > 0


def test_without_labels_or_a_loss_it_is_refused(redundant):
    with pytest.raises(ValueError, match="loss on labels, which the training data lack"):
        Reward(redundant, TRAIN[0], None, 64, 0)
    bare = keras.Model(redundant.input, redundant.output)
    with pytest.raises(ValueError, match=r"is not compiled\. Compile it as for training"):
        Reward(bare, TRAIN, None, 64, 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search": "best"}, r"search must be one of 'elite', 'reinforce', 'random'\. Received: 'best'"),
        ({"stages": 0}, "stages must be a whole number, at least 1. Received: 0"),
        ({"samples": 1.5}, "samples must be a whole number. Received: 1.5"),
        ({"prior": 2}, "prior must be a share, from 0 to 1. Received: 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        methods.get("fppmo", **settings)


@pytest.mark.parametrize(
    "settings", [{"elite": 0}, {"rate": 1.1}, {"least": 0.5}, {"temperatures": (1, 0)}, {"shrink": -1}]
)
def test_learning_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be a .*Received"):
        Learning(**settings)


def test_a_whole_run_gives_a_smaller_network(redundant):
    result = firekeras.compress(
        redundant,
        TRAIN,
        VALIDATION,
        method=small_search(stages=1, iterations=8, samples=8),
        target={"macs": 0.4},
        epochs=2,
        layer_caps={"conv1": 0},
        tolerance=0.01,
        monitor="loss",
        verbose=0,
    )
    assert result.costs_after.macs <= 0.4 * result.costs_before.macs
    assert result.accuracy <= result.baseline + 0.01
    assert json.loads(json.dumps(result.rounds[0].to_dict()))["criterion"] == "fppmo"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"search_data": "images"}, "Expected data, received the text 'images'"),
        ({"learning": {"elit": 0.1}}, "Unknown setting of learning 'elit'. .*Did you mean 'elite'"),
        ({"seed": -1}, "seed must be a whole number, at least 0"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(given, words):
    with pytest.raises(ValueError, match=words):
        firekeras.methods.FPPMO(**given)
