"""Measurements, plans and rounds as tables for a terminal. Nothing is printed here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from firekeras.channels.costs import COSTS, SHOWN
from firekeras.refusals import printable
from firekeras.report.fitting import FittingTable
from firekeras.rounds.figures import RoundFigures, figure, ranked_by
from firekeras.rounds.lines import read
from firekeras.rounds.monitor import verdict
from firekeras.terminal import written

STAY = "must stay, because"
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def fire_table(profile: Mapping[str, np.ndarray], reasons: Mapping[str, str]) -> Table:
    """FIRE by layer: the number of filters, their minimum, mean and maximum FIRE, and how many are dead.

    Args:
        profile: FIRE of the filters of each layer, `(filters,)`, in [0, 1] or NaN.
        reasons: Why layers have unscored filters.
    """
    why = "not scored, because"
    columns = ("layer", "filters", "min", "mean", "max", "dead", why)
    table = FittingTable("FIRE by layer", columns, sentences=why, spare=("min", "max", "dead"))
    for name, fire in profile.items():
        table.add_row(Text(name), str(fire.size), *_spread(fire), Text(_unscored(fire, reasons.get(name, ""))))
    return table


def _spread(fire):
    """Minimum, mean and maximum FIRE of the scored filters, and how many never fire."""
    scored = fire[np.isfinite(fire)]
    if not scored.size:
        return ["-"] * 4
    return [f"{scored.min():.3f}", f"{scored.mean():.3f}", f"{scored.max():.3f}", str(int((scored == 1).sum()))]


def _unscored(fire, reason):
    count = int(np.isnan(fire).sum())
    if not count:
        return ""
    return reason if count == fire.size else f"{count} of them: {reason}"


def plan_table(widths: Mapping[str, int], removed: Mapping[str, np.ndarray], reasons: Mapping[str, str]) -> Table:
    """Widths by layer, before and after a cut.

    Args:
        widths: How many filters each layer has.
        removed: The filters that go, by layer.
        reasons: Why layers cannot lose any filter.
    """
    columns = ("layer", "before", "removed", "after", "kept", STAY)
    table = FittingTable("Filters by layer", columns, sentences=STAY, spare=("kept", "after"))
    for name, width in widths.items():
        gone = len(removed.get(name, ()))
        kept = f"{(width - gone) / width:.0%}"
        table.add_row(Text(name), str(width), str(gone or "-"), str(width - gone), kept, Text(reasons.get(name, "")))
    return table


def channels_table(graph) -> Table:
    """Groups of layers that are pruned together: how many filters and units, how many stay, and why.

    Args:
        graph: A `ChannelGraph`.
    """
    columns = ("layers", "filters", "units", "locked", STAY)
    table = FittingTable("Layers that lose filters together", columns, sentences=STAY, spare=("filters", "units"))
    for group in graph.groups:
        units = graph.units_in(group)
        reasons = list(dict.fromkeys(graph.locks[unit] for unit in units.tolist() if unit in graph.locks))
        locked = sum(unit in graph.locks for unit in units.tolist())
        filters = sum(graph.filters(name).size for name in group)
        table.add_row(
            Text("\n".join(group)), str(filters), str(units.size), str(locked or "-"), Text("; ".join(reasons))
        )
    return table


def event_line(event: Mapping, started: Mapping) -> Text:
    """A line about an event of a run.

    Args:
        event: A line of `events.jsonl`, as a dict.
        started: The event that began the run.
    """
    line = LINES.get(event["event"])
    return line(event, started) if line else Text(f"{event['event']}: {event}")


def _start_line(event, started):
    macs = (event.get("costs") or {}).get("conv_macs") or 0
    return Text(f"Baseline: {event.get('monitor') or 'metric'} {metric(event['baseline'])}; {macs:,} conv MACs")


def _round_line(event, started):
    record, cost = read(RoundFigures, event), _cost_of_target(started)
    left = share_left(getattr(record, cost), (started.get("costs") or {}).get(cost, 0))
    outcome = ("kept  ", "green") if record.accepted else ("undone", "red")
    name, head = started.get("monitor") or "metric", f"Round {record.number:>2} "
    after = f"{metric(record.trained)} trained{record.instead}, {record.seconds:.0f} s"
    if not record.filters_removed:
        return Text.assemble(head, outcome, f"  trained to the end; {name} {after}")
    fire = ranked_by(event.get("criterion") or "")
    after += f"; {fire}" if fire.startswith("FIRE") else ""
    cut = "" if math.isnan(record.after_cut) else f"{metric(record.after_cut)} cut, "
    return Text.assemble(head, outcome, f" {left:>6} {SHOWN[cost]}; {name} {cut}{after}")


def _cost_of_target(started) -> str:
    """The cost to show: the first that the target is in, or the conv MACs."""
    return next((name for name in started.get("target") or {} if name in SHOWN), "conv_macs")


def _epoch_line(event, started):
    logs = ", ".join(f"{name} {metric(value)}" for name, value in event["logs"].items() if value is not None)
    return Text(f"          epoch {event['epoch']} of {event['epochs']}: {logs}")


LINES = {
    "start": _start_line,
    "resume": _start_line,
    "round": _round_line,
    "epoch": _epoch_line,
    "note": lambda event, started: Text(event["text"]),
    "stop": lambda event, started: Text(f"Ended: {event['reason']}"),
    "written": lambda event, started: Text(written(event["path"], event.get("replaced", False))),
}


def rounds_table(rounds: Sequence[RoundFigures], conv_macs_before: int, monitor: str) -> Table:
    """A row per round: whether it was kept, how many filters went and by what, the share of MACs left, and the metric.

    Args:
        rounds: The `RoundFigures` of each round.
        conv_macs_before: The conv MACs of the model that the run began with; 0 if it has no convolutions.
        monitor: The name of the metric.
    """
    columns = ("round", "", "gone", "conv MACs", "after cut", "trained", "ranked by", "seconds")
    table = FittingTable(f"Rounds, and {monitor}", columns, spare=("seconds", "ranked by", "gone"))
    for record in rounds:
        cut = (str(record.filters_removed or "-"), share_left(record.conv_macs, conv_macs_before))
        metrics = (metric(record.after_cut), f"{metric(record.trained)}{record.instead}")
        outcome = Text(record.outcome, "green" if record.accepted else "red")
        table.add_row(
            str(record.number), outcome, *cut, *metrics, printable(ranked_by(record.criterion)), f"{record.seconds:.1f}"
        )
    return table


def outcome_lines(result) -> list[Text]:
    """Lines about a run beside its figures: whether it is within the tolerance, notes, and its time.

    Args:
        result: A `CompressionResult`.
    """
    rounds = f"Epochs: {result.epochs}; rounds: {len(result.rounds)}."
    notes = (f"Note: {note}" for note in result.notes)
    lines = [f"{came_to(result)} {rounds}", *notes, time_line(result.time)]
    return [Text(line) for line in lines if line]


def came_to(result) -> str:
    """A sentence about what a run did to the metric, and whether that is within its tolerance.

    Args:
        result: A `CompressionResult` or a `RunReport`.
    """
    went = f"{result.monitor} went from {metric(result.baseline)} to {metric(result.accuracy)}"
    return f"On held-out data {went}, {verdict(result)}."


def time_line(seconds: Mapping[str, float]) -> str:
    """How a run spent its time, the longest part first; empty if unknown.

    Args:
        seconds: Seconds by part.
    """
    parts = sorted(seconds.items(), key=lambda part: -part[1])
    spent = ", ".join(f"{name} {duration(each)}" for name, each in parts if each >= 0.5)
    return f"Time: {spent}." if spent else ""


def metric(value: float | None) -> str:
    """A metric as `figure` writes it; a dash if it is not a number."""
    return "-" if value is None or not math.isfinite(value) else figure(value)


def share_left(part, whole) -> str:
    """A part as a percentage of a whole; a dash if that is nothing."""
    return f"{part / whole:.1%}" if whole and part is not None else "-"


def comparison_table(rows: Sequence[tuple[str, str, str, str]]) -> Table:
    """Before and after, side by side.

    Args:
        rows: (title, before, after, change), as `cost_rows` and `metric_row` return them.
    """
    table = FittingTable("Before and after", ("", "before", "after", "change"), spare=("change",))
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def cost_rows(before, after) -> list[tuple[str, str, str, str]]:
    """Rows for two `Costs`: convolution MACs and all MACs per sample, parameters, RAM and file size where known."""
    titles, old, new = {**SHOWN, "macs": before.macs_title}, before.totals, after.totals
    known = [name for name in titles if name in old and name in new]
    rows = [amount_row(titles[name], old[name], new[name], COSTS[name].unit) for name in known]
    return [*rows, *_predicted_row(before.latency, after.latency)]


def _predicted_row(before, after):
    """The row for the latency that a table predicts, in milliseconds, if one does."""
    if before is None or after is None:
        return []
    return [("latency by the table, ms", f"{1e3 * before:.4g}", f"{1e3 * after:.4g}", _left(after, before))]


def amount_row(title: str, before: float, after: float, unit: str = "") -> tuple[str, str, str, str]:
    """A row for an amount that should fall, with what is left of it in percent."""
    return title, short_number(before, unit), short_number(after, unit), _left(after, before)


def _left(part, whole):
    return f"{part / whole:.1%} left" if whole else ""


def metric_row(title: str, before: float, after: float) -> tuple[str, str, str, str]:
    """A row for a metric, such as accuracy as a share of 1, with its absolute change."""
    digits = ".4f" if max(abs(before), abs(after)) >= 0.1 else ".4g"
    change = after - before
    return title, metric(before), metric(after), "-" if math.isnan(change) else f"{change:+{digits}}"


def latency_row(before, after) -> tuple[str, str, str, str]:
    """A row for two `Latency`: the median of one forward pass, and its spread, in milliseconds.

    A change is given only if the intervals do not overlap.
    """
    title, apart = f"measured latency, batch of {before.batch_size}", after.median - before.median
    clear = abs(apart) > before.spread + after.spread
    change = _left(after.median, before.median) if clear else "no clear change"
    return title, _milliseconds(before), _milliseconds(after), change


def _milliseconds(latency):
    return f"{latency.median * 1e3:.2f} ± {latency.spread * 1e3:.2f} ms"


def short_number(value: float, unit: str = "") -> str:
    """A number with at most four digits and k, M or G: 1493000 becomes "1.493 M"."""
    factor, prefix = next(((f, p) for f, p in UNITS if value >= f), (1, ""))
    digits = max(0, 3 - math.floor(math.log10(value / factor))) if factor > 1 else 0
    return f"{value / factor:.{digits}f} {prefix}{unit}".rstrip()


def duration(seconds) -> str:
    """A duration for people: `"45 s"`, `"12 min"`, `"3.5 h"`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
