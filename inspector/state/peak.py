"""Where the peak of RAM stands."""

from __future__ import annotations

import numpy as np

from firekeras.channels.costs import costs_of_units
from firekeras.channels.graph import ChannelGraph


def peak_layers(graph: ChannelGraph, gone: np.ndarray | None = None) -> frozenset[str]:
    """The layers whose filters lie in RAM at its peak, in the buffers upon each other that make it up.

    Args:
        graph: The network.
        gone: The units that are gone, a mask `(num_units,)`.
    """
    if graph.program is None:  # its file is of an earlier release
        return frozenset()
    at_peak = costs_of_units(graph, "ram", gone) > 0
    if gone is not None:
        at_peak &= ~gone
    return frozenset(name for name in graph.filter_layers if at_peak[graph.filters(name)].any())
