"""Names that somebody mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name, names: Iterable[str]) -> str | None:
    """Which of `names` is most like `name`; None where there are none."""
    return next(iter(difflib.get_close_matches(str(name), list(names), n=1, cutoff=0)), None)
