"""Each kind of method, on scikit-learn's digits, from the command line: the same epochs and MACs for all."""

import json

import keras
import pytest
from typer.testing import CliRunner

import firekeras
from firekeras import datasets, zoo
from firekeras.cli import app, classifier

SHARE, EPOCHS = 0.5, 4
NAMES = ["fire", "l1", "play_and_prune", "scratch", "unpruned"]


@pytest.fixture(scope="module")
def digits():
    """The demo's network, trained for a little while on a part of the digits."""
    keras.utils.set_random_seed(0)
    dataset = datasets.load_dataset("digits", limit=400)
    model = zoo.digits_cnn()
    classifier.compile_for_tuning(model, 0.05)
    model.fit(dataset.x_train, dataset.y_train, epochs=4, batch_size=32, verbose=0)
    classifier.compile_for_tuning(model, 0.02)
    return model, dataset


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("all")
    digits[0].save(folder / "digits.keras")
    where = ["compare", str(folder / "digits.keras"), "--data", "digits", "--limit", "400"]
    how = ["--methods", ",".join(NAMES), "--macs", str(SHARE), "--seeds", "1", "--epochs", str(EPOCHS)]
    result = CliRunner().invoke(app, [*where, *how, "--output", str(folder / "c")], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    lines = (folder / "c" / "results.jsonl").read_text().splitlines()
    return folder / "c", [json.loads(line) for line in lines], result.stdout


def test_every_method_reaches_the_target_in_the_same_epochs(run, digits):
    _, outcomes, shown = run
    before = firekeras.count_costs(digits[0]).macs
    assert [one["method"] for one in outcomes] == NAMES
    assert outcomes[-1]["macs"] == before and outcomes[-1]["epochs"] == EPOCHS
    for one in outcomes[:-1]:
        assert one["reached"] and one["epochs"] == EPOCHS, one
        assert (SHARE - 0.03) * before < one["macs"] <= SHARE * before, one["method"]
    assert all(f" {one['method']} " in shown for one in outcomes)


def test_pruning_a_trained_network_beats_fresh_weights(run):
    accuracy = {one["method"]: one["test"] for one in run[1]}
    assert accuracy["fire"] > accuracy["scratch"] and accuracy["fire"] > 0.9


def test_table_chart_page_and_networks_are_there(run):
    folder, outcomes, _ = run
    assert {"comparison.html", "comparison.md", "comparison.png", "comparison.svg"} <= {
        p.name for p in folder.iterdir()
    }
    assert all((folder / f"{one['method']}-{one['share']:g}-0.keras").is_file() for one in outcomes)
    assert "<svg" in (folder / "comparison.html").read_text()
