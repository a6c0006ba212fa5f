"""What a sensitivity analysis found: a table for a terminal, and a chart."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from rich import box
from rich.table import Table
from rich.text import Text

from firekeras.report.series_chart import Series, series_chart
from firekeras.report.tables import metric
from firekeras.studies.sensitivity import Sensitivity


def sensitivity_table(found: Sensitivity, tolerance: float) -> Table:
    """A row per layer: the metric without each share of its filters, and how much it can lose.

    Args:
        found: The analysis.
        tolerance: By how much the metric may fall, as `Sensitivity.rates` takes it.
    """
    title = f"{found.monitor}, from {metric(found.baseline)}, without a share of one layer's filters"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("layer", overflow="fold")
    for share in found.shares:
        table.add_column(f"{share:.0%}", justify="right", no_wrap=True)
    table.add_column(f"within {tolerance:g}", justify="right", overflow="fold")
    rates = found.rates(tolerance)
    for name, values in found.values.items():
        table.add_row(Text(_titled(found, name)), *(f"{value:.3f}" for value in values), f"{rates[name]:.0%}")
    return table


def sensitivity_chart(found: Sensitivity) -> Element:
    """A line per layer: the metric against the share of its filters that is gone, in percent."""
    percent = [0.0, *(100 * share for share in found.shares)]
    lines = [
        Series(_titled(found, name), list(zip(percent, [found.baseline, *values.tolist()], strict=True)))
        for name, values in found.values.items()
    ]
    return series_chart(lines, f"{found.monitor}, untrained", "% of one layer's filters gone")


def _titled(found, name):
    others = len(found.partners[name]) - 1
    return f"{name} and {others} more" if others else name
