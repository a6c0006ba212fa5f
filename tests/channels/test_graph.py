"""What cannot be done is refused: what was received, what was expected, what hides the rest."""

import json

import keras
import networks
import numpy as np
import pytest
from keras import layers as L

import firekeras
import firekeras.channels.graph
from firekeras.network import Network
from firekeras.scores.detector.fire_detector import FireDetector


def recurrent():
    keras.utils.clear_session(free_memory=False)
    inputs = keras.Input((6, 4))
    first = L.RNN([L.LSTMCell(5), L.GRUCell(4)], return_sequences=True, name="first")(inputs)
    return keras.Model(inputs, L.RNN([L.LSTMCell(3)], name="second")(first))


HIDING = r"what is inside first \(RNN\), second \(RNN\) cannot be seen or pruned"


def test_a_network_without_a_filter_says_which_layers_hide_them():
    model = recurrent()
    model.compile("adam", "mse")
    data = np.ones((8, 6, 4)), np.ones((8, 3))
    for call in (
        lambda: firekeras.score_filters(model, "l1"),
        lambda: firekeras.measure_fire(model, data[0]),
        lambda: firekeras.compress(model, data, data),
    ):
        with pytest.raises(ValueError, match=HIDING):
            call()


def test_a_plan_in_which_no_filter_may_go_says_so():
    model = recurrent()
    plan = firekeras.plan_pruning(model, firekeras.FilterScores({}, criterion="l1"), pruning_ratio=0.5)
    assert not plan.removed
    graph = firekeras.channel_graph(model)
    assert graph.why_none().startswith("what is inside first (RNN), second (RNN)")


def test_a_network_without_weights_has_no_filters():
    inputs = keras.Input((4,))
    with pytest.raises(ValueError, match=r"no filters that could be scored: it has no layer with filters"):
        firekeras.score_filters(keras.Model(inputs, L.ReLU()(inputs)), "l1")


@pytest.mark.parametrize("filter", [-1, 8, 1.5, "0", None])
def test_filters_that_are_not_there(filter):
    graph = firekeras.channel_graph(networks.sequential_cnn())
    name = graph.filter_layers[0]
    for ask in (graph.lock, graph.coupled):
        words = rf"has filters 0 to {graph.widths[name] - 1}. Received: filter=|filter must be a whole number"
        with pytest.raises(ValueError, match=words):
            ask(name, 8 if filter == 8 and graph.widths[name] <= 8 else 10**6 if filter == 8 else filter)


@pytest.mark.parametrize("load", [firekeras.PruningPlan.load, firekeras.FireProfile.load, FireDetector.load])
def test_files_that_are_not_there(load, tmp_path):
    for path, words in (("none.h5", "There is no file"), ("", "is a folder"), (None, "path must be text or a path.")):
        with pytest.raises(ValueError, match=words):
            load(path if path is None else tmp_path / path)


def test_paths_that_are_none(tmp_path):
    from firekeras.datasets import load_dataset
    from firekeras.keras_models.model_file import load_model
    from firekeras.rounds.run_directory import RunDirectory

    for load in (load_dataset, load_model, RunDirectory.open):
        with pytest.raises(ValueError, match=r"(Expected the path of a file|must be text or a path). Received: None"):
            load(None)


def test_latency_of_a_file_of_keras_2(tmp_path):
    (tmp_path / "old.h5").touch()
    with pytest.raises(ValueError, match=r"legacy HDF5 file. Convert it once: firekeras convert"):
        firekeras.measure_latency(tmp_path / "old.h5")


def scored():
    model = networks.sequential_cnn()
    return model, firekeras.score_filters(model, "l1")


@pytest.mark.parametrize(
    "target", [0.5, "macs", {"macs": "0.5"}, {"macs": None}, {"macs": True}, {}, ["macs"], {"x": 0.5}]
)
def test_targets_of_another_type(target):
    model, scores = scored()
    with pytest.raises(ValueError, match=r"target must be (one of|a dict) .* such as \{.*macs': 0.5\}. Received: "):
        firekeras.plan_pruning(model, scores, target=target)


@pytest.mark.parametrize(
    "settings",
    [
        {"pruning_ratio": "0.3"},
        {"pruning_ratio": None},
        {"min_keep": "a"},
        {"round_to": "8"},
        {"round_to": None},
        {"balance": "1"},
        {"max_cut": [1]},
        {"layer_caps": 0.5},
        {"layer_caps": {"Dense": "all"}},
    ],
)
def test_numbers_of_another_type(settings):
    model, scores = scored()
    with pytest.raises(ValueError, match=r"Received: "):
        firekeras.plan_pruning(model, scores, **settings)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda graph, plan: plan.explain("conv1", "0"), r"filter must be a whole number. Received: '0'"),
        (lambda graph, plan: graph.filters(["conv1"]), r"Expected a layer with filters.* Received: \['conv1'\]"),
        (lambda graph, plan: graph.units_of([1]), "removed must be a dict"),
        (lambda graph, plan: graph.by_layer("x"), "of_units must be an array"),
        (lambda graph, plan: graph.removed_filters(np.zeros(3, bool)), r"one value per unit, \d+. Received: an array"),
        (lambda graph, plan: firekeras.FireDetector().cross_validate("p.fire.h5"), "profile must be a FireProfile"),
        (lambda graph, plan: plan.save(""), "Expected the path of a file"),
        (lambda graph, plan: firekeras.datasets.synthetic_images((8, 8, 1), -1), "count must be a whole number"),
        (lambda graph, plan: firekeras.datasets.load_dataset("digits", seed=-1), "seed must be a whole number"),
        (lambda graph, plan: firekeras.recovery.get_recovery(np.ones((9, 9))), "Unknown recovery step"),
    ],
)
def test_other_arguments_of_another_type(ask, words):
    model, scores = scored()
    with pytest.raises(ValueError, match=words):
        ask(firekeras.channel_graph(model), firekeras.plan_pruning(model, scores))


def test_scores_and_plans_of_another_type():
    model, scores = scored()
    with pytest.raises(ValueError, match=r"scores must be a FilterScores. Received: a dict of arrays: 'conv"):
        firekeras.plan_pruning(model, dict(scores))
    with pytest.raises(ValueError, match=r"plan must be a PruningPlan. Received: \{.* \(dict\)"):
        firekeras.prune(model, {"conv": [1]})


class Batches(keras.utils.PyDataset):
    """Two batches with labels."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.full((3, 4), index, "float32"), np.zeros(3)


def test_a_data_set_as_samples_is_taken():
    from firekeras.export.verification import samples_of

    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, L.Dense(2)(inputs))
    assert samples_of(model, Batches())["x"].shape == (6, 4)
    with pytest.raises(ValueError, match=r"`samples` are arrays, or a data set. Received: 'digits'"):
        samples_of(model, "digits")


@pytest.mark.parametrize(
    "layer",
    [
        *(L.Conv2D(4, 3), L.Conv2D(4, 3, groups=2), L.Conv2DTranspose(4, 3), L.SeparableConv2D(4, 3), L.Dense(4)),
        *(L.DepthwiseConv2D(3, depth_multiplier=2), L.Conv2D(3, 3), L.Conv2DTranspose(3, 3)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_says_where_its_filters_lie_in_a_file(layer):
    model = keras.Sequential([keras.Input((4, 4, 2 + getattr(layer, "groups", 1))), layer])
    network = Network.of(networks.scramble(model))
    where = network.graph.layers[layer.name].kernel
    value = keras.ops.convert_to_numpy(layer.weights[where.weight])
    np.testing.assert_array_equal(where.by_filter(value), network.kernel(layer.name))
    again = firekeras.channels.graph.ChannelGraph.from_dict(json.loads(json.dumps(network.graph.to_dict())))
    assert again.layers == network.graph.layers


def test_a_layer_whose_filters_lie_in_several_places_says_so():
    inputs = keras.Input((6, 4))
    outputs = L.MultiHeadAttention(2, 3, name="attention")(
        inputs, L.LSTM(4, return_sequences=True, name="lstm")(inputs)
    )
    graph = firekeras.channel_graph(keras.Model(inputs, outputs))
    assert graph.layers["lstm"].kernel is None and graph.layers["attention/heads"].kernel is None


def test_a_graph_of_before_kernels_and_calls_were_kept_is_read():
    data = firekeras.channel_graph(networks.two_convs()).to_dict()
    for layer in data["layers"]:
        del layer["kernel"], layer["calls"]
    layers = firekeras.channels.graph.ChannelGraph.from_dict(data).layers
    assert {(layer.kernel, layer.calls) for layer in layers.values()} == {(None, 1)}
