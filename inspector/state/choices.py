"""The choices of a person: ratio or goal, caps and locks. Choices are immutable: undo returns to earlier ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from inspector.state.goals import Goal


@dataclasses.dataclass(frozen=True)
class Choices:
    """The choices that decide which filters go.

    Args:
        ratio: The share of the prunable filters that go, from 0 to below 1.
        caps: The share of the filters of some layers that may go, from 0 to 1.
        locked: Layers that lose nothing; their caps are kept for when they are unlocked.
        round_to: Widths that change become a multiple of this.
        min_keep: No layer falls below this share of its filters, from 0 to 1.
        goal: What the cut is to leave; then the ratio follows. `None` if the ratio decides.
    """

    ratio: float = 0.3
    caps: Mapping[str, float] = dataclasses.field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    round_to: int = 1
    min_keep: float = 0.1
    goal: Goal | None = None

    @property
    def layer_caps(self) -> dict[str, float]:
        """Caps as `plan_pruning` takes them: a locked layer is one whose cap is 0."""
        return {**self.caps, **dict.fromkeys(sorted(self.locked), 0.0)}

    def with_ratio(self, ratio: float) -> Choices:
        """A copy in which a ratio decides, clipped to its range."""
        return dataclasses.replace(self, ratio=min(max(0.0, ratio), 0.99), goal=None)

    def with_caps(self, names: Iterable[str], share: float | None) -> Choices:
        """A copy with a cap on these layers; `None` or 1 removes it."""
        kept = {name: cap for name, cap in self.caps.items() if name not in set(names)}
        if share is None or share >= 1:
            return dataclasses.replace(self, caps=kept)
        return dataclasses.replace(self, caps={**kept, **dict.fromkeys(names, max(0.0, share))})

    def with_locks(self, names: Iterable[str], locked: bool) -> Choices:
        """A copy with these layers locked or unlocked."""
        changed = self.locked | set(names) if locked else self.locked - set(names)
        return dataclasses.replace(self, locked=frozenset(changed))
