"""A comparison as a table, a chart and a page."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

from rich import box
from rich.table import Table
from rich.text import Text

from firekeras.atomic import write_text
from firekeras.report.html_report import NOTHING_FROM_OUTSIDE
from firekeras.report.html_style import STYLE
from firekeras.report.markup import tag, to_html
from firekeras.report.series_chart import Series, series_chart, write_svg
from firekeras.report.tables import duration, metric
from firekeras.studies.compare.picture import can_draw, write_png
from firekeras.studies.compare.results import Comparison, Outcome, Summary

NAMES = {"macs": "MACs", "conv_macs": "conv MACs", "params": "parameters"}


def columns(found: Comparison) -> list[str]:
    """The titles of the columns."""
    left = f"{NAMES[found.measure]} left"
    also = "MACs left" if found.measure == "params" else "parameters left"
    return ["method", left, also, "runs", f"test {found.monitor}", "to the baseline", "epochs", "time of a run"]


def rows(found: Comparison) -> list[list[str]]:
    """The baseline, then a row per share and method, the best mean of a share first; those that stopped short last."""
    baseline = ["baseline", "100.0%", "100.0%", "", metric(found.baseline), "", "", ""]
    return [baseline, *(_row(one, found) for one in found.summaries())]


def _row(one: Summary, found) -> list[str]:
    shares = [f"{one.left:.1%}", f"{one.also:.1%}"]
    change = "-" if math.isnan(one.mean) else f"{one.mean - found.baseline:+.4f}"
    return [_name(one), *shares, str(one.runs), _spread(one), change, str(one.epochs), duration(one.seconds)]


def _name(one):
    """The method, and whether it stopped short of the share that was asked for."""
    if not one.short:
        return one.method
    some = "" if one.short == one.runs else f"{one.short} of {one.runs} runs "
    return f"{one.method} ({some}short of {one.share:.0%})"


def _spread(one):
    return metric(one.mean) if math.isnan(one.deviation) else f"{metric(one.mean)} ± {one.deviation:.4f}"


def comparison_table(found: Comparison) -> Table:
    """The rows, for a terminal."""
    title = f"Mean and standard deviation of {found.monitor} on the test data"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns(found)):
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=not number)
    for row in rows(found):
        table.add_row(*map(Text, row))
    return table


def markdown(found: Comparison) -> str:
    """The rows as Markdown, then the terms, and what there is to say of single runs."""
    head = [columns(found), ["---", *["---:"] * (len(columns(found)) - 1)]]
    lines = [f"| {' | '.join(cell.replace('|', ' ') for cell in row)} |" for row in (*head, *rows(found))]
    return "\n".join([*lines, "", *(f"- {note}" for note in (*found.terms, *found.notes))]) + "\n"


def comparison_chart(found: Comparison) -> Element:
    """The metric against what is left: means with standard deviations, and every run."""
    return series_chart(*_charted(found))


def comparison_picture(found: Comparison, path):
    """The same as PNG."""
    (*series, _), heading, x_title, level = _charted(found)
    write_png(series, heading, x_title, level, path)


def _charted(found):
    """What is drawn, and what it is called: series, heading, title of the x axis, level."""
    methods = dict.fromkeys(one.method for one in found.outcomes)
    baseline = Series("baseline", [(100.0, found.baseline)])
    title = f"% of {NAMES[found.measure]} left"
    return [*(_series(found, name) for name in methods), baseline], f"test {found.monitor}", title, found.baseline


def _series(found, method) -> Series:
    """Means and runs of a method, each at what it left."""
    means = sorted((one for one in found.summaries() if one.method == method), key=lambda one: one.left)
    return Series(
        method,
        [(100 * one.left, one.mean) for one in means],
        [one.deviation for one in means],
        [(100 * found.left(one), one.test) for one in found.outcomes if one.method == method],
    )


def page(found: Comparison) -> Element:
    """The table and the chart as one HTML page, with the terms of the comparison in words."""
    titles = [tag("th", title, scope="col", class_="n" if k else "text") for k, title in enumerate(columns(found))]
    body = [_cells(row) for row in rows(found)]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", content=NOTHING_FROM_OUTSIDE, **{"http-equiv": "Content-Security-Policy"}),
        tag("title", "Comparison of pruning methods"),
        tag("style", STYLE),
    )
    notes = [tag("li", note) for note in (*found.terms, *found.notes)]
    parts = [
        tag("h1", "Comparison of pruning methods"),
        tag("div", tag("table", tag("thead", tag("tr", titles)), tag("tbody", body)), class_="wide"),
        comparison_chart(found),
        tag("ul", notes, class_="quiet"),
    ]
    return tag("html", head, tag("body", tag("main", parts)), lang="en")


def _cells(row):
    return tag("tr", tag("th", row[0], scope="row", class_="text"), [tag("td", cell, class_="n") for cell in row[1:]])


def write_report(found: Comparison, folder) -> list[Path]:
    """Writes `comparison.md`, `.svg` and `.html` into a folder, and `.png` with `firekeras[charts]`.

    Returns:
        Their paths.
    """
    paths = [Path(folder) / f"comparison.{ending}" for ending in ("md", "svg", "html", "png")[: 3 + can_draw()]]
    write_text(paths[0], markdown(found))
    write_svg(comparison_chart(found), paths[1])
    write_text(paths[2], f"<!doctype html>\n{to_html(page(found))}\n")
    if can_draw():
        comparison_picture(found, paths[3])
    return paths


def outcome_line(one: Outcome, found: Comparison) -> Text:
    """One line on a run that has ended."""
    rounds = f", {one.rounds} cut{'s' * (one.rounds > 1)}" if one.rounds else ""
    said = {note for other in found.outcomes if other.key != one.key for note in other.notes}
    notes = "".join(f". {note}" for note in one.notes if note not in said)
    return Text(
        f"{one.method}, seed {one.seed}: test {found.monitor} {metric(one.test)} with {found.left(one):.1%} of "
        f"{NAMES[one.measure]} left; {one.epochs} epochs{rounds}, {duration(one.seconds)}{notes}"
    )
