"""`firekeras latency`, and what prune makes of its table."""

import json

import keras
import pytest
from command_line import names, refused, run
from fake_times import timed_by_macs

import firekeras
from firekeras.export import layer_times


def test_a_table_is_measured_and_plans_follow_it(folder, monkeypatch):
    monkeypatch.setattr(layer_times, "measure_latencies", timed_by_macs)
    result = run("latency", "model.keras", "--runtime", "keras", "--device", "mine")
    assert result.exit_code == 0 and "conv2" in result.stdout and "in Keras (fake)" in result.stdout, result.output
    table = firekeras.LatencyTable.load("model.latency.json")
    assert (table.device, table.step, list(table.layers)) == ("mine", 1, ["conv1", "conv2", "logits"])

    options = ["--latency", "0.5", "--latency-table", "model.latency.json", "--save-plan", "plan.json"]
    result = run("prune", "model.keras", *options)
    assert result.exit_code == 0 and "latency by the table, ms" in result.stdout, result.output
    assert table.predict(keras.models.load_model("pruned.keras")) <= 0.5 * table.seconds[0]
    plan = firekeras.PruningPlan.load("plan.json")
    assert plan.costs_after.latency <= 0.5 * plan.costs_before.latency
    said = refused("prune", "model.keras", "--latency", "1us", "--latency-table", "model.latency.json")
    assert "target --latency 1us cannot be reached" in said and "takes most of it" in said and " ms " in said


def test_progress_goes_to_programs(folder, monkeypatch):
    monkeypatch.setattr(layer_times, "measure_latencies", timed_by_macs)
    result = run("latency", "model.keras", "--runtime", "keras", "--events")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0 and [event["event"] for event in events] == ["progress"] * 2
    assert events[0]["done"] == events[0]["total"] // 2 and events[1]["done"] == events[1]["total"] > 2
    assert "model.latency.json" in names(folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["latency", "model.keras", "--output", "t.txt"], "ends in .json"),
        (["latency", "model.keras", "--runtime", "saved-model"], "must be one of 'keras', 'litert', 'onnx'"),
        (["prune", "model.keras", "--latency", "0.5"], "--latency needs --latency-table TABLE.json"),
        (["prune", "model.keras", "--latency", "0.5", "--latency-table", "no.json"], "There is no file no.json"),
    ],
)
def test_refusals(folder, arguments, words):
    assert words in refused(*arguments) and names(folder) == {"model.keras"}
