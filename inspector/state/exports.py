"""Exports: the table as CSV, and FIRE for Netron, which shows it beside each layer."""

from __future__ import annotations

import collections
import csv
import io
import json
import math

from firekeras.atomic import write_text
from firekeras.channels.costs import SHOWN
from firekeras.channels.graph import ChannelGraph
from inspector.state import words
from inspector.state.changes import change
from inspector.state.session import Session

COLUMNS = (
    *("layer", "type", "output_shape", "filters", "macs", "params"),
    *(
        "criterion",
        "mean_score",
        "cap",
        "filters_after",
        "macs_after",
        "params_after",
        "macs_change",
        "params_change",
        "must_stay_because",
    ),
)


def write_table(session: Session, path):
    """Writes the table as CSV, completely or not at all."""
    write_text(path, table_text(session))


def table_text(session: Session) -> str:
    """The table as CSV, a row per layer; missing values are empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(session, row) for row in session.rows)
    return text.getvalue()


def _row(session, row):
    cut = session.cut
    own = cut.costs.by_layer.get(row.name)
    macs, params = (own.macs, own.params) if own else (0, 0)
    return [
        *(row.name, row.kind, row.shape, row.filters, row.macs, row.params),
        session.need_measured().scores.criterion,
        "" if math.isnan(row.fire) else repr(row.fire),
        session.choices.layer_caps.get(row.name, ""),
        cut.widths[row.name],
        *(macs, params, change(row.macs, macs), change(row.params, params)),
        row.locked,
    ]


def write_filters(session: Session, path):
    """Writes the score, the rank and the fate of each filter as CSV, completely or not at all."""
    write_text(path, filters_text(session))


def filters_text(session: Session) -> str:
    """All filters as CSV, a row per filter; missing values are empty, and the rank counts from 1."""
    measured, hatched = session.need_measured(), session.hatched
    criterion, places = measured.scores.criterion, measured.places
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["layer", "filter", "criterion", "score", "rank", "removed"])
    for row in session.rows:
        for filter in range(row.filters):
            number = measured.number(row.name, filter)
            score, place = float(measured.planner.fire[number]), int(places[number])
            known = "" if math.isnan(score) else repr(score)
            writer.writerow([row.name, filter, criterion, known, place or "", int(hatched[number])])
    return text.getvalue()


def write_netron(session: Session, path):
    """Writes an attachment for Netron: dropped onto the open model, it shows these numbers with each layer."""
    write_text(path, json.dumps(netron_attachment(session), indent=1))


def netron_attachment(session: Session) -> dict:
    """Mean FIRE, filters that stay, MACs and parameters of each layer, and totals, in the format that Netron reads."""
    metrics = [metric for row in session.rows for metric in _metrics(session, row)]
    return {"signature": "netron:attachment", "metadata": [], "metrics": [*metrics, *_totals(session)]}


def _metrics(session, row):
    numbers = {
        f"{words.score_name(session)}, mean": row.fire,
        "filters": row.filters,
        "filters after": session.cut.widths[row.name],
        "MACs": row.macs,
        "parameters": row.params,  # Netron's own name for it, so Netron leaves out its own count
    }
    known = [(name, value) for name, value in numbers.items() if not math.isnan(value)]
    targets = netron_names(session.need_opened().graph, row.name)
    return [_metric("node", target, name, value) for target in targets for name, value in known]


def netron_names(graph: ChannelGraph, layer: str) -> list[str]:
    """The name of a layer in Netron.

    The name is its path; if it is called several times, with the number of the call, `"conv[0]"`. In a nested model
    that is called several times, the name is the path within that model, and only if no other layer could be meant.

    Args:
        graph: The `ChannelGraph`.
        layer: The layer's name.
    """
    calls = graph.layers[layer].calls
    if calls < 2:
        return [layer]
    ends = collections.Counter(end for name in graph.layers for end in _ends(name))
    names = [end for end in _ends(layer) if end == layer or ends[end] == 1]
    return [*names, *(f"{name}[{call}]" for name in names for call in range(calls))]


def _ends(path):
    """The path, and the path without one or more of its models."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _totals(session):
    measured = session.need_measured()
    states = {"": measured.costs, " after": session.cut.costs}
    known = [(cost, title, when, costs.totals) for cost, title in SHOWN.items() for when, costs in states.items()]
    return [_metric("model", "", title + when, totals[cost]) for cost, title, when, totals in known if cost in totals]


def _metric(kind, target, name, value):
    number = "int64" if isinstance(value, int) else "float64"
    return {"kind": kind, "target": target, "name": name, "value": value, "type": number}
