"""A sensitivity analysis as a table for a terminal, and as a chart."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from rich.table import Table
from rich.text import Text

from firekeras.report.fitting import FittingTable
from firekeras.report.series_chart import Series, series_chart
from firekeras.report.tables import metric
from firekeras.studies.sensitivity import Sensitivity


def sensitivity_table(analysis: Sensitivity, tolerance: float) -> Table:
    """A row per layer: the metric without each share of its filters, and how much it can lose.

    Args:
        analysis: The analysis.
        tolerance: How far the metric may fall, as `Sensitivity.rates` takes it.
    """
    title = f"{analysis.monitor}, from {metric(analysis.baseline)}, without a share of one layer's filters"
    shares = [f"{share:.0%}" for share in analysis.shares]
    spare = [*shares[1::2], *shares[0::2]]  # 20%, 40%, ... first
    table = FittingTable(title, ("layer", *shares, f"within {tolerance:g}"), spare=spare)
    rates = analysis.rates(tolerance)
    for name, values in analysis.values.items():
        table.add_row(Text(_titled(analysis, name)), *(f"{value:.3f}" for value in values), f"{rates[name]:.0%}")
    return table


def sensitivity_chart(analysis: Sensitivity) -> Element:
    """A line per layer: the metric against the share of its filters that is gone, in percent."""
    percent = [0.0, *(100 * share for share in analysis.shares)]
    lines = [
        Series(_titled(analysis, name), list(zip(percent, [analysis.baseline, *values.tolist()], strict=True)))
        for name, values in analysis.values.items()
    ]
    return series_chart(lines, f"{analysis.monitor}, untrained", "% of one layer's filters gone")


def _titled(analysis, name):
    others = len(analysis.partners[name]) - 1
    return f"{name} and {others} more" if others else name
