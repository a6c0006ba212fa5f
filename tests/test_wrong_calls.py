"""Wrong calls of public functions: whatever an argument is, it is taken or refused in one sentence before any work.

In CI each argument gets a few wrong values, always the same. For all of them:

    FIREKERAS_FUZZ=1 pytest -n auto tests/test_wrong_calls.py
"""

import inspect
import math
import os
import random
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import firekeras
from firekeras.rounds.evaluation import Evaluation

pytestmark = [pytest.mark.any_backend, pytest.mark.filterwarnings("ignore:validation_data are samples of train_data")]
FEW = None if os.environ.get("FIREKERAS_FUZZ") else 3
LONGEST, SECONDS = 600, 3
X, Y = np.random.default_rng(0).normal(size=(12, 6, 6, 2)).astype("float32"), np.arange(12) % 3


class Began(Exception):
    """Training or judging began: the call seemed right."""


class Anything:
    """Can be called with whatever a function is called with."""

    def __init__(self, *_args, **_settings):
        pass


class OwnMethod(Anything, firekeras.methods.Method):
    pass


def network():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, padding="same", name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(4, 3, activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", name="out"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


MODEL = network()
GRAPH = firekeras.channel_graph(MODEL)
SCORES = firekeras.score_filters(MODEL, "l1")
PLAN = firekeras.plan_pruning(GRAPH, SCORES, pruning_ratio=0.3)
SMALLER = firekeras.prune(MODEL, PLAN)
PROFILE = firekeras.measure_fire(MODEL, X)

VALUES = {
    "None": None,
    "a text": "fire!",
    "an empty text": "",
    "True": True,
    "minus one": -1,
    "zero": 0,
    "a half": 0.5,
    "NaN": math.nan,
    "infinity": math.inf,
    "a huge number": 10**30,
    "a complex number": 1j,
    "bytes": b"12",
    "an empty list": [],
    "a list": [1, 2],
    "a list of texts": ["a"],
    "a list of nothing": [()],
    "a set": {1, 2},
    "an empty dict": {},
    "a dict": {"a": 1},
    "a dict of texts": {"conv_macs": "many"},
    "a target": {"conv_macs": 0.5},
    "an array": np.ones(3),
    "an array of NaN": np.full((12, 6, 6, 2), math.nan, "float32"),
    "images": X,
    "images of other channels": (X[..., :1], Y),
    "images and labels": (X, Y),
    "images and labels in lists": [[X, Y]],
    "no images": (X[:0], Y[:0]),
    "too few labels": (X, Y[:5]),
    "too many parts": (X, Y, Y, Y, Y),
    "a generator": (x for x in ()),
    "a model": MODEL,
    "a model that is not compiled": keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]),
    "a model that is not built": keras.Sequential([keras.layers.Dense(2)]),
    "a layer": keras.layers.Dense(2),
    "a graph": GRAPH,
    "scores": SCORES,
    "a plan": PLAN,
    "a class": Anything,
    "a method of its own": OwnMethod,
    "a path to nowhere": Path("nowhere/at/all"),
    "a folder": Path("."),
    "an object": object(),
}
DATA = {"train_data": (X, Y), "validation_data": (-X, Y)}
CALLS = {
    "channel_graph": (firekeras.channel_graph, {"model": MODEL}),
    "count_costs": (firekeras.count_costs, {"model_or_graph": MODEL}),
    "score_filters": (firekeras.score_filters, {"model": MODEL, "criterion": "l1"}),
    "plan_pruning": (firekeras.plan_pruning, {"model_or_graph": GRAPH, "scores": SCORES}),
    "prune": (firekeras.prune, {"model": MODEL, "plan": PLAN}),
    "measure_fire": (firekeras.measure_fire, {"model": MODEL, "data": X}),
    "reestimate_batch_norm": (firekeras.reestimate_batch_norm, {"model": MODEL, "data": X}),
    "fold_means": (firekeras.fold_means, {"model": MODEL, "smaller": SMALLER, "plan": PLAN, "data": X}),
    "sensitivity": (firekeras.sensitivity, {"model": MODEL, "data": (X, Y)}),
    "compress": (firekeras.compress, {"model": MODEL, **DATA, "epochs": 2}),
    "compression_rounds": (firekeras.compression_rounds, {"model": MODEL, **DATA}),
    "compare": (firekeras.compare, {"model": MODEL, **DATA, "test_data": (X, Y), "epochs": 1}),
    "export_model": (firekeras.export_model, {"model": MODEL, "path": "network.txt"}),
    "convert_model": (firekeras.convert_model, {"old": "old.h5", "new": "new.keras"}),
    "measure_latency": (firekeras.measure_latency, {"model_or_path": MODEL, "runs": 1}),
    "latency_table": (firekeras.latency_table, {"model": MODEL, "runtime": "keras", "runs": 1}),
    "FirePruningCallback": (firekeras.FirePruningCallback, {}),
    "FilterScores": (firekeras.FilterScores, {"values": {"first": [0.1] * 4}, "criterion": "mine"}),
    "FireDetector": (firekeras.FireDetector, {}),
    "FireDetector.fit": (firekeras.FireDetector("gaussian").fit, {"model": MODEL, "profile": PROFILE}),
    "FireDetector.load": (firekeras.FireDetector.load, {}),
    "FireProfile.load": (firekeras.FireProfile.load, {}),
    "FireProfile.save": (PROFILE.save, {}),
    "LatencyTable.load": (firekeras.LatencyTable.load, {}),
    "PruningPlan.load": (firekeras.PruningPlan.load, {}),
    "PruningPlan.save": (PLAN.save, {}),
    "PruningPlan.explain": (PLAN.explain, {"layer": "first", "filter": 0}),
}


def arguments():
    for name, (function, _) in CALLS.items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                yield name, parameter.name


@pytest.fixture(autouse=True)
def in_an_empty_folder_without_training(tmp_path, monkeypatch):
    def begin(*_args, **_settings):
        raise Began

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras.Model, "fit", begin)
    monkeypatch.setattr(Evaluation, "measured", begin)


@pytest.mark.parametrize(("name", "argument"), list(arguments()))
def test_any_value_is_taken_or_refused_in_a_sentence(name, argument):
    function, right = CALLS[name]
    chosen = random.Random(f"{name} {argument}").sample([*VALUES], FEW or len(VALUES))
    for value in chosen:
        said, seconds = refusal(function, {**right, argument: VALUES[value]})
        assert "\n" not in said and len(said) < LONGEST, (value, said)
        assert seconds < SECONDS or not said, (value, seconds)


def refusal(function, call):
    """What a call is refused with, empty if it is taken, and how long that took."""
    began, said = time.process_time(), ""
    try:
        function(**call)
    except Began:
        pass
    except (ValueError, OSError) as error:
        said = str(error)
        assert said
    return said, time.process_time() - began


def test_the_calls_are_right_but_for_one_argument():
    named = ("FireDetector.load", "FireProfile.load", "PruningPlan.load", "LatencyTable.load", "convert_model")
    refused = {
        name: refusal(*CALLS[name])[0] for name in CALLS.keys() - {*named, "PruningPlan.save", "FireProfile.save"}
    }
    assert {name for name, said in refused.items() if said} == {"export_model"}  # whose path would export
