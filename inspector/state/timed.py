"""Latency before and after a cut, as measured for certain choices."""

from __future__ import annotations

import dataclasses

from firekeras.export.latency import Latency
from inspector.state.choices import Choices

PYTHON = 'Some milliseconds of each are Python\'s. Time it in LiteRT: pip install "firekeras[deployment]".'


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
        return f"latency {_ms(before)} → {_ms(after)} ms ({(after - before) / before:+.0%})"

    @property
    def words(self) -> str:
        """The figures, and what they apply to."""
        apart = abs(self.after.median - self.before.median) > self.before.spread + self.after.spread
        return (
            f"{self.figures}, {'measured here' if apart else 'within its noise'}, in {self.before.runtime.split()[0]}"
        )

    @property
    def details(self) -> str:
        """How it was measured."""
        each = "; ".join(
            f"{when} {_ms(latency.median)} ± {_ms(latency.spread)} ms, fastest {_ms(latency.fastest)} ms"
            for when, latency in (("before", self.before), ("after", self.after))
        )
        details = f"Medians of passes with one image, both networks in turn, run by {self.before.runtime}: {each}."
        return details if self.before.runtime == "LiteRT" else f"{details} {PYTHON}"


def _ms(seconds):
    ms = 1e3 * seconds
    return f"{ms:.3g}" if ms < 1000 else f"{ms:.0f}"
