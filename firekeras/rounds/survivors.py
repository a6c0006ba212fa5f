"""Which filters of the first network are left: each cut renumbers them, and reports refer to the first network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np


class Survivors:
    """The filters that are left, by their indices in the network that a run began with.

    Args:
        widths: How many filters each layer of that network has.

    Example:
    >>> from firekeras.rounds.survivors import Survivors
    >>> survivors = Survivors({"conv1": 4})
    >>> survivors.cut({"conv1": [0]})
    >>> survivors.cut({"conv1": [0]})
    >>> survivors.removed
    {'conv1': [0, 1]}
    """

    def __init__(self, widths: Mapping[str, int]):
        self._widths = dict(widths)
        self._left = {name: np.arange(width) for name, width in widths.items()}

    def cut(self, removed: Mapping[str, Iterable[int]]):
        """Removes filters.

        Args:
            removed: The filters that go, by layer, as indices in the network that is being cut.
        """
        for name, filters in removed.items():
            self._left[name] = np.delete(self._left[name], np.asarray(filters, "int64"))

    @property
    def removed(self) -> dict[str, list[int]]:
        """The removed filters of each layer that has lost some, ascending."""
        gone = {name: np.setdiff1d(np.arange(width), self._left[name]) for name, width in self._widths.items()}
        return {name: filters.tolist() for name, filters in gone.items() if filters.size}
