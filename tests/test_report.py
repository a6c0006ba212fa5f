import io

import numpy as np
import pytest
from rich.console import Console

from firekeras.costs import Costs
from firekeras.latency import Latency
from firekeras.report import tables


def rendered(renderable, width=160):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def line_of(text, word):
    return next(line for line in text.splitlines() if word in line)


def test_fire_is_summed_up_by_layer():
    text = rendered(tables.fire_table({"conv1": np.array([0.0, 0.5, 1.0])}, {}))
    assert line_of(text, "conv1").split() == ["conv1", "3", "0.000", "0.500", "1.000", "1"]


def test_only_filters_that_never_fire_are_dead():
    text = rendered(tables.fire_table({"conv1": np.array([0.9999999, 0.2])}, {}))
    assert line_of(text, "conv1").split()[-1] == "0"


def test_unscored_layers_say_why():
    nan = float("nan")
    fire = {"conv1": np.array([nan, nan]), "conv2": np.array([0.5, nan])}
    text = rendered(tables.fire_table(fire, {"conv1": "its output meets add", "conv2": "one is cut off"}))
    assert line_of(text, "conv1").split() == ["conv1", "2", "-", "-", "-", "-", *["its", "output", "meets", "add"]]
    assert "1 of them: one is cut off" in line_of(text, "conv2")


def test_a_plan_shows_widths_and_locks():
    text = rendered(tables.plan_table({"conv1": 8, "logits": 3}, {"conv1": np.array([1, 4])}, {"logits": "an output"}))
    assert line_of(text, "conv1").split() == ["conv1", "8", "2", "6", "75%"]
    assert line_of(text, "logits").split() == ["logits", "3", "-", "3", "100%", "an", "output"]


def test_brackets_in_names_are_shown_as_they_are():
    assert "[red]conv" in rendered(tables.plan_table({"[red]conv": 8}, {}, {}))


STARTED = {"monitor": "accuracy", "costs": {"conv_macs": 80}}
ROUND = {
    "event": "round",
    "number": 2,
    "accepted": True,
    "filters_removed": 5,
    "conv_macs": 60,
    "seconds": 1.24,
    "accuracy_after_cut": 0.5,
    "accuracy": 0.98,
    "baseline": 0.99,
}


@pytest.mark.parametrize(("accepted", "word"), [(True, "kept"), (False, "undone")])
def test_a_round_is_one_line(accepted, word):
    line = tables.event_line({**ROUND, "accepted": accepted}, STARTED).plain
    parts = ("Round   2", "5 filters out", "75.0% of conv MACs", "0.5000 after the cut", "0.9800", "0.9900", "1.2 s")
    for part in (word, *parts):
        assert part in line


def test_a_round_without_convolutions_has_no_share():
    line = tables.event_line({**ROUND, "conv_macs": 0}, {**STARTED, "costs": {"conv_macs": 0}}).plain
    assert "- of conv MACs" in line


def test_a_metric_that_is_lost_is_said_so():
    assert "not a number fine-tuned" in tables.event_line({**ROUND, "accuracy": None}, STARTED).plain


def test_epochs_and_ends_are_one_line_each():
    epoch = {"event": "epoch", "epoch": 1, "epochs": 2, "logs": {"loss": 0.25, "accuracy": None}}
    assert "epoch 1 of 2: loss 0.2500" in tables.event_line(epoch, STARTED).plain
    assert tables.event_line({"event": "stop", "reason": "Enough."}, STARTED).plain == "Ended: Enough."
    assert tables.event_line({"event": "written", "path": "a.keras"}, STARTED).plain == "Written: a.keras"


def test_costs_are_compared():
    rows = tables.cost_rows(Costs(2000, 3000, 0, {}), Costs(1000, 2400, 0, {}))
    assert rows[0] == ("conv MACs", "2.000 k", "1.000 k", "-50.0%")
    assert rows[1] == ("MACs", "3.000 k", "2.400 k", "-20.0%")
    assert rows[2] == ("parameters", "0", "0", "")


def test_metrics_change_in_absolute_terms():
    assert tables.metric_row("accuracy", 0.99, 0.985) == ("accuracy", "0.9900", "0.9850", "-0.0050")


def test_latency_names_its_batch_and_spread():
    row = tables.latency_row(Latency(0.002, 0.0001, 1), Latency(0.001, 0.0001, 1))
    assert row == ("measured latency, batch of 1", "2.00 ± 0.10 ms", "1.00 ± 0.10 ms", "-50.0%")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.000 k"), (125_485_056, "125.5 M"), (1_493_000, "1.493 M"), (2.5e9, "2.500 G")],
)
def test_numbers_have_four_digits(value, text):
    assert tables.short_number(value) == text


def test_units_follow_the_prefix():
    assert tables.short_number(54_321, "B") == "54.32 kB"
    assert tables.short_number(12, "B") == "12 B"


def test_rows_become_a_table():
    text = rendered(tables.comparison_table([("accuracy", "0.99", "0.98", "-0.01")]))
    assert line_of(text, "accuracy").split() == ["accuracy", "0.99", "0.98", "-0.01"]
