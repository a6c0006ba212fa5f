"""A row per file on the way to the device: accuracy, MACs, parameters, size and latency."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from firekeras.report.tables import metric, new_table, short_number


def stages_table(stages: Sequence) -> Table:
    """The table.

    Args:
        stages: `Stage`s. Shares in brackets are of the first one. An exported file does not tell MACs and
            parameters: it has a dash.
    """
    columns = ("file", "accuracy", "conv MACs", "MACs", "parameters", "size", "fastest pass", "median", "run by")
    table = new_table("On the way to the device", *columns)
    first = stages[0]
    for stage in stages:
        amounts = [_amount(stage, first, field) for field in ("conv_macs", "macs", "params")]
        latency = stage.latency
        size = _share(short_number(stage.size, "B"), stage.size, first.size)
        table.add_row(
            Text(stage.path.name),
            metric(stage.accuracy),
            *amounts,
            size,
            f"{latency.fastest * 1e3:.2f} ms",
            f"{latency.median * 1e3:.2f} ± {latency.spread * 1e3:.2f} ms",
            Text(latency.runtime + (f", {latency.threads} threads" if (latency.threads or 1) > 1 else "")),
        )
    return table


def _amount(stage, first, field):
    if stage.costs is None:
        return "-"
    amount = getattr(stage.costs, field)
    return _share(short_number(amount), amount, first.costs and getattr(first.costs, field))


def _share(shown, amount, whole):
    return f"{shown} ({amount / whole:.0%})" if whole else shown


def layers_table(name: str, seconds) -> Table:
    """Time by layer.

    Args:
        name: Of the file.
        seconds: For each layer, in the order in which they run.
    """
    table = new_table(f"Time by layer of {name}", "layer", "ms", "share")
    total = sum(seconds.values()) or 1
    for layer, each in seconds.items():
        table.add_row(Text(layer), f"{each * 1e3:.3f}", f"{each / total:.1%}")
    return table


def widths_table(latencies, macs) -> Table:
    """Time by width.

    Args:
        latencies: For each width, a `Latency`.
        macs: For each width, the MACs that this takes.
    """
    table = new_table("Four convolutions, by width", "width", "fastest pass", "GMAC/s", "a multiple of")
    for width, latency in latencies.items():
        multiple = next((str(n) for n in (16, 8, 4, 2) if width % n == 0), "")
        rate = macs[width] / latency.fastest / 1e9
        table.add_row(str(width), f"{latency.fastest * 1e3:.3f} ms", f"{rate:.1f}", multiple)
    return table
