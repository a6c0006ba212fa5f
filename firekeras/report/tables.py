"""What was measured, planned and done, as tables for a terminal. Nothing is printed in here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def fire_table(profile: Mapping[str, np.ndarray], reasons: Mapping[str, str]) -> Table:
    """FIRE by layer: how many filters, their least, mean and greatest FIRE, how many are dead.

    Args:
        profile: For each layer, FIRE of its filters, `(filters,)`, in [0, 1] or NaN.
        reasons: For layers with unscored filters, why.
    """
    table = new_table("FIRE by layer", "layer", "filters", "min", "mean", "max", "dead", "not scored, because")
    table.columns[-1].justify = "left"
    for name, fire in profile.items():
        table.add_row(Text(name), str(fire.size), *_spread(fire), Text(_unscored(fire, reasons.get(name, ""))))
    return table


def _spread(fire):
    """Least, mean and greatest FIRE of the scored filters, and how many never fire."""
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
        widths: For each layer, how many filters it has.
        removed: For each layer that loses filters, which.
        reasons: For layers none of whose filters may go, why.
    """
    table = new_table("Filters by layer", "layer", "before", "removed", "after", "kept", "must stay, because")
    table.columns[-1].justify = "left"
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
    table = new_table("Layers that lose filters together", "layers", "filters", "units", "locked", "must stay, because")
    table.columns[-1].justify = "left"
    for group in graph.groups:
        units = np.unique(np.concatenate([graph.filters(name) for name in group]))
        reasons = list(dict.fromkeys(graph.locks[unit] for unit in units.tolist() if unit in graph.locks))
        locked = sum(unit in graph.locks for unit in units.tolist())
        filters = sum(graph.filters(name).size for name in group)
        table.add_row(
            Text("\n".join(group)), str(filters), str(units.size), str(locked or "-"), Text("; ".join(reasons))
        )
    return table


def event_line(event: Mapping, started: Mapping) -> Text:
    """One line on what happened in a run.

    Args:
        event: A line of `events.jsonl`, as a dict.
        started: That of the run's start.
    """
    line = LINES.get(event["event"])
    return line(event, started) if line else Text(f"{event['event']}: {event}")


def _start_line(event, started):
    macs = (event.get("costs") or {}).get("conv_macs") or 0
    return Text(f"Baseline: {event.get('monitor') or 'metric'} {metric(event['baseline'])}; {macs:,} conv MACs")


def _round_line(event, started):
    verdict = ("kept  ", "green") if event["accepted"] else ("undone", "red")
    before = (started.get("costs") or {}).get("conv_macs", 0)
    name, head = started.get("monitor") or "metric", f"Round {event['number']:>2} "
    after = f"{metric(event['accuracy'])} trained, {event['seconds']:.0f} s"
    if not event["filters_removed"]:
        return Text.assemble(head, verdict, f"  trained to the end; {name} {after}")
    cut = "" if event["accuracy_after_cut"] is None else f"{metric(event['accuracy_after_cut'])} cut, "
    return Text.assemble(head, verdict, f" {_share(event['conv_macs'], before):>6} conv MACs; {name} {cut}{after}")


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
    "written": lambda event, started: Text(f"Written: {event['path']}"),
}


def rounds_table(rounds: Sequence, conv_macs_before: int, monitor: str) -> Table:
    """A row per round: whether it was kept, what went, the share of MACs left, and the metric.

    Args:
        rounds: `RoundRecord`s, or others with the same fields.
        conv_macs_before: Of the model that the run began with; 0 where it has no convolutions.
        monitor: The name of the metric that was watched.
    """
    columns = ("round", "", "filters out", "conv MACs", "after cut", "trained", "seconds")
    table = new_table(f"Rounds, and {monitor}", *columns)
    for one in rounds:
        word = outcome(one)
        cut = (str(one.filters_removed or "-"), _share(one.conv_macs, conv_macs_before))
        metrics = (metric(after_cut(one)), metric(one.accuracy))
        colour = "red" if word == "undone" else "green"
        table.add_row(str(one.number), Text(word, colour), *cut, *metrics, f"{one.seconds:.1f}")
    return table


def outcome(one) -> str:
    """What became of a round: `"kept"`, `"undone"`, or `"training"` if it cut nothing."""
    if not one.accepted:
        return "undone"
    return "kept" if one.filters_removed else "training"


def after_cut(one) -> float:
    """The metric right after the cut of a round; NaN if it cut nothing."""
    return one.accuracy_after_cut if one.filters_removed else math.nan


def outcome_lines(result) -> list[Text]:
    """What is to be said of a run beside its figures: whether it is within the tolerance, notes, and its time.

    Args:
        result: A `CompressionResult`.
    """
    where = "within" if result.within_tolerance else "outside"
    verdict = (
        f"On held-out data {result.monitor} went from {metric(result.baseline)} to {metric(result.accuracy)}, {where} "
        f"the tolerance of {result.tolerance:g}. Epochs: {result.epochs}; rounds: {len(result.rounds)}."
    )
    lines = [verdict, *(f"Note: {note}" for note in result.notes), time_line(result.time)]
    return [Text(line) for line in lines if line]


def time_line(seconds: Mapping[str, float]) -> str:
    """How time was spent, the longest part first; empty if nobody knows.

    Args:
        seconds: By part.
    """
    parts = sorted(seconds.items(), key=lambda part: -part[1])
    told = ", ".join(f"{name} {duration(spent)}" for name, spent in parts if spent >= 0.5)
    return f"Time: {told}." if told else ""


def metric(value: float | None) -> str:
    """Four digits after the point, four significant ones of small numbers; a dash if there is no number."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.4f}" if abs(value) >= 0.1 or not value else f"{value:.4g}"


def _share(part, whole):
    return f"{part / whole:.1%}" if whole else "-"


def comparison_table(rows: Sequence[tuple[str, str, str, str]]) -> Table:
    """Before and after, side by side.

    Args:
        rows: What it is, before, after, and what has become of it; as `cost_rows` and
            `metric_row` give them.
    """
    table = new_table("Before and after", "", "before", "after", "change")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def cost_rows(before, after) -> list[tuple[str, str, str, str]]:
    """Rows for two `Costs`: convolution MACs and all MACs per sample, and parameters."""
    named = (("conv MACs", "conv_macs"), (before.macs_title, "macs"), ("parameters", "params"))
    return [amount_row(title, getattr(before, field), getattr(after, field)) for title, field in named]


def amount_row(title: str, before: float, after: float, unit: str = "") -> tuple[str, str, str, str]:
    """A row for an amount that should fall, with by how much it did."""
    change = f"{(after - before) / before:+.1%}" if before else ""
    return title, short_number(before, unit), short_number(after, unit), change


def metric_row(title: str, before: float, after: float) -> tuple[str, str, str, str]:
    """A row for a metric, such as accuracy as a share of 1; the change is in the same absolute terms."""
    digits = ".4f" if max(abs(before), abs(after)) >= 0.1 else ".4g"
    change = after - before
    return title, metric(before), metric(after), "-" if math.isnan(change) else f"{change:+{digits}}"


def latency_row(before, after) -> tuple[str, str, str, str]:
    """A row for two `Latency`: the median of one forward pass, and its spread, in milliseconds."""
    title = f"measured latency, batch of {before.batch_size}"
    change = f"{(after.median - before.median) / before.median:+.1%}"
    return title, _milliseconds(before), _milliseconds(after), change


def _milliseconds(latency):
    return f"{latency.median * 1e3:.2f} ± {latency.spread * 1e3:.2f} ms"


def short_number(value: float, unit: str = "") -> str:
    """Four digits at most, with k, M or G: 1493000 gives "1.493 M"."""
    factor, prefix = next(((f, p) for f, p in UNITS if value >= f), (1, ""))
    digits = max(0, 3 - math.floor(math.log10(value / factor))) if factor > 1 else 0
    return f"{value / factor:.{digits}f} {prefix}{unit}".rstrip()


def new_table(title, *columns):
    """A table whose first column is to the left, and whose numbers are to the right."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def duration(seconds) -> str:
    """Seconds as people say them: `"45 s"`, `"12 min"`, `"3.5 h"`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
