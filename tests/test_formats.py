"""Files that earlier releases wrote stay readable: one of each version is kept here."""

from pathlib import Path

import keras
import numpy as np
import pytest

import firekeras
from firekeras.rounds.run_directory import RunDirectory

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["plan-1.json", "plan-2.json", "plan-2-of-one-release.json", "plan-3.json"])
def test_plans(name):
    plan = firekeras.PruningPlan.load(FILES / name)
    assert {layer: filters.tolist() for layer, filters in plan.removed.items()} == {"conv": [1]}
    assert (plan.costs_before.macs, plan.costs_after.macs, plan.ranked) == (152, 114, 4)
    assert plan.balance == (0.0 if name == "plan-1.json" else 1.0)
    assert plan.explain("conv", 1).startswith("Filter 1 of conv goes: its fire score of 0.625 ranks 1 of 4")


@pytest.mark.parametrize("name", ["profile-1.fire.h5", "profile-2.fire.h5", "profile-3.fire.h5"])
def test_profiles(name):
    profile = firekeras.FireProfile.load(FILES / name)
    assert profile["conv"].tolist() == [0.390625, 0.625, 0.5, 0.4375] and profile.samples == 16
    assert np.isnan(profile["out"]).all() and "output of the model" in profile.reasons["out"]
    assert profile.graph.widths == {"conv": 4, "out": 2}
    assert (profile.graph.layers["conv"].kernel is None) == (name == "profile-1.fire.h5")


@pytest.mark.parametrize("name", ["detector-2.h5", "detector-2-of-one-release.h5", "detector-3.h5"])
def test_detectors(name):
    detector = firekeras.FireDetector.load(FILES / name)
    profile = firekeras.FireProfile.load(FILES / "profile-1.fire.h5")
    assert detector.evaluate(None, profile)["mae"] == pytest.approx(0, abs=1e-6)  # a line through four filters is exact


def test_latency_tables():
    table = firekeras.LatencyTable.load(FILES / "latency-1.json")
    assert (table.device, table.runtime, table.threads, table.step) == ("a desktop computer", "LiteRT", 1, 16)
    assert table.layers["second"].widths[:2] == [[16, 32], [9, 17]] and table.seconds[0] == 1.887299004010856e-05
    x = keras.Input((16, 16, 3))
    y = keras.layers.Conv2D(16, 3, name="conv")(x)
    y = keras.layers.Conv2D(32, 3, name="second")(y)
    model = keras.Model(x, keras.layers.Dense(2, name="out")(keras.layers.GlobalAveragePooling2D()(y)))
    assert table.layers["second"].macs == [1296]
    assert table.predict(model) == pytest.approx(table.seconds[0], rel=0.1)


def test_runs():
    run = RunDirectory.open(FILES / "run-2")
    assert [event["macs"] for event in run.rounds()] == [114, 76] and run.ended()
    assert run.settings["monitor"] == "accuracy" and run.settings["baseline"] == 0.5625
