"""The report of a run as one HTML file that needs no network connection and runs no script."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from firekeras.atomic import write_text
from firekeras.channels.costs import SHOWN
from firekeras.refusals import printable
from firekeras.report import charts
from firekeras.report.heatmap import sorted_fire
from firekeras.report.html_style import STYLE, fire_style
from firekeras.report.markup import tag, to_html
from firekeras.report.run_report import RunReport, moment
from firekeras.report.tables import metric, share_left
from firekeras.rounds.figures import ranked_by
from firekeras.scores.profile import FireProfile

LEVELS = 32  # colours of FIRE
NOTHING_FROM_OUTSIDE = "default-src 'none'; style-src 'unsafe-inline'"
NUMBER, PICTURE, TEXT = "n", "picture", "text"  # kinds of columns, as the style knows them
ROUND_COLUMNS = {
    "round": NUMBER,
    "outcome": TEXT,
    "ratio": NUMBER,
    "filters out": NUMBER,
    "ranked by": TEXT,
    "after cut": NUMBER,
    "trained": NUMBER,
    **{f"{title} left": NUMBER for title in SHOWN.values()},
    "epochs": NUMBER,
    "seconds": NUMBER,
}
COST_COLUMNS = {"": TEXT, "before": NUMBER, "after": NUMBER, "change": NUMBER}
WIDTH_COLUMNS = {"layer": TEXT, "before": NUMBER, "after": NUMBER, "kept": NUMBER, "filters": PICTURE}
FIRE_COLUMNS = {
    "layer": TEXT,
    "filters": NUMBER,
    "mean": NUMBER,
    "never fire": NUMBER,
    "most to least active filter": PICTURE,
}


def write_html(
    settings: Mapping,
    events: Sequence[Mapping],
    profile: FireProfile | None,
    path: str | Path,
    *,
    abandoned: bool = False,
):
    """Writes the report of a run, finished or still running; the file is written completely or not at all.

    Args:
        settings: The contents of `run.json`.
        events: The lines of `events.jsonl`, parsed, in order.
        profile: The profile that was measured last, for a picture of FIRE; or None.
        path: The file, `NAME.html`. Its folder must exist.
        abandoned: As in `RunReport.of`. Defaults to False.

    Raises:
        ValueError: If something is missing that every run has, or the path does not end in `.html`.

    Example:
    >>> from firekeras.report.html_report import write_html
    >>> from firekeras.rounds.run_directory import RunDirectory
    >>> run = RunDirectory.open("runs/a")
    >>> write_html(run.settings, run.events(), None, "report.html")
    """
    if Path(path).suffix != ".html":
        raise ValueError(f"Expected a path that ends in .html for the page. Received: {path}.")
    run = RunReport.of(settings, events, abandoned=abandoned)
    write_text(path, f"<!doctype html>\n{to_html(page(settings, run, profile))}\n")


def page(settings: Mapping, run: RunReport, profile: FireProfile | None) -> Element:
    """The whole report, as a tree."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", content=NOTHING_FROM_OUTSIDE, **{"http-equiv": "Content-Security-Policy"}),
        tag("title", f"{run.model}: {run.state}"),
        tag("style", STYLE, fire_style(LEVELS)),
    )
    parts = [*_summary(run), *_charts(run), *_rounds(run), *_layers(run), *_fire(profile), *_settings(settings)]
    return tag("html", head, tag("body", tag("main", parts, _footer(settings, run))), lang="en")


def _summary(run):
    return [
        tag("h1", run.model),
        tag("p", run.status[:1].upper() + run.status[1:], class_=f"state {run.state}"),
        tag("p", run.tally, class_="quiet"),
        *([tag("p", run.time_spent, class_="quiet")] if run.time_spent else []),
        _table("Before and after", COST_COLUMNS, run.comparison()),
    ]


def _charts(run):
    if not run.rounds and not run.progress:
        return [tag("p", "No round has ended yet."), *_notes(run)]
    limit = [("limit", f"limit of tolerance {metric(run.limit)}")] if math.isfinite(run.limit) else []
    levels = [("baseline", f"baseline {metric(run.baseline)}"), *limit]
    tuned = [("tuned", "trained, kept"), *([("undone", "trained, undone")] if run.undone else [])]
    figures = [
        _figure(charts.accuracy_chart(run), f"{run.monitor} by round", [*tuned, ("cut", "after the cut"), *levels]),
        _figure(charts.frontier_chart(run), f"{run.monitor} against MACs left", [*tuned, *levels]),
    ]
    table = [tag("p", tag("a", "The same as a table", href="#rounds"))] if run.rounds else []
    return [tag("div", figures, class_="charts"), *table, *_not_drawn(run)]


def _figure(chart, title, keys):
    legend = [tag("span", charts.key(kind), words) for kind, words in keys]
    return tag("figure", tag("h2", title), chart, tag("figcaption", legend))


def _not_drawn(run):
    """A sentence on the rounds that are missing in the charts."""
    missing = [str(record.number) for record in run.rounds if metric(record.accuracy) == "-"]
    if not missing:
        return []
    return [tag("p", f"Not drawn, since {run.monitor} was not a number: round {', '.join(missing)}.", class_="quiet")]


def _rounds(run):
    if not run.rounds:
        return []
    details = list(dict.fromkeys(name for record in run.rounds for name in record.details))
    columns = {**ROUND_COLUMNS, **{printable(name): NUMBER for name in details}}
    rows = [_round_row(run, record, details) for record in run.rounds]
    return [tag("h2", "Rounds", id="rounds"), _wide(_table("", columns, rows), "Rounds"), *_notes(run)]


def _notes(run):
    notes = [tag("li", note) for note in run.notes]
    return [tag("ul", notes, class_="quiet")] if notes else []


def _round_row(run, record, details):
    verdict = tag("span", record.outcome, class_="kept" if record.accepted else "undone")
    costs = [share_left(getattr(record, name), getattr(run.costs_before, name)) for name in SHOWN]
    further = [_figures(record.details.get(name, math.nan)) for name in details]
    metrics = (metric(record.after_cut), f"{metric(record.trained)}{record.instead}")
    cut = (_figures(record.pruning_ratio), record.filters_removed) if record.filters_removed else ("-", "-")
    by = printable(ranked_by(record.criterion))
    took = ("-" if record.epochs is None else record.epochs, f"{record.seconds:.1f}")
    return (record.number, verdict, *cut, by, *metrics, *costs, *took, *further)


def _layers(run):
    """Widths as a table with a bar in each row, readable by screen readers too."""
    after, widest = run.widths_after, max(run.widths_before.values(), default=1)
    rows = [
        (printable(name), before, after[name], share_left(after[name], before), _bar(before, after[name], widest))
        for name, before in run.widths_before.items()
    ]
    caption = "Filters left (strong) of the original ones (pale)."
    return [
        tag("h2", "Filters by layer"),
        _wide(_table(caption, WIDTH_COLUMNS, rows), "Filters by layer"),
    ]


def _bar(before, after, widest):
    widths = (("before", before), ("after", after))
    bars = [tag("rect", class_=name, width=f"{100 * width / widest:.2f}", height=1) for name, width in widths]
    return tag("svg", bars, class_="bar", viewBox="0 0 100 1", preserveAspectRatio="none", aria_hidden="true")


def _fire(profile):
    """FIRE as a table with a strip in each row; together the strips are the heatmap."""
    scored = sorted_fire(profile) if profile is not None else {}
    if not scored:
        return []
    rows = [(printable(name), *_spread(fire), _strip(fire)) for name, fire in scored.items()]
    others = len(profile) - len(scored)
    caption = (
        f"FIRE, the share of zeros among a filter's ReLU outputs, measured on {profile.samples} samples. Each strip"
        f" holds a layer's filters from the most to the least active. Layers without FIRE, not shown: {others}."
    )
    return [
        tag("h2", "FIRE by layer"),
        tag("p", caption, class_="quiet"),
        tag("p", "FIRE 0", _strip(np.linspace(0, 1, LEVELS), "scale"), "1", class_="quiet"),
        _wide(_table("", FIRE_COLUMNS, rows, class_="fire"), "FIRE by layer"),
    ]


def _spread(fire):
    finite = fire[np.isfinite(fire)]
    return fire.size, f"{finite.mean():.3f}", int((finite == 1).sum())


def _strip(fire, class_="strip"):
    """Sorted FIRE, `(filters,)`, as one rectangle per colour."""
    level = np.where(np.isnan(fire), LEVELS, np.minimum(np.nan_to_num(fire) * LEVELS, LEVELS - 1)).astype(int)
    levels, starts, widths = np.unique(level, return_index=True, return_counts=True)
    shades = [f"f{k}" if k < LEVELS else "unscored" for k in levels]
    places = zip(shades, starts.tolist(), widths.tolist(), strict=True)
    runs = [tag("rect", class_=shade, x=x, width=width, height=1) for shade, x, width in places]
    box = f"0 0 {fire.size} 1"
    return tag("svg", runs, class_=class_, viewBox=box, preserveAspectRatio="none", aria_hidden="true")


def _settings(settings):
    """Everything in `run.json` about how the run was made."""
    fields = {key: settings.get(key) for key in ("created", "backend", "method")}
    fields |= settings.get("source") or {}
    fields |= {**(settings.get("settings") or {}), **(settings.get("versions") or {})}
    rows = [(printable(key), _as_json(value)) for key, value in fields.items() if value is not None]
    return [
        tag(
            "details",
            tag("summary", "Settings and versions"),
            _wide(_table("", {"": TEXT, "value": TEXT}, rows), "Settings"),
        )
    ]


def _footer(settings, run):
    version = (settings.get("versions") or {}).get("firekeras", "")
    until = f", as of {run.last_event}" if run.last_event else ""
    return tag("footer", printable(f"firekeras {version}: run of {moment(settings.get('created', ''))}{until}."))


def _table(caption, columns, rows, **attributes):
    """A table with a header for every row and column; `columns` maps titles to kinds."""
    heads = [tag("th", title, scope="col", class_=kind) for title, kind in columns.items()]
    head = [tag("caption", caption)] if caption else []
    body = [_row(row, list(columns.values())) for row in rows]
    return tag("table", head, tag("thead", tag("tr", heads)), tag("tbody", body), **attributes)


def _row(row, kinds):
    cells = [tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)]
    return tag("tr", tag("th", row[0], scope="row", class_=kinds[0]), cells)


def _wide(table, label):
    """Lets a table that is wider than a phone, or very long, scroll by itself, also by keyboard."""
    return tag("div", table, class_="wide", role="region", aria_label=label, tabindex=0)


def _figures(value):
    """A number with up to four digits, a dash for none; anything else as JSON."""
    if value is None or isinstance(value, float):
        return f"{value:.4g}" if value is not None and math.isfinite(value) else "-"
    return ("no", "yes")[value] if isinstance(value, bool) else _as_json(value)


def _as_json(value):
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
