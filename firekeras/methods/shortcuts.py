"""Projection shortcuts: convolutions that run beside a residual block and whose output is added to the block's."""

from __future__ import annotations

from collections.abc import Iterable

from firekeras.channels.walk import visits
from firekeras.network import Network


def projections(network: Network, convolutions: Iterable[str]) -> list[str]:
    """The convolutions that project the input of a residual block, in topological order.

    Of the last two convolutions before an addition, the projection is the one that the other branch
    bypasses: that branch is computed from the projection's input, but not from its output.

    Args:
        network: The network.
        convolutions: The paths of its convolutions, in topological order.
    """
    graph, names = _Calls(network.model), list(convolutions)
    projecting = set()
    for _, node in graph.calls:
        if id(node) in network.sums:
            ends = [end for end in (graph.last(x, names) for x in node.input_tensors) if end]
            projecting |= {path for path, call in ends if any(graph.bypasses(other, call) for _, other in ends)}
    return [path for path in names if path in projecting]


class _Calls:
    """The calls of a model, searched from outputs back to inputs."""

    def __init__(self, model):
        self.calls = [(visit.path, visit.node) for visit in visits(model)]
        self.made_by = {id(tensor): call for call in self.calls for tensor in call[1].outputs}

    def last(self, tensor, convolutions):
        """The last convolution before a tensor, as path and call; None if another branch joins in after it."""
        while id(tensor) in self.made_by:
            path, node = self.made_by[id(tensor)]
            if path in convolutions:
                return path, node
            if len(node.input_tensors) != 1:
                return None
            tensor = node.input_tensors[0]
        return None

    def bypasses(self, other, call) -> bool:
        """Whether `other` is computed, through further calls, from the input of `call`, but not from its output."""
        before = self._behind(other)
        reads_output = id(call.outputs[0]) in before | set(map(id, other.input_tensors))
        return id(call.input_tensors[0]) in before and not reads_output

    def _behind(self, node):
        """The ids of all tensors that the inputs of a call were computed from."""
        left, seen = self._read_for(node.input_tensors), set()
        while left:
            tensor = left.pop()
            seen.add(id(tensor))
            left += [x for x in self._read_for([tensor]) if id(x) not in seen]
        return seen

    def _read_for(self, tensors):
        """The tensors that the calls that made these tensors read."""
        makers = [self.made_by[id(x)][1] for x in tensors if id(x) in self.made_by]
        return [x for maker in makers for x in maker.input_tensors]
