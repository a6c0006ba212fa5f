import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from firekeras.channels.costs import Costs
from firekeras.export.latency import Latency
from firekeras.report import tables
from firekeras.rounds.records import CompressionResult


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
    "macs": 70,
    "params": 8,
    "seconds": 1.24,
    "accuracy_after_cut": 0.5,
    "accuracy": 0.98,
    "baseline": 0.99,
}


@pytest.mark.parametrize(("accepted", "word"), [(True, "kept"), (False, "undone")])
def test_a_round_is_one_line(accepted, word):
    line = tables.event_line({**ROUND, "accepted": accepted}, STARTED).plain
    parts = ("Round  2", "75.0% conv MACs", "accuracy 0.5000 cut", "0.9800 trained", ", 1 s")
    for part in (word, *parts):
        assert part in line
    assert len(line) <= 80


@pytest.mark.parametrize(
    ("criterion", "end"),
    [("fire and l1", "s; FIRE measured"), ("balanced fire_predicted", "s; FIRE predicted"), ("l1", " s"), (None, " s")],
)
def test_a_round_says_if_its_fire_was_measured_or_predicted(criterion, end):
    assert tables.event_line({**ROUND, "criterion": criterion}, STARTED).plain.endswith(end)


def test_a_round_that_cut_nothing_says_that_it_trained():
    line = tables.event_line({**ROUND, "filters_removed": 0}, STARTED).plain
    assert line == "Round  2 kept    trained to the end; accuracy 0.9800 trained, 1 s"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"accuracy_trained": 0.1}, "accuracy 0.9800 cut, 0.1000 trained (cut kept), 1 s"),
        ({"accuracy_trained": None}, "accuracy 0.9800 cut, - trained (cut kept), 1 s"),
        ({}, "accuracy 0.9800 cut, - trained (cut kept), 1 s"),  # of an older version
        ({"accuracy_trained": 0.1, "filters_removed": 0}, "accuracy 0.1000 trained (0.9800 before it kept), 1 s"),
    ],
)
def test_training_that_did_not_help_is_shown_beside_what_is_kept(changed, words):
    event = {**ROUND, "kept": "cut", "accuracy_after_cut": 0.98, **changed}
    assert tables.event_line(event, STARTED).plain.endswith(words)


def test_a_round_shows_the_cost_that_the_target_is_in():
    started = {**STARTED, "target": {"latency": 0.5, "params": 0.5}, "costs": {"conv_macs": 8, "params": 16}}
    assert " 50.0% parameters; " in tables.event_line(ROUND, started).plain


def test_runs_begin_with_their_baseline():
    event = {"event": "start", "baseline": 0.98765, "monitor": "accuracy", "costs": {"conv_macs": 1_492_992}}
    assert tables.event_line(event, {}).plain == "Baseline: accuracy 0.9877; 1,492,992 conv MACs"
    assert tables.event_line({**event, "event": "resume", "monitor": None}, {}).plain.startswith(
        "Baseline: metric 0.98"
    )
    assert tables.event_line({"event": "note", "text": "It [is] settled."}, {}).plain == "It [is] settled."


def test_a_round_without_convolutions_has_no_share():
    line = tables.event_line({**ROUND, "conv_macs": 0}, {**STARTED, "costs": {"conv_macs": 0}}).plain
    assert " - conv MACs" in line


def test_a_metric_that_is_lost_is_said_so():
    line = tables.event_line({**ROUND, "accuracy": None, "accuracy_after_cut": None}, STARTED).plain
    assert line.endswith("accuracy - trained, 1 s") and "cut" not in line


def test_epochs_and_ends_are_one_line_each():
    epoch = {"event": "epoch", "epoch": 1, "epochs": 2, "logs": {"loss": 0.25, "accuracy": None}}
    assert "epoch 1 of 2: loss 0.2500" in tables.event_line(epoch, STARTED).plain
    assert tables.event_line({"event": "stop", "reason": "Enough."}, STARTED).plain == "Ended: Enough."
    assert tables.event_line({"event": "written", "path": "a.keras"}, STARTED).plain == "Written: a.keras"
    replaced = {"event": "written", "path": "a.keras", "replaced": True}
    assert tables.event_line(replaced, STARTED).plain == "Written: a.keras, in place of the file of that name"


def test_costs_are_compared():
    rows = tables.cost_rows(Costs(2000, 3000, 0, {}), Costs(1000, 2400, 0, {}))
    assert rows[0] == ("conv MACs", "2.000 k", "1.000 k", "50.0% left")
    assert rows[1] == ("MACs", "3.000 k", "2.400 k", "80.0% left")
    assert rows[2] == ("parameters", "0", "0", "")


def test_metrics_change_in_absolute_terms():
    assert tables.metric_row("accuracy", 0.99, 0.985) == ("accuracy", "0.9900", "0.9850", "-0.0050")
    assert tables.metric_row("mse", 2e-5, 2.5e-5) == ("mse", "2e-05", "2.5e-05", "+5e-06")
    assert tables.metric_row("loss", 0.5, float("nan")) == ("loss", "0.5000", "-", "-")


def test_latency_names_its_batch_and_spread():
    row = tables.latency_row(Latency(0.002, 0.0001, 1), Latency(0.001, 0.0001, 1))
    assert row == ("measured latency, batch of 1", "2.00 ± 0.10 ms", "1.00 ± 0.10 ms", "50.0% left")
    noisy = tables.latency_row(Latency(0.002, 0.0007, 1), Latency(0.001, 0.0004, 1))
    assert noisy[1:] == ("2.00 ± 0.70 ms", "1.00 ± 0.40 ms", "no clear change")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.000 k"), (125_485_056, "125.5 M"), (1_493_000, "1.493 M"), (2.5e9, "2.500 G")],
)
def test_numbers_have_four_digits(value, text):
    assert tables.short_number(value) == text


def test_units_follow_the_prefix():
    assert tables.short_number(54_321, "B") == "54.32 kB"
    assert tables.short_number(12, "B") == "12 B"


@pytest.mark.parametrize(("accuracy", "where"), [(0.985, "within"), (0.975, "outside")])
def test_the_end_says_whether_it_is_within_the_tolerance(accuracy, where):
    time, notes = {"judging": 2.4, "training": 100.0, "cutting": 0.1}, ["Nothing distils."]
    costs, rounds = Costs(2000, 3000, 0, {}), [SimpleNamespace(epochs=3), SimpleNamespace(epochs=4)]
    found = CompressionResult(None, 0.99, accuracy, rounds, costs, costs, "", time=time, notes=notes)
    first, *others = [line.plain for line in tables.outcome_lines(found)]
    outcome = f"On held-out data accuracy went from 0.9900 to {accuracy:.4f}, {where} the tolerance of 0.01. "
    assert first == f"{outcome}Epochs: 7; rounds: 2."
    assert others == ["Note: Nothing distils.", "Time: training 2 min, judging 2 s."]


def test_rows_become_a_table():
    text = rendered(tables.comparison_table([("accuracy", "0.99", "0.98", "-0.01")]))
    assert line_of(text, "accuracy").split() == ["accuracy", "0.99", "0.98", "-0.01"]
