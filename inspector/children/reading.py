"""Reads the layers of a model in a child process; if its FIRE is not to be had, what else can rank filters too.

`python -m inspector.children.reading MODEL.keras OUT.npz [ranked]`: "ranked" says that nobody waits for its FIRE. If no
filter has a ReLU of its own, there is none anyway.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from firekeras.channels.graph import ChannelGraph
from firekeras.scores.profile import FireProfile
from inspector.children import in_words

RANKED = "ranked"


def main(model, target, ranked=""):
    """Writes the graph of a model, and if it is to be ranked without FIRE, the reasons and features of its filters."""
    from firekeras.cli.console import import_keras

    import_keras()
    from firekeras.cli.files import load_model
    from firekeras.network import Network
    from firekeras.scores.detector.features import extract_features

    network = Network.of(load_model(Path(model), compile=False))
    without_fire = bool(network.graph.filter_layers) and (ranked == RANKED or not network.relus)
    features = extract_features(network) if without_fire else {}
    reasons = network.unscored if without_fire else {}
    np.savez(target, *features.values(), graph=json.dumps(network.graph.to_dict()), reasons=json.dumps(reasons))


def read(path) -> tuple[ChannelGraph, FireProfile | None]:
    """Reads what `main` wrote: the graph, and if that can be ranked, a profile that has seen no sample."""
    with np.load(path) as arrays:
        graph = ChannelGraph.from_dict(json.loads(str(arrays["graph"])))
        reasons = json.loads(str(arrays["reasons"]))
        if "arr_0" not in arrays:
            return graph, None
        features = {name: arrays[f"arr_{number}"] for number, name in enumerate(graph.filter_layers)}
    none = {name: np.zeros(width, "int64") for name, width in graph.widths.items()}
    return graph, FireProfile(none, none, samples=0, features=features, graph=graph, reasons=reasons)


if __name__ == "__main__":
    in_words.run(main)
