import io
import json
import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from firekeras.channels.graph import ChannelGraph, LayerInfo
from firekeras.report import charts, html_report
from firekeras.report.heatmap import sorted_fire
from firekeras.report.html_report import page, write_html
from firekeras.report.markup import tag, to_html
from firekeras.report.run_report import RunReport, run_tables, show_run
from firekeras.rounds.monitor import worst_accepted
from firekeras.rounds.ownership import Ownership
from firekeras.scores.profile import FireProfile

NAN = math.nan
BEFORE = {"conv_macs": 1000, "macs": 2000, "params": 400}
EVIL = "</style><script>alert(1)</script>"


def settings(**changes):
    defaults = {
        "format": 2,
        "created": "2026-11-20T09:00:00.123+00:00",
        "versions": {"firekeras": "0.1.0", "keras": "3.15.1", "python": "3.11.2", "jax": "0.10.2"},
        "backend": "jax",
        "settings": {"method": "fire", "pruning_ratio": 0.1, "layer_caps": {"conv1": 0.5}, "fit": {"batch_size": 32}},
        "source": None,
        "model": "net",
        "monitor": "accuracy",
        "tolerance": 0.01,
        "baseline": 0.9,
        "costs": BEFORE,
        "widths": {"conv1": 16, "conv2": 32, "logits": 10},
    }
    return {**defaults, **changes}


def event(kind, **fields):
    return {"event": kind, "time": "2026-11-20T09:30:15.500+00:00", **fields}


def cut(number, after_cut=0.5):
    return event("cut", number=number, filters_removed=3, accuracy_after_cut=after_cut, **BEFORE)


def epoch(number, done, of=2):
    return event("epoch", number=number, epoch=done, epochs=of, logs={"loss": 0.3, "accuracy": None})


def finished_round(number, accepted, accuracy, left=0.5, **fields):
    costs = {name: int(left * cost) for name, cost in BEFORE.items()}
    defaults = {
        "criterion": "fire",
        "filters_removed": 3,
        "accuracy_after_cut": 0.5,
        "baseline": 0.9,
        "seconds": 1.5,
        "notes": [],
        "pruning_ratio": 0.1,
        "details": {"spearman": 0.75, "refitted": False},
        "model": None,
        "profile": None,
        "widths": {"conv1": int(16 * left), "conv2": int(32 * left), "logits": 10},
    }
    return event("round", number=number, accepted=accepted, accuracy=accuracy, **{**costs, **defaults, **fields})


def whole_run():
    """Kept, kept, undone, undone without a number, and over."""
    start = event("start", baseline=0.9, monitor="accuracy", tolerance=0.01, costs=BEFORE, target=None, max_rounds=9)
    rounds = [
        finished_round(1, True, 0.91, 0.8),
        finished_round(2, True, 0.895, 0.5, notes=["folded."]),
        finished_round(3, False, 0.85, 0.3),
        finished_round(4, False, None, 0.4, accuracy_after_cut=None),
    ]
    events = [one for k, end in enumerate(rounds, 1) for one in (cut(k), epoch(k, 1), epoch(k, 2), end)]
    return [start, *events, event("stop", reason="backtracks=2 are used up")]


def run(events, **changes):
    return RunReport.of(settings(**changes), events)


def profile():
    zeros = {"conv1": [10, 0, 5, 0], "add": [0, 0], EVIL: [8, 9, 10]}
    seen = {"conv1": [10, 10, 10, 0], "add": [0, 0], EVIL: [10, 10, 10]}
    features = {name: np.zeros((len(counts), 18)) for name, counts in seen.items()}
    layers = [LayerInfo(name, "Conv2D", (None,), k, (), (), True) for k, name in enumerate(seen)]
    graph = ChannelGraph(layers, np.split(np.arange(9), [4, 6]), {})
    return FireProfile(zeros, seen, samples=7, features=features, graph=graph)


def folder_of(path, events, last_line=""):
    (path / "run.json").write_text(json.dumps(settings()))
    (path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events) + last_line)
    return path


def on_terminal(renderables, width=80):
    console = Console(file=io.StringIO(), width=width)
    for one in renderables:
        console.print(one)
    return console.file.getvalue()


class Page(HTMLParser):
    """The elements of a page, and its texts; fails where elements are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name != "meta":
            self._open.append(name)

    def handle_endtag(self, name):
        assert self._open.pop() == name

    def handle_data(self, text):
        self.texts.append(text)

    def all(self, name, class_=None):
        return [a for one, a in self.elements if one == name and class_ in (None, a.get("class"))]


def html_of(events, fire=None, **changes):
    written = settings(**changes)
    return Page(to_html(page(written, RunReport.of(written, events), fire)))


def test_the_best_model_is_that_of_the_last_accepted_round():
    report = run(whole_run())
    assert (report.state, report.reason) == ("finished", "backtracks=2 are used up")
    assert report.accuracy == 0.895
    assert (report.costs_after.conv_macs, report.costs_after.macs, report.costs_after.params) == (500, 1000, 200)
    assert report.widths_after == {"conv1": 8, "conv2": 16, "logits": 10}
    assert [one.number for one in report.undone] == [3, 4]
    assert report.tally == "rounds: 4, kept 2, undone 2; took 0:00:06"
    assert report.progress is None


def test_a_run_says_how_far_it_has_come():
    report = run([*whole_run()[:5], cut(2, 0.4), epoch(2, 1)])
    assert report.state == "running"
    assert (report.progress.number, report.progress.epoch, report.progress.accuracy_after_cut) == (2, 1, 0.4)
    assert "fine-tuning in round 2, epoch 1 of 2 done; last event 2026-11-20 09:30:15 UTC" in report.status
    assert "fine-tuning in round 2;" in run([cut(2)]).status
    assert "planning and cutting" in run(whole_run()[:5]).status


def test_a_killed_run_is_read_up_to_its_last_whole_line(tmp_path):
    folder = folder_of(tmp_path, [*whole_run()[:5], cut(2)], last_line='{"event": "round", "numb')
    text = on_terminal(show_run(folder))
    assert "running: fine-tuning in round 2" in text.replace("\n", " ")
    assert "rounds: 1, kept 1" in text


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (event("error", message="ResourceExhausted: out of\nmemory"), "error: ResourceExhausted: out of memory"),
        (event("interrupted"), "interrupted"),
        (event("stop", reason="all done"), "finished: all done"),
    ],
)
def test_the_last_event_says_why_a_run_is_over(last, status):
    assert run([*whole_run()[:5], last]).status == status
    resumed = run([*whole_run()[:5], cut(2), last, event("resume", after_round=1)])
    assert resumed.state == "running"
    assert resumed.progress is None


def test_of_a_run_without_rounds_nothing_is_changed(tmp_path):
    for events in ([], whole_run()[:1]):
        report = run(events)
        assert report.accuracy == 0.9
        assert report.costs_after == report.costs_before
        assert report.widths_after == report.widths_before
        assert "rounds: 0" in on_terminal(run_tables(report))
        assert "No round has ended yet." in html_of(events).texts
    assert run([]).status.startswith("running: planning and cutting; last event none")


def test_a_round_done_again_after_a_resume_counts_once():
    report = run([finished_round(1, False, 0.2), event("resume", after_round=0), finished_round(1, True, 0.9)])
    assert [(one.number, one.accepted) for one in report.rounds] == [(1, True)]


def test_null_is_not_a_number():
    last = run(whole_run()).rounds[-1]
    assert math.isnan(last.accuracy)
    assert math.isnan(last.accuracy_after_cut)


def test_unknown_events_do_not_count():
    assert run([*whole_run()[:5], event("coffee")]).tally == "rounds: 1, kept 1, undone 0; took 0:00:02"


def test_what_is_missing_is_named():
    written = settings()
    del written["baseline"]
    with pytest.raises(ValueError, match=r"run\.json lacks 'baseline'"):
        RunReport.of(written, [])
    with pytest.raises(ValueError, match="An event 'round' lacks 'accuracy'"):
        run([{key: value for key, value in finished_round(1, True, 0.9).items() if key != "accuracy"}])


def test_the_limit_is_on_the_worse_side():
    assert worst_accepted(0.9, 0.01, "accuracy") == pytest.approx(0.89)
    assert worst_accepted(0.9, 0.01, "val_loss") == pytest.approx(0.909)
    assert run([], monitor="loss", baseline=0.3).limit == pytest.approx(0.303)


def test_a_run_that_was_continued_is_judged_by_its_new_tolerance():
    more = event("resume", after_round=4, leg=True, changed={"tolerance": 0.05}, tolerance=0.05)
    assert run(whole_run()).limit == pytest.approx(0.89)
    assert run([*whole_run(), more]).limit == pytest.approx(0.85)


def test_without_a_limit_none_is_drawn():
    endless = [one if one["event"] != "start" else {**one, "tolerance": None} for one in whole_run()]
    shown = html_of(endless, tolerance=None)  # infinity, as JSON has it
    assert math.isnan(run(endless, tolerance=None).limit)
    assert not any("limit of tolerance" in text for text in shown.texts) and not shown.all("line", "limit")


def trained_to_the_end():
    """Cut once and kept, then only trained; with a note, and how time was spent."""
    end = finished_round(2, True, 0.93, 0.8, filters_removed=0, accuracy_after_cut=0.91, pruning_ratio=0.0, epochs=7)
    note = event("note", text="Settled, it is the baseline.")
    stop = event("stop", reason="over", seconds={"training": 100.0, "judging": 20.0, "cutting": 0.2})
    return [whole_run()[0], note, cut(1), finished_round(1, True, 0.91, 0.8, epochs=3), epoch(2, 7, 7), end, stop]


def test_a_round_that_cut_nothing_reads_training():
    report = run(trained_to_the_end())
    assert report.progress is None and [one.epochs for one in report.rounds] == [3, 7]
    lines = [line.split() for line in on_terminal(run_tables(report)).splitlines()]
    assert ["1", "kept", "3", "80.0%", "0.5000", "0.9100", "FIRE", "measured"] in lines
    assert ["2", "training", "-", "80.0%", "-", "0.9300", "FIRE", "measured"] in lines
    shown = html_of(trained_to_the_end())
    assert "training" in shown.texts and "Round 2: 0.9300 trained, training" in shown.texts
    assert len(shown.all("rect", "cut")) == 1 + 1  # the other round had no cut; and the key
    assert len(shown.all("line", "stem")) == 1


def test_notes_and_time_of_a_run_are_shown():
    report = run([*trained_to_the_end(), event("resume", after_round=2), trained_to_the_end()[-1]])
    assert report.seconds == {"training": 200.0, "judging": 40.0, "cutting": 0.4}
    text = on_terminal(run_tables(report))
    assert "Time: training 3 min, judging 40 s." in text and text.count("Settled, it is the baseline.") == 1
    texts = html_of(trained_to_the_end()).texts
    assert {"Time: training 2 min, judging 20 s.", "Settled, it is the baseline."} <= set(texts)
    assert "Settled, it is the baseline." in html_of(trained_to_the_end()[:2]).texts  # before any round too


def test_what_a_run_took_is_the_sum_of_its_parts():
    first, later, end = trained_to_the_end()[:4], trained_to_the_end()[4:], "rounds: 2, kept 2, undone 0; took 0:02:"
    assert run(trained_to_the_end()).tally == f"{end}00"
    interrupted = run([*first, event("interrupted"), event("resume", after_round=1), *later])
    assert interrupted.tally == f"{end}02" and interrupted.time_spent.endswith("other rounds 2 s.")


def test_a_run_of_an_older_firekeras_can_be_read():
    report = run(whole_run(), monitor=None)
    assert report.monitor == "metric" and report.seconds == {} and report.remarks == ()
    assert [one.epochs for one in report.rounds] == [None] * 4
    assert "Time" not in on_terminal(run_tables(report))


def test_control_characters_do_not_reach_a_terminal():
    report = run([finished_round(1, True, 0.9, notes=["a\x1b[31mb"])], model="net\x1b]0;x\x07\ud800")
    text = on_terminal(run_tables(report))
    assert "\x1b" not in text
    assert "a [31mb" in text


def test_a_terminal_shows_each_round_and_the_sum():
    text = on_terminal(run_tables(run(whole_run())))
    lines = [line.split() for line in text.splitlines()]
    assert ["2", "kept", "3", "50.0%", "0.5000", "0.8950", "FIRE", "measured"] in lines
    assert ["4", "undone", "3", "40.0%", "-", "-", "FIRE", "measured"] in lines
    assert ["conv", "MACs", "1.000", "k", "500", "50.0%", "left"] in lines
    assert ["accuracy", "0.9000", "0.8950", "-0.0050"] in lines
    assert "Round 2: folded." in text


def test_the_page_is_of_its_own_and_runs_nothing(tmp_path):
    widths = {EVIL: 4, 'x" onload="alert(1)': 4}
    events = [*whole_run()[:-1], event("stop", reason=EVIL)]
    written = settings(model=EVIL, monitor=EVIL, widths=widths, source={"model": EVIL, "data": "http://x"})
    path = tmp_path / "report.html"
    write_html(written, events, profile(), path)
    text = path.read_text(encoding="utf-8")
    shown = Page(text)
    assert text.startswith("<!doctype html>")
    assert "<script" not in re.sub(r'="[^"]*"', "", text)
    assert {name for name, _ in shown.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "a", "div", "span", "ul", "li"),
        *(
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "details",
            "summary",
            "footer",
            "figure",
            "figcaption",
        ),
        *("svg", "line", "text", "rect", "circle", "path", "polyline"),
    }
    names = {key for _, attributes in shown.elements for key in attributes}
    assert not [key for key in names if key.startswith("on") or key in ("src", "style", "xlink:href")]
    assert {a["href"] for a in shown.all("a")} == {"#rounds"}
    assert shown.texts.count(EVIL) >= 4  # model, monitor, layer, layer of the profile


def test_everything_drawn_has_words_for_those_who_cannot_see_it():
    shown = html_of(whole_run(), profile())
    labels = [a.get("aria-label") for a in shown.all("svg") if "aria-hidden" not in a]
    assert labels == [
        "accuracy by round, from 0.9000 to 0.8950; see the table of rounds",
        "accuracy against conv MACs left: 0.8950 with 50.0%; see the table of rounds",
    ]
    assert "rounds" in [a.get("id") for a in shown.all("h2")]
    assert all("aria-label" in a and a["tabindex"] == "0" for a in shown.all("div", "wide"))


def test_marks_distinguish_kept_undone_and_cut_rounds():
    shown = html_of(whole_run())
    assert len(shown.all("circle", "tuned")) == 2 * 2 + 2  # two charts, two kept; and a key for each chart
    assert len(shown.all("path", "undone")) == 2 * 1 + 2  # the other was not a number
    assert len(shown.all("rect", "cut")) == 3 + 1
    assert "Not drawn, since accuracy was not a number: round 4." in shown.texts


def test_a_round_in_progress_shows_its_cut():
    shown = html_of([*whole_run()[:5], cut(2, 0.4)])
    assert "Round 2: 0.4000 after the cut" in shown.texts
    assert "trained, undone" not in shown.texts  # nothing to explain


def test_charts_put_values_where_they_belong():
    chart = charts.accuracy_chart(run([finished_round(1, True, 0.91), finished_round(2, False, 0.87)]))
    y = charts.Scale.around([0.5, 0.91], charts.HEIGHT - charts.BOTTOM, charts.TOP)
    (dot,) = chart.iter("circle")
    assert float(dot.get("cy")) == pytest.approx(y(0.91), abs=0.06)
    baseline = next(line for line in chart.iter("line") if line.get("class") == "baseline")
    assert float(baseline.get("y1")) == pytest.approx(y(0.9), abs=0.06)
    (path,) = chart.iter("polyline")
    assert path.get("points").split()[-1] == f"{dot.get('cx')},{dot.get('cy')}"
    assert [text.text for text in chart.iter("text") if text.get("class") == "x"] == ["0", "1", "2"]


def test_the_frontier_runs_along_the_macs_left():
    chart = charts.frontier_chart(run([finished_round(1, True, 0.91, 0.75), finished_round(2, True, 0.9, 0.25)]))
    x = charts.Scale.around([100, 25], charts.LEFT, charts.WIDTH - charts.RIGHT)
    assert [float(dot.get("cx")) for dot in chart.iter("circle")] == pytest.approx([x(75), x(25)], abs=0.06)


def test_networks_without_convolutions_are_compared_by_all_macs():
    costs = {**BEFORE, "conv_macs": 0}
    dense = run([finished_round(1, True, 0.9, 0.5, conv_macs=0)], costs=costs)
    assert charts.macs_field(dense) == ("macs", 2000)
    assert "-" in on_terminal(run_tables(dense))
    assert "% of MACs left" in html_of([finished_round(1, True, 0.9, 0.5, conv_macs=0)], costs=costs).texts


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.884, 0.9, [0.885, 0.890, 0.895, 0.9]),
        (-0.4, 13.4, [0, 5, 10]),
        (40, 103, [40, 60, 80, 100]),
    ],
)
def test_ticks_are_round_numbers(low, high, ticks):
    scale = charts.Scale(low, high, 0, 1)
    assert scale.ticks(scale.step()) == pytest.approx(ticks)


@pytest.mark.parametrize("values", [[0.9, 0.9], [0.0], [NAN], [], [1e9, 1e9]])
def test_scales_have_room_where_values_have_none(values):
    scale = charts.Scale.around(values, 0, 100)
    assert scale.low < scale.high
    assert scale.ticks(scale.step())
    if np.isfinite(values).any():
        assert scale(values[0]) == pytest.approx(50)


def test_bars_are_as_long_as_layers_are_wide():
    shown = html_of(whole_run())
    assert [a["width"] for a in shown.all("rect", "before")] == ["50.00", "100.00", "31.25"]
    assert [a["width"] for a in shown.all("rect", "after")] == ["25.00", "50.00", "31.25"]


def test_fire_is_a_row_per_layer_that_has_any():
    shown = html_of(whole_run(), profile())
    strips = shown.all("svg", "strip")
    assert [a["viewbox"] for a in strips] == ["0 0 4 1", "0 0 3 1"]
    assert EVIL in shown.texts
    assert any("Layers without FIRE, not shown: 1." in text for text in shown.texts)


def test_strips_hold_every_filter_in_order():
    strip = html_report._strip(sorted_fire(profile())["conv1"])
    runs = [(one.get("class"), int(one.get("x")), int(one.get("width"))) for one in strip]
    assert runs == [("f0", 0, 1), ("f16", 1, 1), ("f31", 2, 1), ("unscored", 3, 1)]


def test_details_of_rounds_are_columns():
    shown = html_of(whole_run())
    assert {"spearman", "refitted", "0.75", "no"} <= set(shown.texts)


def test_texts_are_escaped_and_keep_their_order():
    tree = tag("p", "a < b", tag("b", 1), " & c", class_="x", aria_label='"')
    assert to_html(tree) == '<p class="x" aria-label="&quot;">a &lt; b<b>1</b> &amp; c</p>'


@pytest.mark.parametrize(
    ("name", "words"), [("best.keras", r"ends in \.html"), ("missing/a.html", "there is no folder")]
)
def test_pages_go_to_html_files_in_folders_that_are_there(tmp_path, name, words):
    with pytest.raises(ValueError, match=words):
        write_html(settings(), [], None, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_show_run_writes_the_page_too(tmp_path):
    folder = folder_of(tmp_path, whole_run())
    show_run(folder, tmp_path / "a.html")
    assert "FIRE by layer" not in Page((tmp_path / "a.html").read_text(encoding="utf-8")).texts
    profile().save(folder / "profile.fire.h5")
    show_run(folder, tmp_path / "a.html")
    assert {"Rounds", "FIRE by layer"} <= set(Page((tmp_path / "a.html").read_text(encoding="utf-8")).texts)


def test_reports_need_no_keras(tmp_path):
    folder = folder_of(tmp_path, whole_run())
    profile().save(folder / "profile.fire.h5")
    code = (
        "import sys; from firekeras.report.run_report import show_run; show_run(sys.argv[1], sys.argv[2]);"
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, folder, tmp_path / "a.html"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "set()"


def test_macs_that_leave_out_layers_say_so():
    costs = {**settings()["costs"], "uncounted": ["block", "a\x1b[2Jb"]}
    assert [row[0] for row in run([], costs=costs).comparison()][-2] == "MACs without 2 layers"


def test_a_run_in_progress_names_its_process(tmp_path):
    folder = folder_of(tmp_path, whole_run()[:3])
    assert "a run that was killed looks the same" in on_terminal(show_run(folder), width=300)
    owner = Ownership(folder)
    assert f", in process {os.getpid()} (this one) on " in on_terminal(show_run(folder), width=300)
    owner.release()


@pytest.mark.parametrize(
    ("source", "way"), [({"data": "digits"}, "firekeras compress --resume"), (None, "resume=True")]
)
def test_a_run_whose_lock_nobody_holds_was_killed_and_can_be_continued(tmp_path, source, way):
    folder = folder_of(tmp_path, whole_run()[:3])
    (folder / "run.json").write_text(json.dumps(settings(source=source)))
    Ownership(folder).release()
    shown = on_terminal(show_run(folder, tmp_path / "a.html"), width=300)
    assert "killed: fine-tuning in round 1" in shown and way in shown and "looks the same" not in shown
    assert "Killed: fine-tuning" in (tmp_path / "a.html").read_text()
