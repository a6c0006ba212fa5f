"""Layer caps: by name, by pattern or by type of layer, resolved to single layers."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from firekeras.channels.graph import ChannelGraph
from firekeras.refusals import check_share, listed, nearest_first, suggestion

SURE = 0.8  # names look like types by chance: 'conv1' is no mistyped 'Conv2D'


def resolve_caps(graph: ChannelGraph, caps: Mapping[str, float]) -> dict[str, float]:
    """The cap of each layer that has one.

    A key is the name of a layer, `"conv1"`, a shell-style pattern of names, `"block1_*"`, or a type of
    layer, `"Conv2D"`. The more specific key wins: a name over a pattern, a pattern over a type; of
    several patterns the tightest.

    Args:
        graph: The network.
        caps: For each key, the share of the original filters that its layers may lose, 0 to 1.

    Raises:
        ValueError: If a key matches no layer (suggests the nearest that does), or a share is out of range.
    """
    if not isinstance(caps, Mapping):
        raise ValueError(f"layer_caps are shares by layer, such as {{'conv1': 0.5}}. Received: {caps!r}.")
    known: dict[str, tuple[int, float]] = {}
    for key, share in caps.items():
        check_share(f"The cap of {key!r}", share, "the share of a layer's filters that may go")
        precedence, names = _layers_of(graph, key)
        for name in names:
            known[name] = min(known.get(name, (precedence, share)), (precedence, share))
    return {name: share for name, (_, share) in known.items()}


def without_uncapped(graph: ChannelGraph, caps: Mapping[str, float]) -> ChannelGraph:
    """The graph in which filters that go only if a cap names their layer are locked if none does.

    Units of recurrent layers and attention heads are no filters to most people who prune a network: they are left
    alone unless somebody asks for them.

    Args:
        graph: The network.
        caps: The cap of each layer that has one, as `resolve_caps` gives them.
    """
    names = [name for name in graph.filter_layers if graph.layers[name].needs_cap and name not in caps]
    if not names:
        return graph
    locked = graph.copy()
    for name in names:
        reason = (
            "recurrent units and attention heads go only if a cap names their layer, such as "
            f"layer_caps={{{name!r}: 0.5}}"
        )
        for unit in graph.filters(name).tolist():
            locked.locks.setdefault(unit, reason)
    return locked


def _layers_of(graph, key) -> tuple[int, list[str]]:
    """How general a key is, 0 for a name, and the layers that it matches."""
    if key in graph.filter_layers:
        return 0, [key]
    matched = fnmatch.filter(graph.filter_layers, key) if any(sign in key for sign in "*?[") else []
    if matched:
        return 1, matched
    of_type = [name for name in graph.filter_layers if graph.layers[name].kind == key]
    if not of_type:
        raise ValueError(_unknown(graph, key))
    return 2, of_type


def _unknown(graph, key):
    names, kinds = list(graph.filter_layers), sorted({graph.layers[name].kind for name in graph.filter_layers})
    hint = suggestion(key, names) or suggestion(key, kinds, cutoff=SURE)
    return (
        f"There is no layer with filters named {key!r}.{hint} The model has {listed(nearest_first(key, names))}: "
        "firekeras.channel_graph(model).widths shows them all. A cap is for a layer's name, a pattern such as "
        f"'block1_*', or a type: one of {kinds}."
    )
