"""Accuracy before and after a cut that nobody has trained, as measured for certain choices."""

from __future__ import annotations

import dataclasses

from inspector.state.choices import Choices


@dataclasses.dataclass(frozen=True)
class Checked:
    """The metric of a network and of a cut of it, on the same images.

    Args:
        choices: The choices of the cut.
        monitor: The name of the metric.
        before: The metric of the network, with its BatchNormalization settled.
        after: That of the cut network, settled too, untrained.
        images: On how many test images.
        data: Which data.
        note: What is suspicious about the network before the cut; empty if nothing is.
    """

    choices: Choices
    monitor: str
    before: float
    after: float
    images: int
    data: str
    note: str = ""

    @property
    def figures(self) -> str:
        """Both figures, and the change."""
        change = self.after - self.before
        shown = f"{100 * change:+.1f} points" if "acc" in self.monitor else f"{change:+.4g}"
        return f"{self.monitor} {self.before:.4f} → {self.after:.4f} ({shown})"

    @property
    def words(self) -> str:
        """The figures, and what they apply to."""
        return f"{self.figures} untrained"

    @property
    def details(self) -> str:
        """How it was measured."""
        how = (
            f"On {self.images:,} test samples of {self.data}, without training. Before the cut and after it, "
            "statistics of BatchNormalization, if there are any, are measured again on training data, as in a run. "
            "Sensitivity (Shift+F9) is measured on training samples, so its figure for the uncut network may differ."
        )
        return f"{how} {self.note}".strip()
