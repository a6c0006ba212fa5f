"""Comparisons: the same epochs and target for all, resumed where broken off, shown as they came out."""

import dataclasses
import json
import math
import pickle
import xml.etree.ElementTree as ElementTree

import joblib
import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from PIL import Image
from rich.console import Console
from sides import draw
from typer.testing import CliRunner

import firekeras
from firekeras.cli import app
from firekeras.cli.classifier import compile_for_tuning
from firekeras.methods import FPPMO, FirePruning, L1Pruning, PlayAndPrune
from firekeras.recovery.batch_statistics import reestimate_batch_norm
from firekeras.report.markup import to_html
from firekeras.report.series_chart import Series, series_chart, write_svg
from firekeras.rounds.ownership import owner_of
from firekeras.studies.compare import Comparison, Outcome, Scratch, Unpruned, compare, report
from firekeras.studies.compare import comparison as module
from firekeras.studies.compare.contest import Contest, SameChoice, Trial, with_fresh_weights
from firekeras.studies.compare.entries import ByName, factories
from firekeras.studies.compare.folder import ComparisonFolder
from firekeras.studies.compare.report import comparison_chart, comparison_table, markdown, page, rows, write_report
from firekeras.studies.compare.settings import ComparisonSettings, caps_of_candidates, left_alone

pytestmark = pytest.mark.usefixtures("uncompiled")

NAN = math.nan


def build():
    image = keras.Input((6, 6, 1), name="image")
    x = L.BatchNormalization(momentum=0.9)(L.Conv2D(8, 3, name="conv1")(image))
    x = L.Conv2D(12, 3, activation="relu", name="conv2")(L.ReLU()(x))
    return keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(x)), name="sides")


TRAIN, VALIDATION, TEST = draw(96, 1, contrast=1), draw(48, 2, contrast=1), draw(64, 3, contrast=1)


def compiled(model, rate=0.02):
    compile_for_tuning(model, rate)
    return model


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = compiled(build())
    model.fit(*TRAIN, epochs=5, batch_size=32, verbose=0)
    return model


def outcome(method="fire", seed=0, test=0.9, share=0.5, **fields):
    costs = {"conv_macs": 500, "macs": 480, "params": 90}
    common = {"measure": "macs", "validation": 0.8, "epochs": 20, "seconds": 60.0, "rounds": 3}
    return Outcome(method=method, seed=seed, test=test, share=share, **{**costs, **common, **fields})


def comparison(*outcomes):
    before = {"conv_macs": 1000, "macs": 960, "params": 200}
    return Comparison("accuracy", "macs", 0.95, before, ["All runs are equal."], list(outcomes))


# One real comparison


@pytest.fixture(scope="module")
def real(trained, tmp_path_factory):
    """A comparison that is broken off after the second run, and resumed."""
    folder = tmp_path_factory.mktemp("real") / "comparison"
    weights = [w.copy() for w in trained.get_weights()]
    ended = []

    def interrupt(one, so_far):
        ended.append(one.key)
        if len(ended) == 2:
            raise KeyboardInterrupt

    settings = {"epochs": 4, "seeds": [5], "target": {"macs": 0.6}, "batch_size": 96}
    with pytest.raises(KeyboardInterrupt):
        compare(trained, TRAIN, VALIDATION, TEST, folder=folder, on_result=interrupt, **settings)
    with open(folder / "results.jsonl", "ab") as file:
        file.write(b'{"method": "rand')  # a kill while a line was being written
    reported = []
    found = compare(
        trained,
        TRAIN,
        VALIDATION,
        TEST,
        folder=folder,
        on_result=lambda one, _: reported.append(one.method),
        **settings,
    )
    assert all((a == b).all() for a, b in zip(weights, trained.get_weights(), strict=True))
    return found, folder, ended, reported


def test_a_comparison_that_was_broken_off_goes_on(real):
    found, folder, ended, reported = real
    assert ended == [("fire", 0.6, 5), ("fire_paper", 0.6, 5)] and reported == ["l1", "random", "scratch", "unpruned"]
    assert [one.method for one in found.outcomes] == list(module.METHODS)
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [line["method"] for line in lines] == list(module.METHODS)


def test_all_have_the_same_epochs_and_the_same_target(real, trained):
    found, *_ = real
    before = firekeras.count_costs(trained)
    assert found.before == before.totals
    for one in found.outcomes:
        assert one.epochs == 4 and one.reached
        assert one.macs == before.macs if one.method == "unpruned" else 0.4 < one.macs / before.macs <= 0.6
    cuts = {one.method: one.rounds for one in found.outcomes}
    assert cuts["l1"] == 1 and cuts["scratch"] == cuts["unpruned"] == 0
    assert cuts["fire"] == cuts["fire_paper"] == cuts["random"] == 2


def test_networks_are_kept_and_do_what_is_said_of_them(real):
    found, folder, *_ = real
    for one in found.outcomes:
        network = keras.models.load_model(folder / f"{one.method}-{one.share:g}-5.keras")
        assert firekeras.count_costs(network).macs == one.macs
        assert network.evaluate(*TEST, verbose=0)[1] == pytest.approx(one.test)


def test_the_control_has_the_shape_of_the_first_method(real):
    found, *_ = real
    fire, scratch = (next(one for one in found.outcomes if one.method == name) for name in ("fire", "scratch"))
    assert (fire.conv_macs, fire.macs, fire.params) == (scratch.conv_macs, scratch.macs, scratch.params)
    assert any("the final network of fire" in term for term in found.terms)


def test_other_conditions_in_the_same_folder_are_refused(real, trained):
    _, folder, *_ = real
    same = {"seeds": [5], "target": {"macs": 0.6}, "batch_size": 32, "folder": folder}
    with pytest.raises(ValueError, match=r"begun with epochs=4\. Received: 5"):
        compare(trained, TRAIN, VALIDATION, TEST, epochs=5, **same)
    with pytest.raises(ValueError, match=r"begun with other test data\. Only"):
        compare(trained, TRAIN, VALIDATION, (TEST[0], 1 - TEST[1]), epochs=4, **same)
    with pytest.raises(ValueError, match=r"begun with training_samples=96\. Received: 95"):
        compare(trained, tuple(one[1:] for one in TRAIN), VALIDATION, TEST, epochs=4, **same)
    with pytest.raises(ValueError, match="begun with other validation data"):
        compare(trained, TRAIN, (VALIDATION[0], 1 - VALIDATION[1]), TEST, epochs=4, **same)
    with pytest.raises(ValueError, match="scratch_has_the_shape_of='fire'"):
        compare(trained, TRAIN, VALIDATION, TEST, epochs=4, methods=("l1",), **same)


# The order of runs, without training


@pytest.fixture
def quick(monkeypatch):
    """Runs that take no time; what was run."""
    ran = []

    def prune(self, label, make, share, seed):
        ran.append((label, share, seed))
        return self.model, outcome(label, seed, share=share)

    def scratch(self, label, control, pruned, share, seed):
        ran.append((label, share, seed))
        return self.model, outcome(label, seed, share=share)

    monkeypatch.setattr(module.Contest, "prune", prune)

    def unpruned(self, label, seed):
        ran.append((label, 1.0, seed))
        return self.model, outcome(label, seed, share=1.0)

    monkeypatch.setattr(module.Contest, "scratch", scratch)
    monkeypatch.setattr(module.Contest, "unpruned", unpruned)
    return ran


def test_methods_seeds_and_targets_can_be_added(trained, quick, tmp_path):
    def go_on(**settings):
        quick.clear()
        compare(trained, TRAIN, VALIDATION, TEST, folder=tmp_path / "c", **settings)
        return list(quick)

    assert go_on(methods=("fire",), seeds=1) == [("fire", 0.5, 0)]
    assert go_on(methods=("fire", "l2"), seeds=1) == [("l2", 0.5, 0)]
    assert go_on(methods=("fire", "l2"), seeds=2) == [("fire", 0.5, 1), ("l2", 0.5, 1)]
    more = go_on(methods=("fire", "scratch"), seeds=1, target={"macs": (0.5, 0.4)})
    assert more == [("scratch", 0.5, 0), ("fire", 0.4, 0), ("scratch", 0.4, 0)]
    assert go_on(methods=("fire", "unpruned"), seeds=1) == [("unpruned", 1.0, 0)]


class AtRandom(keras.utils.PyDataset):
    """Training images that are never the same twice."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng()

    def __len__(self):
        return 3

    def __getitem__(self, index):
        part = slice(32 * index, 32 * index + 32)
        return TRAIN[0][part] + self.rng.normal(0, 1, (32, 6, 6, 1)).astype("float32"), TRAIN[1][part]


def test_a_comparison_on_augmented_images_goes_on_from_the_baseline_that_it_began_with(trained, quick, tmp_path):
    """The network is settled on other images each time; the first figure counts."""
    folder = tmp_path / "c"
    first = compare(trained, AtRandom(), VALIDATION, TEST, methods=("l1",), seeds=1, folder=folder)
    description = json.loads((folder / "comparison.json").read_text())
    for name in ("baseline", "baseline_on_validation_data"):
        description[name] -= 0.125
    (folder / "comparison.json").write_text(json.dumps(description))
    again = compare(trained, AtRandom(), VALIDATION, TEST, methods=("l1", "l2"), seeds=1, folder=folder)
    assert again.baseline == first.baseline - 0.125 and [run[0] for run in quick] == ["l1", "l2"]
    (folder / "comparison.json").write_text(json.dumps({**description, "baseline": None}))
    with pytest.raises(ValueError, match="has no baseline"):
        compare(trained, AtRandom(), VALIDATION, TEST, methods=("l1",), seeds=1, folder=folder)
    with pytest.raises(ValueError, match="begun with another model"):
        other = compiled(keras.models.clone_model(trained))
        compare(other, AtRandom(), VALIDATION, TEST, methods=("l1",), seeds=1, folder=folder)
    for name in ("weights", "validation_data", "test_data"):  # as folders of earlier releases
        del description[name]
    (folder / "comparison.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match="begun with baseline="):
        compare(trained, TRAIN, VALIDATION, TEST, methods=("l1",), seeds=1, folder=folder)


def test_several_runs_at_once_wait_for_nothing_but_the_shape_of_scratch(trained):
    settings = ComparisonSettings.of(trained, {"macs": 0.5}, 2, 1)
    entries = factories(("fire", "l1", "scratch", "unpruned"))
    pruning = {name: entries[name] for name in ("fire", "l1")}
    controls = {name: entries[name] for name in ("scratch", "unpruned")}
    first, second = module.waves(pruning, controls, settings, at_once=True)
    assert [(one.label, one.seed) for one in first] == [
        *(("fire", 0), ("l1", 0), ("fire", 1), ("l1", 1), ("unpruned", 0), ("unpruned", 1))
    ]
    assert [one.key for one in second] == [("scratch", 0.5, 0), ("scratch", 0.5, 1)]


def test_runs_at_once_are_kept_as_they_end(trained, quick, tmp_path):
    settings = {"methods": ("fire", "l2", "scratch"), "seeds": 2, "folder": tmp_path / "c"}
    with joblib.parallel_config("threading", n_jobs=2):
        found = compare(trained, TRAIN, VALIDATION, TEST, **settings)
    assert sorted(quick[:4]) == [("fire", 0.5, 0), ("fire", 0.5, 1), ("l2", 0.5, 0), ("l2", 0.5, 1)]
    assert sorted(quick[4:]) == [("scratch", 0.5, 0), ("scratch", 0.5, 1)]
    assert len((tmp_path / "c" / "results.jsonl").read_text().splitlines()) == len(found.outcomes) == 6


def test_what_other_processes_get_does_the_same_runs(trained):
    contest = Contest(trained, TRAIN, VALIDATION, TEST, ComparisonSettings.of(trained, {"macs": 0.5}, 1, 1))
    contest.monitor, contest.baseline = "accuracy", trained
    sent = pickle.loads(pickle.dumps(contest))
    assert "baseline" not in vars(sent) and sent.monitor == "accuracy" and sent.settings == contest.settings
    assert all(map(np.array_equal, sent.model.get_weights(), trained.get_weights())) and sent.model.compiled


def test_all_methods_of_a_seed_come_before_the_next_seed(trained, quick):
    found = compare(trained, TRAIN, VALIDATION, TEST, methods=("scratch", "fire"), seeds=2)
    assert quick == [("fire", 0.5, 0), ("scratch", 0.5, 0), ("fire", 0.5, 1), ("scratch", 0.5, 1)]
    assert [one.runs for one in found.summaries()] == [2, 2]


# One run


def test_all_train_along_the_same_curve(trained):
    """A cut in one go, the shape from scratch, and the whole network: the same learning rate at the same time."""
    seen, rates = [], {}

    class Rates(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(float(self.model.optimizer.learning_rate))

    def keep(one, so_far):
        rates[one.method] = seen.copy()
        seen.clear()

    settings = {"seeds": 1, "epochs": 3, "batch_size": 48, "learning_rate": 0.03, "callbacks": [Rates()]}
    compare(trained, TRAIN, VALIDATION, TEST, methods=("l1", "scratch", "unpruned"), on_result=keep, **settings)
    assert len(rates["l1"]) == 6 and rates["l1"] == rates["scratch"] == rates["unpruned"]
    assert max(rates["l1"]) <= 0.03 and rates["l1"][-1] < 0.3 * 0.03


def test_a_run_is_that_of_compress(trained):
    """What a comparison says of a method holds for who uses it."""
    found = compare(trained, TRAIN, VALIDATION, TEST, methods=("l1",), seeds=1, epochs=2, batch_size=32)
    result = firekeras.compress(
        trained, TRAIN, VALIDATION, method="l1", target={"macs": 0.5}, epochs=2, batch_size=32, verbose=0
    )
    one = found.outcomes[0]
    assert (one.validation, one.macs, one.epochs) == (result.accuracy, result.costs_after.macs, result.epochs)
    assert result.model.evaluate(*TEST, verbose=0)[1] == pytest.approx(one.test)


def test_nothing_is_measured_unsettled():
    """The statistics are as training with too low a momentum left them: wrong."""
    keras.utils.set_random_seed(0)
    model = compiled(build())
    model.fit(*TRAIN, epochs=3, batch_size=32, verbose=0)
    norm = model.layers[2]
    norm.moving_mean.assign(norm.moving_mean + 50)
    result = compare(model, TRAIN, VALIDATION, TEST, methods=("l1", "unpruned", "scratch"), seeds=1, epochs=1)
    settled = keras.models.clone_model(model)
    settled.set_weights(model.get_weights())
    reestimate_batch_norm(settled, TRAIN[0])
    assert result.baseline == pytest.approx(compiled(settled).evaluate(*TEST, verbose=0)[1])
    assert result.baseline > model.evaluate(*TEST, verbose=0)[1] + 0.1
    for one in result.outcomes:
        assert one.method == "scratch" or one.test > result.baseline - 0.1


def test_a_method_that_trains_on_its_own_gets_no_more_epochs(trained):
    """Its thresholds let nothing go, so that it would train under the penalty for a hundred epochs."""
    methods = {"stubborn": lambda seed: PlayAndPrune(delta=1e-9, give_up=100, patience=100)}
    found = compare(trained, TRAIN, VALIDATION, TEST, methods=methods, seeds=1, epochs=4, batch_size=96)
    one = found.outcomes[0]
    assert one.epochs == 4 and one.reached and one.macs <= 0.5 * found.before["macs"]


def test_a_seed_decides_all_that_methods_draw(trained):
    quick = {"iterations": 3, "samples": 4, "search_samples": 32}
    methods = {
        "fire": lambda seed: FirePruning(seed=seed),
        "fppmo": lambda seed: FPPMO(seed=seed, **quick),
    }
    settings = {"seeds": [3], "epochs": 1, "target": {"macs": 0.7}, "batch_size": 96}

    def outcomes():
        found = compare(trained, TRAIN, VALIDATION, TEST, methods=methods, **settings)
        return [dataclasses.replace(one, seconds=0, choosing=0) for one in found.outcomes]

    one, other = outcomes(), outcomes()
    assert one == other
    assert all(found.macs <= 0.7 * firekeras.count_costs(trained).macs for found in one)


def test_fresh_weights_leave_what_is_not_trained():
    image = keras.Input((6, 6, 1))
    scale = L.Normalization(name="scale")
    scale.adapt(TRAIN[0])
    x = L.BatchNormalization(name="bn")(L.Conv2D(4, 3, name="conv")(scale(image)))
    model = keras.Model(image, L.Dense(2)(L.Flatten()(keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))))
    model.get_layer("bn").moving_mean.assign([1, 2, 3, 4])
    fresh = with_fresh_weights(model)
    normalized = (keras.ops.convert_to_numpy(one.get_layer("scale")(TRAIN[0])) for one in (fresh, model))
    assert np.array_equal(*normalized)
    assert not np.allclose(fresh.get_layer("conv").kernel, model.get_layer("conv").kernel)
    assert not np.any(fresh.get_layer("bn").moving_mean)
    assert fresh.count_params() == model.count_params()


def test_a_row_says_what_of_its_method_is_off():
    variant = PlayAndPrune().variant(math.inf)
    runs = [outcome("play_and_prune", variant=variant), outcome("fire"), outcome("l1", reached=False)]
    found = Comparison("accuracy", "macs", 0.9, {"conv_macs": 100, "macs": 100, "params": 100}, [], runs)
    names = {row[0] for row in rows(found)}
    assert names == {"baseline", "fire", "play_and_prune (controller off)", "l1 (short of 50%)"}
    assert PlayAndPrune().variant(0.01) == ""


def test_a_method_that_stops_short_of_the_target_is_reported(trained):
    methods = {"little": lambda seed: L1Pruning(0.1)}
    found = compare(trained, TRAIN, VALIDATION, TEST, methods=methods, seeds=1, epochs=2, batch_size=96)
    one = found.outcomes[0]
    assert one.epochs == 2 and one.macs > 0.5 * found.before["macs"] and not one.reached
    assert "Stopped short of 0.5" in found.notes[0] and found.notes[0].startswith("little, seed 0")
    assert "The rates are met" in found.notes[0] and rows(found)[1][0] == "little (short of 50%)"


def test_a_method_as_published_or_with_options_is_a_row_of_its_own():
    names = ("fire", "fire:paper", "l1:paper")
    made = factories(names, {"fire": {"mode": "measured"}, "fire:paper": {"beside": "l2"}})
    assert (made["fire"](3).mode, made["fire"].settings, made["fire"].term) == ("measured", {}, "")
    assert (made["fire:paper"](3).beside, made["fire:paper"](3).dense, made["fire:paper"](3).seed) == (
        ("l2",),
        False,
        3,
    )
    assert made["l1:paper"].settings == {"recovery": (), "distill": False}
    assert made["l1:paper"].term.startswith(
        "as published, with rates='paper', recovery=(), distill=False; target, epochs"
    )
    for options, words in (
        ({"l2": {}}, "options for 'l2', which is not among"),
        ({"fire": {"mod": 1}}, "no option 'mod'"),
    ):
        with pytest.raises(ValueError, match=words):
            factories(names, options)


def test_what_a_protocol_sets_holds_for_its_row_alone(trained, monkeypatch):
    seen = {}

    class Stop(Exception):
        pass

    def rounds(*data, method, **settings):
        seen.update(settings, method=method)
        raise Stop

    settings = ComparisonSettings.of(trained, {"macs": 0.5}, 1, 7)
    contest = Contest(trained, TRAIN, VALIDATION, TEST, settings)
    contest.monitor = "accuracy"
    monkeypatch.setattr("firekeras.studies.compare.contest.SameChoice", rounds)
    for entry, distill in ((ByName("play_and_prune", "paper"), False), (ByName("play_and_prune"), None)):
        with pytest.raises(Stop):
            contest.run(Trial("x", entry, 0.5, 0))
        assert seen.get("distill") is distill and (seen["epochs"], seen["tolerance"]) == (7, 0.01)
        seen.clear()


def test_methods_by_name_are_made_again_for_each_seed():
    made = factories(["fire", "fire_paper", "l1", "random", "scratch", "unpruned"])
    assert made["scratch"] == Scratch() and made["unpruned"] == Unpruned()
    assert (made["fire_paper"](3).beside, made["fire_paper"](3).balance, made["fire_paper"](3).seed) == ((), 0, 3)
    assert made["fire"](3) is not made["fire"](3) and made["fire"](3).seed == made["random"](3).seed == 3
    assert type(made["l1"](3)).__name__ == "L1Pruning"
    with pytest.raises(ValueError, match=r"Unknown method 'fyre'.*'fire'"):
        factories(["fyre"])


# Conditions


def test_a_round_takes_as_many_filters_by_any_criterion():
    model = compiled(networks.residual())
    x, y = np.random.default_rng(0).normal(size=(12, 8, 8, 3)).astype("float32"), np.zeros(12)
    data = (x[:8], y[:8]), (x[8:], y[8:])
    limits = {"pruning_ratio": 0.5, "layer_caps": left_alone(model), "min_keep": 0.0, "max_cut": 1}
    rounds = SameChoice(model, *data, method=firekeras.methods.get("fire"), **limits)
    rounds.next_step()
    free = sum(firekeras.channel_graph(model).widths[name] for name in ("a1", "b1"))
    for criterion in ("fire", "l1", "random"):
        plan = rounds.plan(model, firekeras.score_filters(model, criterion, data=data[0]))
        assert plan.ranked == free and plan.num_removed == math.floor(free / 2 + 0.5)


def test_by_default_methods_keep_to_filters_that_fire_can_rank():
    assert set(left_alone(networks.residual())) == {"stem", "a2", "b2", "b_shortcut", "logits"}
    model = compiled(networks.residual())
    common = {"target": {"macs": 0.8}, "seeds": 1, "epochs": 20}
    assert ComparisonSettings.of(model, **common, layer_caps={"a1": 0.9}).run["layer_caps"]["stem"] == 0
    assert ComparisonSettings.of(model, **common, layer_caps={"a1": 0.9}).run["layer_caps"]["a1"] == 0.9
    assert "layer_caps" not in ComparisonSettings.of(model, **common, all_filters=True).run
    with pytest.raises(ValueError, match=r"none has FIRE.*all_filters=True"):
        left_alone(networks.two_convs(activation="gelu"))


def test_units_of_dense_layers_stay_unless_a_cap_names_them_or_there_are_no_others():
    model = networks.plain_cnn()
    assert caps_of_candidates(model, {})["fc"] == 0 and caps_of_candidates(model, {"fc": 0.5})["fc"] == 0.5
    image = keras.Input((4,))
    alone = keras.Model(image, L.Dense(2, name="logits")(L.Dense(6, activation="relu", name="hidden")(image)))
    assert caps_of_candidates(alone, {}) == {"logits": 0.0}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"methods": ("scratch",)}, "at least one method that prunes"),
        ({"tolerance": -0.1}, "tolerance must be"),
        ({"methods": ("random:paper",)}, "method 'random' has no protocol 'paper'"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"seeds": 0}, "seeds, how many runs each method has, must be a whole number, at least 1"),
        ({"seeds": 1.5}, "seeds must be a whole number or a list of whole numbers"),
        ({"seeds": ()}, "seeds is how many.*an empty one"),
        ({"seeds": (0, -1)}, "Each of seeds must be a whole number, at least 0. Received: -1"),
        ({"target": 0.5}, r"target must be a dict.*Received: 0\.5"),
        ({"methods": "fire,l1"}, "Unknown method 'fire,l1'"),
        ({"methods": ("l1", "absent")}, "Unknown method 'absent'"),
        ({"methods": [L1Pruning()]}, "each run needs a fresh method.*lambda seed: L1Pruning"),
        ({"target": {}}, "target must be one of"),
        ({"methods": {"mine": lambda seed: L1Pruning({"konv1": 0.5})}}, "Did you mean 'conv1'"),
        ({"pruning_ratio": 0.1}, "pruning_ratio cannot be set here: the target sizes the cuts"),
        ({"monitor": "f1"}, "no metric 'f1' to watch"),
        ({"target": {"latency": 0.5}}, "target must be one of"),
        ({"target": {"macs": (0.5, 1.5)}}, "target must be one of"),
        ({"target": {"macs": 0.001}}, "cannot be reached"),
        ({"learning_rate": -1}, "learning_rate must be a number, above 0"),
        ({"folder": "nowhere/at/all"}, "there is no folder nowhere/at"),
        ({"colour": 1}, "Unknown setting 'colour'"),
    ],
)
def test_what_cannot_be_is_refused_before_any_training(trained, settings, words):
    with pytest.raises(ValueError, match=words):
        compare(trained, TRAIN, VALIDATION, TEST, **settings)


def test_data_are_looked_at_before_any_training(trained):
    with pytest.raises(ValueError, match=r"Expected data as test_data: arrays.*Received: None"):
        compare(trained, TRAIN, VALIDATION, None)
    with pytest.raises(ValueError, match="do not fit the model"):
        compare(trained, TRAIN, VALIDATION, (TEST[0][:, :5], TEST[1]))


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="'sides' is not compiled"):
        compare(build(), TRAIN, VALIDATION, TEST)


@pytest.mark.parametrize(
    ("method", "words"),
    [("bn_scale", "passes no BatchNormalization"), ("contribution", "passes no BatchNormalization"), ("taylor", "y")],
)
def test_what_a_method_cannot_do_is_reported_before_the_others_begin(method, words, quick):
    image = keras.Input((6, 6, 1))
    x = L.Flatten()(L.Conv2D(8, 3, activation="relu")(L.Conv2D(8, 3, activation="relu")(image)))
    model = compiled(keras.Model(image, L.Dense(2)(x)))
    train = TRAIN[0] if method == "taylor" else TRAIN
    with pytest.raises(ValueError, match=words):
        compare(model, train, VALIDATION, TEST, methods=("fire", method))
    assert quick == []


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="expected a new or empty folder"):
        ComparisonFolder(tmp_path, {})


def test_of_a_schedule_in_the_model_the_first_rate_counts():
    model = compiled(build(), keras.optimizers.schedules.CosineDecay(0.1, 3))
    model.fit(*TRAIN, epochs=1, batch_size=32, verbose=0)
    found = compare(model, TRAIN, VALIDATION, TEST, methods=("l1", "scratch", "unpruned"), seeds=1, epochs=1)
    assert (
        "learning rates from 0.1 along" in found.terms[0] and "schedule inside the model's optimizer" in found.terms[1]
    )
    assert [one.epochs for one in found.outcomes] == [1, 1, 1]


def test_what_holds_for_many_runs_is_said_once():
    found = comparison(*(outcome(seed=k, notes=["It is so."]) for k in range(4)), outcome("l1", notes=["It is not."]))
    assert found.notes == ["4 runs: It is so.", "l1, seed 0: It is not."]


def test_what_stopped_short_is_marked_and_comes_last():
    found = comparison(
        outcome("short", 0, 0.94, macs=900, reached=False), outcome("short", 1, 0.93), outcome("fire", 0, 0.9)
    )
    assert [row[0] for row in rows(found)] == ["baseline", "fire", "short (1 of 2 runs short of 50%)"]


def test_a_metric_that_is_no_number_survives_the_file(tmp_path):
    folder = ComparisonFolder(tmp_path / "c", {"model": "m"})
    folder.add(outcome(test=NAN, notes=["It diverged."]), build())
    again = ComparisonFolder(tmp_path / "c", {"model": "m"}).outcomes()[0]
    assert math.isnan(again.test) and dataclasses.replace(again, test=0.9) == outcome(notes=["It diverged."])


def test_a_folder_has_one_owner_and_damaged_lines_are_reported(tmp_path):
    folder = ComparisonFolder(tmp_path / "c", {"model": "m"})
    assert "(this one)" in owner_of(tmp_path / "c")
    for text, words in (("{", "line 1, is not a result of a comparison: it is cut off"), ('{"x": 1}', "line 1, .*'x'")):
        (tmp_path / "c" / "results.jsonl").write_text(text + "\n")
        with pytest.raises(ValueError, match=words):
            folder.outcomes()
    folder.leave()
    assert owner_of(tmp_path / "c") is None


# What is shown


def mixed():
    """FIRE loses here."""
    return comparison(
        outcome("fire", 0, 0.90, choosing=6.0), outcome("random", 0, 0.93), outcome("scratch", 0, NAN, rounds=0),
        outcome("fire", 1, 0.92), outcome("random", 1, 0.93), outcome("scratch", 1, 0.91, notes=["a < b"]),
        outcome("fire", 0, 0.80, share=0.25, macs=240),
    )  # fmt: skip


def test_the_best_mean_comes_first_whoever_it_is():
    found = mixed().summaries()
    assert [(one.share, one.method) for one in found] == [
        (0.5, "random"), (0.5, "fire"), (0.5, "scratch"), (0.25, "fire")
    ]  # fmt: skip
    assert found[1].mean == pytest.approx(0.91) and found[1].deviation == pytest.approx(0.01 * math.sqrt(2))
    assert math.isnan(found[2].mean) and math.isnan(found[3].deviation) and found[3].left == 0.25


def test_where_small_values_are_good_the_smallest_comes_first():
    found = dataclasses.replace(mixed(), monitor="loss").summaries()
    assert [one.method for one in found[:3]] == ["fire", "random", "scratch"]


def test_the_table_says_how_far_it_is_to_the_baseline():
    assert rows(mixed())[0][4] == "0.9500"
    assert rows(mixed())[2] == ["fire", "50.0%", "45.0%", "2", "0.9100 ± 0.0141", "-0.0400", "20", "3 s", "60 s"]
    assert rows(mixed())[4][4:6] == ["0.8000", "-0.1500"]


def test_the_table_on_a_terminal_and_as_markdown_are_the_same(capsys):
    Console(width=150).print(comparison_table(mixed()))
    shown, written = capsys.readouterr().out, markdown(mixed())
    for row in rows(mixed()):
        assert all(cell in shown for cell in row) and f"| {' | '.join(row)} |" in written
    assert "- All runs are equal.\n- scratch, seed 1: a < b" in written


def test_the_chart_shows_every_run_and_every_mean():
    chart = comparison_chart(mixed())
    assert len(list(chart.iter("circle"))) == 6  # one run gave no number
    assert "fire 0.8000, 0.9100" in chart.get("aria-label") and "baseline 0.9500" in chart.get("aria-label")
    assert [line.get("class") for line in chart.iter("line")].count("level") == 1


def test_marks_are_at_what_is_left():
    found = comparison(outcome(macs=432), outcome(seed=1, macs=480), outcome("l1", macs=720, reached=False))
    fire, l1, baseline = report._charted(found)[0]
    assert fire.points == [(pytest.approx(47.5), pytest.approx(0.9))] and l1.points[0][0] == pytest.approx(75)
    assert [at for at, _ in fire.dots] == pytest.approx([45, 50]) and baseline.points == [(100, 0.95)]


def test_the_page_holds_table_chart_and_terms():
    text = to_html(page(mixed()))
    assert "0.9100 ± 0.0141" in text and "<svg" in text and "All runs are equal." in text and "a &lt; b" in text


def test_the_report_is_written(tmp_path):
    paths = write_report(mixed(), tmp_path)
    assert [path.suffix for path in paths] == [".md", ".svg", ".html", ".png"]
    assert ElementTree.parse(paths[1]).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    with Image.open(paths[3]) as picture:
        assert picture.format == "PNG" and np.asarray(picture.convert("L")).std() > 5


def test_without_matplotlib_there_is_no_png(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "can_draw", lambda: False)
    assert [path.suffix for path in write_report(mixed(), tmp_path)] == [".md", ".svg", ".html"]
    assert not list(tmp_path.glob("*.png"))


def test_a_chart_of_many_series_has_a_colour_for_each(tmp_path):
    series = [Series(f"s{k}", [(0, k), (1, 2 * k)]) for k in range(30)]
    write_svg(series_chart(series, "y", "x"), tmp_path / "many.svg")
    lines = [line.get("stroke") for line in series_chart(series, "y", "x").iter("polyline")]
    assert len(set(lines)) == 30 and (tmp_path / "many.svg").read_text().endswith("</svg>\n")


def test_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = keras.Input((8, 8, 1))
    x = L.GlobalAveragePooling2D()(L.Conv2D(6, 3, activation="relu", name="conv")(image))
    compiled(keras.Model(image, L.Dense(10)(x))).save("model.keras")
    network = ["compare", "model.keras", "--data", "digits", "--limit", "100"]
    options = [*network, "--methods", "l1,scratch,unpruned", "--macs", "0.6", "--seeds", "1", "--epochs", "1"]
    result = CliRunner().invoke(app, options, env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    assert "Mean and standard deviation" in result.stdout and "scratch: the final network of l1" in result.stdout
    assert {"comparison.html", "comparison.md", "comparison.svg", "results.jsonl"} <= {
        path.name for path in (tmp_path / "comparison").iterdir()
    }
    both = CliRunner().invoke(app, [*options, "--params", "0.5"])
    assert both.exit_code == 2 and "one of --conv-macs, --macs, --params. Received: 2 of them" in both.stderr
