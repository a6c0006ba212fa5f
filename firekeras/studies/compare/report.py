"""A comparison as a table, a chart and a page."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

from rich.table import Table
from rich.text import Text

from firekeras.atomic import write_text
from firekeras.channels.costs import COSTS
from firekeras.report.fitting import FittingTable
from firekeras.report.html_report import NOTHING_FROM_OUTSIDE
from firekeras.report.html_style import STYLE
from firekeras.report.markup import tag, to_html
from firekeras.report.series_chart import Series, series_chart, write_svg
from firekeras.report.tables import duration, metric
from firekeras.studies.compare.picture import can_draw, write_png
from firekeras.studies.compare.results import Comparison, Outcome, Summary

CHOOSING = "choosing filters"  # the work beside training, as time


def columns(comparison: Comparison) -> list[str]:
    """The titles of the columns."""
    left, also = (f"{COSTS[cost].title} left" for cost in (comparison.measure, comparison.beside))
    spent = ("epochs", CHOOSING, "time of a run")
    return ["method", left, also, "runs", f"test {comparison.monitor}", "to the baseline", *spent]


def rows(comparison: Comparison) -> list[list[str]]:
    """The baseline, then a row per share and method, the best mean of a share first; those that stopped short last."""
    baseline = ["baseline", "100.0%", "100.0%", "", metric(comparison.baseline), "", "", "", ""]
    return [baseline, *(_row(summary, comparison) for summary in comparison.summaries())]


def _row(summary: Summary, comparison) -> list[str]:
    shares = [f"{summary.left:.1%}", f"{summary.also:.1%}"]
    change = "-" if math.isnan(summary.mean) else f"{summary.mean - comparison.baseline:+.4f}"
    spent = (str(summary.epochs), duration(summary.choosing), duration(summary.seconds))
    return [_name(summary), *shares, str(summary.runs), _spread(summary), change, *spent]


def _name(summary):
    """The method, what of it is off, and whether it stopped short of the share that was asked for."""
    some = "" if summary.short == summary.runs else f"{summary.short} of {summary.runs} runs "
    short = f"{some}short of {summary.share:.0%}" if summary.short else ""
    remarks = ", ".join(remark for remark in (summary.variant, short) if remark)
    return f"{summary.method} ({remarks})" if remarks else summary.method


def _spread(summary):
    mean = metric(summary.mean)
    return mean if math.isnan(summary.deviation) else f"{mean} ± {summary.deviation:.4f}"


def comparison_table(comparison: Comparison) -> Table:
    """The rows, for a terminal."""
    title = f"Mean and standard deviation of {comparison.monitor} on the test data"
    titles = columns(comparison)
    table = FittingTable(title, titles, spare=("time of a run", CHOOSING, "epochs", titles[2], "runs"))
    for row in rows(comparison):
        table.add_row(*map(Text, row))
    return table


def markdown(comparison: Comparison) -> str:
    """The rows as Markdown, then the terms and the notes on single runs."""
    head = [columns(comparison), ["---", *["---:"] * (len(columns(comparison)) - 1)]]
    lines = [f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in (*head, *rows(comparison))]
    return "\n".join([*lines, "", *(f"- {note}" for note in (*comparison.terms, *comparison.notes))]) + "\n"


def comparison_chart(comparison: Comparison) -> Element:
    """The metric against what is left: means with standard deviations, and every run."""
    return series_chart(*_charted(comparison))


def comparison_picture(comparison: Comparison, path):
    """Writes the chart as PNG."""
    (*series, _), heading, x_title, level = _charted(comparison)
    write_png(series, heading, x_title, level, path)


def _charted(comparison):
    """The arguments of a chart: series, heading, title of the x axis, level."""
    methods = dict.fromkeys(outcome.method for outcome in comparison.outcomes)
    baseline = Series("baseline", [(100.0, comparison.baseline)])
    series = [*(_series(comparison, name) for name in methods), baseline]
    return series, f"test {comparison.monitor}", f"% of {COSTS[comparison.measure].title} left", comparison.baseline


def _series(comparison, method) -> Series:
    """The means and the runs of a method, each at the share that was left."""
    means = sorted((row for row in comparison.summaries() if row.method == method), key=lambda row: row.left)
    return Series(
        method,
        [(100 * row.left, row.mean) for row in means],
        [row.deviation for row in means],
        [(100 * comparison.left(run), run.test) for run in comparison.outcomes if run.method == method],
    )


def page(comparison: Comparison) -> Element:
    """The table and the chart as one HTML page, with the terms of the comparison."""
    titles = [tag("th", title, scope="col", class_="n" if k else "text") for k, title in enumerate(columns(comparison))]
    body = [_cells(row) for row in rows(comparison)]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", content=NOTHING_FROM_OUTSIDE, **{"http-equiv": "Content-Security-Policy"}),
        tag("title", "Comparison of pruning methods"),
        tag("style", STYLE),
    )
    notes = [tag("li", note) for note in (*comparison.terms, *comparison.notes)]
    parts = [
        tag("h1", "Comparison of pruning methods"),
        tag("div", tag("table", tag("thead", tag("tr", titles)), tag("tbody", body)), class_="wide"),
        comparison_chart(comparison),
        tag("ul", notes, class_="quiet"),
    ]
    return tag("html", head, tag("body", tag("main", parts)), lang="en")


def _cells(row):
    return tag("tr", tag("th", row[0], scope="row", class_="text"), [tag("td", cell, class_="n") for cell in row[1:]])


def write_report(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Writes `comparison.md`, `.svg` and `.html` into a folder, and `.png` if `firekeras[charts]` is installed.

    Returns:
        The paths of the files.
    """
    paths = [Path(folder) / f"comparison.{ending}" for ending in ("md", "svg", "html", "png")[: 3 + can_draw()]]
    write_text(paths[0], markdown(comparison))
    write_svg(comparison_chart(comparison), paths[1])
    write_text(paths[2], f"<!doctype html>\n{to_html(page(comparison))}\n")
    if can_draw():
        comparison_picture(comparison, paths[3])
    return paths


def outcome_line(outcome: Outcome, comparison: Comparison) -> Text:
    """A line about a run that has ended."""
    rounds = f", {outcome.rounds} cut{'s' * (outcome.rounds > 1)}" if outcome.rounds else ""
    known = {note for other in comparison.outcomes if other.key != outcome.key for note in other.notes}
    notes = "".join(f". {note}" for note in outcome.notes if note not in known)
    return Text(
        f"{outcome.method}, seed {outcome.seed}: test {comparison.monitor} {metric(outcome.test)} with "
        f"{comparison.left(outcome):.1%} of {COSTS[outcome.measure].title} left; {outcome.epochs} epochs{rounds}, "
        f"{duration(outcome.seconds)}{notes}"
    )
