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
        before: The metric of the network, as it is or settled, whichever is better.
        after: The metric of the cut network, with its BatchNormalization settled, untrained.
        images: On how many test images.
        data: Which data.
    """

    choices: Choices
    monitor: str
    before: float
    after: float
    images: int
    data: str

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
        return (
            f"On {self.images:,} test images of {self.data}, without training. The cut is as previewed, and has the "
            "statistics of BatchNormalization measured again on training images; the model before it has its own, or "
            "measured again too if that is better."
        )
