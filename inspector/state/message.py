"""What the window says above everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Message:
    """A note or an error, with a button for the next step if there is one.

    Args:
        text: The text.
        error: Whether it is an error.
        way_out: The label of the button; empty for no button.
        then: What the button calls.
        holds: Whether the text is still true. Defaults to always.
    """

    text: str = ""
    error: bool = False
    way_out: str = ""
    then: Callable[[], object] = lambda: None
    holds: Callable[[], bool] = lambda: True
