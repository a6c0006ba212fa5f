"""Latency before and after a cut, as measured for certain choices."""

from __future__ import annotations

import dataclasses
import math

from firekeras.export.latency import Latency
from inspector.state.choices import Choices

PYTHON = 'Some milliseconds of each are Python\'s. Measure it in LiteRT: pip install "firekeras[deployment]".'


@dataclasses.dataclass(frozen=True)
class Timed:
    """The latencies of a network and a cut of it, measured side by side.

    Args:
        choices: The choices of the cut.
        before: The `Latency` of the network.
        after: The `Latency` of the cut network.
    """

    choices: Choices
    before: Latency
    after: Latency

    @property
    def figures(self) -> str:
        """Both medians, and the change."""
        before, after = self.before.median, self.after.median
        decimals = _decimals(max(self.before.spread, self.after.spread), max(before, after))
        change = f" ({(after - before) / before:+.0%})" if self.differ else ""
        return f"latency {_ms(before, decimals)} → {_ms(after, decimals)} ms{change}"

    @property
    def differ(self) -> bool:
        """Whether the latencies are further apart than their noise."""
        return abs(self.after.median - self.before.median) > self.before.spread + self.after.spread

    @property
    def words(self) -> str:
        """The figures, and what they apply to."""
        what = "measured here" if self.differ else "no difference measurable"
        return f"{self.figures}, {what}, in {self.before.runtime.split()[0]}"

    @property
    def details(self) -> str:
        """How it was measured."""
        each = "; ".join(
            f"{when} {_with_spread(latency)}" for when, latency in (("before", self.before), ("after", self.after))
        )
        details = f"Median over alternating runs, batch size 1, in {self.before.runtime}: {each}."
        return details if self.before.runtime == "LiteRT" else f"{details} {PYTHON}"


def _with_spread(latency):
    decimals = _decimals(latency.spread, latency.median)
    median, spread, fastest = (_ms(value, decimals) for value in (latency.median, latency.spread, latency.fastest))
    return f"{median} ± {spread} ms, fastest {fastest} ms"


def _decimals(spread, median):
    """As many decimals as show one digit of a spread, or three digits of a median if it has no spread."""
    size = spread or median / 100
    return min(6, max(0, -math.floor(math.log10(1e3 * size)))) if size > 0 else 0


def _ms(seconds, decimals):
    return f"{1e3 * seconds:.{decimals}f}"
