"""Layer caps: given by name, by pattern or by type of layer, and resolved to single layers."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from firekeras.channels.graph import ChannelGraph
from firekeras.refusals import check_share, nearest


def resolve_caps(graph: ChannelGraph, caps: Mapping[str, float]) -> dict[str, float]:
    """The cap of each layer that has one.

    A key is the name of a layer, `"conv1"`, a pattern of names as shells have it, `"block1_*"`, or a
    type of layer, `"Conv2D"`. The more particular key wins: a name over a pattern, a pattern over a
    type; of several patterns the tightest.

    Args:
        graph: The network.
        caps: For each key, which share of the original filters of its layers may go, 0 to 1.

    Raises:
        ValueError: If a key stands for no layer, with the nearest that does, or a share is out of range.
    """
    if not isinstance(caps, Mapping):
        raise ValueError(f"layer_caps are shares by layer, such as {{'conv1': 0.5}}. Received: {caps!r}.")
    found: dict[str, tuple[int, float]] = {}
    for key, share in caps.items():
        check_share(f"The cap of {key!r}", share, "the share of a layer's filters that may go")
        precedence, names = _layers_of(graph, key)
        for name in names:
            found[name] = min(found.get(name, (precedence, share)), (precedence, share))
    return {name: share for name, (_, share) in found.items()}


def _layers_of(graph, key) -> tuple[int, list[str]]:
    """How general a key is, 0 for a name, and the layers that it stands for."""
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
    kinds = sorted({graph.layers[name].kind for name in graph.filter_layers})
    near = nearest(key, [*graph.filter_layers, *kinds])
    hint = f" Did you mean {near!r}?" if near else ""
    return (
        f"There is no layer with filters named {key!r}.{hint} A cap is for a layer's name, a pattern such as "
        f"'block1_*', or a type: one of {kinds}."
    )
