"""Projection shortcuts: convolutions beside a residual block, whose output is added to that of the block."""

from __future__ import annotations

from collections.abc import Iterable

from firekeras.channels.walk import visits
from firekeras.network import Network


def projections(network: Network, convolutions: Iterable[str]) -> list[str]:
    """The convolutions that project what a residual block reads, in topological order.

    Of the two last convolutions before an addition, the projection is the one that the other branch
    goes past: from what it reads, and not from what it gives.

    Args:
        network: The network.
        convolutions: The paths of its convolutions, in topological order.
    """
    graph, names = _Calls(network.model), list(convolutions)
    found = set()
    for _, node in graph.calls:
        if id(node) in network.sums:
            ends = [end for end in (graph.last(x, names) for x in node.input_tensors) if end]
            found |= {path for path, one in ends if any(graph.goes_past(other, one) for _, other in ends)}
    return [path for path in names if path in found]


class _Calls:
    """The calls of a model, from what they give back to what they read."""

    def __init__(self, model):
        self.calls = [(visit.path, visit.node) for visit in visits(model)]
        self.made_by = {id(tensor): call for call in self.calls for tensor in call[1].outputs}

    def last(self, tensor, convolutions):
        """The last convolution before a tensor, its path and call, where nothing else joins in after it."""
        while id(tensor) in self.made_by:
            path, node = self.made_by[id(tensor)]
            if path in convolutions:
                return path, node
            if len(node.input_tensors) != 1:
                return None
            tensor = node.input_tensors[0]
        return None

    def goes_past(self, other, one) -> bool:
        """Whether the call `other` is computed, through further calls, from what `one` reads, but not from `one`."""
        before = self._behind(other)
        behind_one = id(one.outputs[0]) in before | set(map(id, other.input_tensors))
        return id(one.input_tensors[0]) in before and not behind_one

    def _behind(self, node):
        """All tensors, by id, that what a call reads was computed from."""
        left, seen = self._read_for(node.input_tensors), set()
        while left:
            tensor = left.pop()
            seen.add(id(tensor))
            left += [x for x in self._read_for([tensor]) if id(x) not in seen]
        return seen

    def _read_for(self, tensors):
        """What was read to compute these tensors."""
        makers = [self.made_by[id(x)][1] for x in tensors if id(x) in self.made_by]
        return [x for maker in makers for x in maker.input_tensors]
