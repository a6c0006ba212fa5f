"""Reads the layers of a model in a child process; if no filter has a ReLU of its own, what else can rank them too.

`python -m inspector.children.reading MODEL.keras OUT.npz`
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.scores.profile import FireProfile
from inspector.children import in_words


def main(model, target):
    """Writes the graph of a model, and for a model without FIRE its reasons and the features of its filters."""
    from firekeras.cli.console import import_keras

    import_keras()
    from firekeras.cli.files import load_model
    from firekeras.network import Network
    from firekeras.scores.detector.features import extract_features

    network = Network.of(load_model(Path(model), compile=False))
    has_fire = bool(network.relus) or not network.graph.filter_layers
    features = {} if has_fire else extract_features(network)
    reasons = {} if has_fire else network.unscored
    np.savez(target, *features.values(), graph=json.dumps(network.graph.to_dict()), reasons=json.dumps(reasons))


def read(path) -> tuple[ChannelGraph, FireProfile | None]:
    """Reads what `main` wrote: the graph, and for a model without FIRE a profile that has seen no sample."""
    with np.load(path) as arrays:
        graph = ChannelGraph.from_dict(json.loads(str(arrays["graph"])))
        reasons = json.loads(str(arrays["reasons"]))
        if not reasons:
            return graph, None
        features = {name: arrays[f"arr_{number}"] for number, name in enumerate(graph.filter_layers)}
    none = {name: np.zeros(width, "int64") for name, width in graph.widths.items()}
    return graph, FireProfile(none, none, samples=0, features=features, graph=graph, reasons=reasons)


if __name__ == "__main__":
    in_words.run(main)
