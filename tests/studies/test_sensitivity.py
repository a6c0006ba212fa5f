"""Sensitivity: what is measured is the network without those filters, exactly."""

import json

import keras
import networks
import numpy as np
import pytest
from keras import layers as L
from networks import scramble
from plans import counts, planned
from rich.console import Console
from typer.testing import CliRunner

import firekeras
from firekeras.cli import app
from firekeras.cli.classifier import compile_for_tuning
from firekeras.methods import L1Pruning
from firekeras.network import Network
from firekeras.recovery.batch_statistics import reestimate_batch_norm
from firekeras.scores.profile import FilterScores
from firekeras.studies import sensitivity as module
from firekeras.studies.sensitivity import Sensitivity, sensitivity
from firekeras.studies.sensitivity_report import sensitivity_chart, sensitivity_table

SHARES = (0.25, 0.5)


def data(shape=(8, 8, 3), classes=4, count=64):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, *shape)).astype("float32"), rng.integers(0, classes, count)


def compiled(model):
    compile_for_tuning(model, 0.01)
    return model


def cut_for_real(model, layer, share, scores):
    """The loss of the network after surgery, by another way than the one that is tested."""
    order = np.argsort(-scores[layer], kind="stable")
    width = order.size
    going = {layer: np.sort(order[: width - int(width * (1 - share))])}
    alone = FilterScores({layer: np.isin(np.arange(width), going[layer])}, criterion="mine")
    plan = firekeras.plan_pruning(model, alone, pruning_ratio=len(going[layer]) / width, min_keep=0)
    assert set(plan.removed) == {layer} and plan.removed[layer].tolist() == going[layer].tolist()
    return settled(firekeras.prune(model, plan)).evaluate(*data(), verbose=0, return_dict=True)["loss"]


def settled(network, on=None):
    reestimate_batch_norm(network, data()[0] if on is None else on, batch_size=64)
    return network


@pytest.mark.usefixtures("uncompiled")
def test_several_workers_share_the_layers(monkeypatch):
    model, reported, parts = compiled(networks.two_convs()), [], []
    alone = sensitivity(model, data(classes=3), shares=(0.5,), monitor="loss")
    monkeypatch.setattr(module, "workers", lambda n_jobs: 2)
    monkeypatch.setattr(module, "each_done", lambda work, tasks, n_jobs: parts.extend(tasks) or map(work, tasks[::-1]))
    settings = {"shares": (0.5,), "monitor": "loss", "on_layer": lambda *one: reported.append(one)}
    shared = sensitivity(model, data(classes=3), **settings)
    assert [list(part) for part in parts] == [["conv1"], ["conv2"]]  # each process compiles once, for its layers
    assert list(shared.values) == list(alone.values) and shared.baseline == alone.baseline
    assert all(np.array_equal(shared.values[name], alone.values[name]) for name in alone.values)
    assert reported == [("conv2", 1, 2), ("conv1", 2, 2)]
    sides = [model.get_layer(name).output.shape[1] for name in ("conv1", "conv2")]
    assert shared.positions == {"conv1": sides[0] ** 2, "conv2": sides[1] ** 2} == shared.to_dict()["positions"]


def test_what_is_measured_is_the_pruned_network():
    model = compiled(scramble(networks.plain_cnn()))
    scores = firekeras.score_filters(model, "l1")
    found = sensitivity(model, data(), shares=SHARES, monitor="loss")
    assert set(found.values) == {"conv1", "conv2", "fc"}
    whole = settled(Network.of(model).copy(compiled=True))
    assert found.baseline == pytest.approx(whole.evaluate(*data(), verbose=0, return_dict=True)["loss"], rel=1e-5)
    for layer in ("conv1", "fc"):
        for share, value in zip(SHARES, found.values[layer], strict=True):
            assert value == pytest.approx(cut_for_real(model, layer, share, scores), rel=1e-4)


def test_networks_are_settled_on_the_training_data():
    model = compiled(scramble(networks.plain_cnn()))
    train = np.random.default_rng(7).normal(1, 2, (64, 8, 8, 3)).astype("float32")
    found = sensitivity(model, data(), shares=(0.5,), monitor="loss", train_data=(train, np.zeros(64)))
    whole = settled(Network.of(model).copy(compiled=True), train)
    assert found.baseline == pytest.approx(whole.evaluate(*data(), verbose=0, return_dict=True)["loss"], rel=1e-5)
    assert found.baseline != sensitivity(model, data(), shares=(0.5,), monitor="loss").baseline


def test_the_metric_is_found():
    model = networks.two_convs(4, 4)
    assert sensitivity(compiled(model), data(classes=3), shares=(0.5,)).monitor == "accuracy"
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert sensitivity(model, data(classes=3), shares=(0.5,)).monitor == "loss"


def test_the_model_is_left_alone():
    model = compiled(networks.two_convs())
    before = [w.copy() for w in model.get_weights()]
    sensitivity(model, data(classes=3), shares=(0.5,))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_where_masking_is_not_exact_the_network_is_cut():
    image = keras.Input((8, 8, 3))
    x = L.LayerNormalization()(L.Conv2D(8, 3, name="conv")(image))
    model = compiled(scramble(keras.Model(image, L.Dense(4)(L.GlobalAveragePooling2D()(L.ReLU()(x))))))
    scores = firekeras.score_filters(model, "l1")
    found = sensitivity(model, data(), shares=(0.5,), monitor="loss")
    assert found.values["conv"][0] == pytest.approx(cut_for_real(model, "conv", 0.5, scores), rel=1e-5)
    units = np.arange(Network.of(model).graph.num_units) < 4
    masked = module.MaskedNetwork(model)
    masked.remove(units)
    assert not module._same_outputs(masked.model, Network.of(model).without(units), data()[0][:8])


def test_coupled_layers_are_measured_together():
    found = sensitivity(compiled(networks.residual()), data(), shares=(0.5,))
    assert found.partners == {"stem": ["stem", "a2"], "a1": ["a1"], "b1": ["b1"], "b2": ["b2", "b_shortcut"]}


def test_even_the_largest_share_leaves_a_filter_of_every_layer():
    model = compiled(keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(2, 3, name="thin"), L.ReLU(), L.Flatten(),
                                       L.Dense(4)]))  # fmt: skip
    found = sensitivity(model, data(), shares=(0.5, 0.99), monitor="loss")
    assert found.values["thin"][0] == found.values["thin"][1] != found.baseline


def test_any_scores_can_rank():
    model = compiled(scramble(networks.two_convs(4, 4)))
    scores = FilterScores({"conv1": [0, 0, 9, 0]}, criterion="mine")
    found = sensitivity(model, data(classes=3), criterion=scores, shares=(0.25,), monitor="loss")
    alone = cut_for_real_of(model, "conv1", [2])
    assert list(found.values) == ["conv1"] and found.values["conv1"][0] == pytest.approx(alone, rel=1e-4)


def cut_for_real_of(model, layer, filters):
    alone = FilterScores({layer: np.isin(np.arange(4), filters)}, criterion="mine")
    plan = firekeras.plan_pruning(model, alone, pruning_ratio=len(filters) / 4)
    return firekeras.prune(model, plan).evaluate(*data(classes=3), verbose=0, return_dict=True)["loss"]


def test_progress_is_reported():
    reported = []
    sensitivity(
        compiled(networks.two_convs()), data(classes=3), shares=(0.5,), on_layer=lambda *one: reported.append(one)
    )
    assert reported == [("conv1", 1, 2), ("conv2", 2, 2)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shares": (0.5, 1.0)}, r"above 0 and below 1. Received: 1\.0"),
        ({"shares": ()}, "Received"),
        ({"monitor": "f1"}, "no metric 'f1'"),
        ({"criterion": FilterScores({"conv1": [np.nan] * 8}, criterion="mine")}, "No filter that may go has a mine"),
    ],
)
def test_what_cannot_be_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        sensitivity(compiled(networks.two_convs()), data(classes=3), **settings)


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="not compiled"):
        sensitivity(networks.two_convs(), data(classes=3))


# What is made of it


def found():
    values = {"conv1": np.array([0.9, 0.88, 0.5]), "conv2": np.array([0.8, 0.95, 0.2]), "conv3": np.full(3, 0.89)}
    partners = {"conv1": ["conv1", "conv4"], "conv2": ["conv2"], "conv3": ["conv3"]}
    return Sensitivity("accuracy", 0.9, (0.1, 0.5, 0.9), values, partners)


def test_rates_end_before_the_first_share_that_costs_too_much():
    assert found().rates(0.02) == {"conv1": 0.5, "conv4": 0.5, "conv2": 0.0, "conv3": 0.9}
    assert found().rates(0.0) == {"conv1": 0.1, "conv4": 0.1, "conv2": 0.0, "conv3": 0.0}
    with pytest.raises(ValueError, match="tolerance"):
        found().rates(-0.1)


def test_a_stage_has_one_rate_and_skips_the_layers_that_do_not_bear_it():
    """Li et al. 2017, 3.2: layers of equal feature maps lose equal shares."""
    bear = {"a": [0.9, 0.9], "b": [0.9, 0.5], "c": [0.5, 0.5], "d": [0.9, 0.5]}
    positions = {"a": 64, "b": 64, "c": 64, "d": 16}
    values = {name: np.array(metrics) for name, metrics in bear.items()}
    analysis = Sensitivity("accuracy", 0.9, (0.25, 0.5), values, {name: [name] for name in bear}, positions)
    assert analysis.rates(0.01) == {"a": 0.5, "b": 0.25, "c": 0.0, "d": 0.25}
    assert analysis.rates(0.01, by_stage=True) == {"a": 0.25, "b": 0.25, "c": 0.0, "d": 0.25}


def test_of_a_loss_the_tolerance_is_a_share():
    losses = Sensitivity("loss", 2.0, (0.1, 0.5), {"conv1": np.array([2.1, 2.3])}, {"conv1": ["conv1"]})
    assert [losses.rates(tolerance)["conv1"] for tolerance in (0.04, 0.06, 0.16)] == [0, 0.1, 0.5]


def test_rates_are_those_of_l1():
    model = networks.two_convs(8, 8)
    values = {"conv1": np.array([0.9, 0.5]), "conv2": np.array([0.9, 0.9])}
    rates = Sensitivity("accuracy", 0.9, (0.25, 0.5), values, {name: [name] for name in values}).rates(0.01)
    assert counts(planned(L1Pruning(rates), model)) == {"conv1": 2, "conv2": 4}


def test_rates_are_caps_of_any_run():
    model = networks.two_convs(8, 8)
    values = {"conv1": np.array([0.9, 0.5]), "conv2": np.array([0.9, 0.9])}
    caps = Sensitivity("accuracy", 0.9, (0.25, 0.5), values, {name: [name] for name in values}).rates(0.01)
    scores = firekeras.score_filters(model, "random", seed=0)
    assert counts(firekeras.plan_pruning(model, scores, pruning_ratio=0.9, layer_caps=caps)) == {"conv1": 2, "conv2": 4}


def test_random_draws_repeat():
    model = compiled(scramble(networks.two_convs(8, 8)))
    settings = {"criterion": "random", "shares": (0.5,), "monitor": "loss"}
    one, other = (sensitivity(model, data(classes=3), **settings).values for _ in range(2))
    assert one == other


def test_the_table_shows_every_layer_and_share(capsys):
    Console(width=120).print(sensitivity_table(found(), 0.02))
    text = capsys.readouterr().out
    assert all(words in text for words in ("conv1 and 1 more", "0.950", "within 0.02", "from 0.9000"))


def test_no_number_is_cut_off_on_a_narrow_terminal(capsys):
    shares = tuple(k / 10 for k in range(1, 10))
    Console(width=80).print(sensitivity_table(Sensitivity("accuracy", 0.9, shares, {"conv1": np.full(9, 0.875)},
                                                          {"conv1": ["conv1"]}), 0.02))  # fmt: skip
    shown = capsys.readouterr().out
    assert shown.count("0.875") == 7 and "…" not in shown and "conv1" in shown
    assert "Not shown, for lack of room: 20%, 40%" in shown


def test_the_chart_has_a_line_per_layer():
    chart = sensitivity_chart(found())
    assert len(list(chart.iter("polyline"))) == 3
    assert "conv2 0.9000, 0.8000, 0.9500, 0.2000" in chart.get("aria-label")


def test_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = keras.Input((8, 8, 1))
    x = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="relu", name="conv")(image))
    compiled(keras.Model(image, L.Dense(10)(x))).save("model.keras")
    options = ["--data", "digits", "--images", "64", "--chart", "s.svg", "--output", "s.json"]
    result = CliRunner().invoke(app, ["sensitivity", "model.keras", *options], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    assert "conv" in result.stdout and "90%" in result.stdout
    assert len(json.loads((tmp_path / "s.json").read_text())["values"]["conv"]) == 9
    assert (tmp_path / "s.svg").read_text().startswith("<svg")
