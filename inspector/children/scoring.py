"""Scores filters by other criteria in a child process.

`python -m inspector.children.scoring MODEL OUT.json SOURCE VALUES CRITERION...`, with an empty SOURCE for no data, and
VALUES as `data_sources.RANGES` calls what is done to theirs, empty for nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from firekeras.scores.profile import FilterScores
from inspector.children import in_words
from inspector.state import Data, data_sources

MOST_IMAGES = 2000  # more hardly change a ranking


def main(model, target, source, values, *names):
    """Scores the filters of a model, and writes the scores of each criterion, or why there are none."""
    from firekeras.cli.console import import_keras, write_progress

    import_keras()
    from firekeras.cli.files import load_model
    from firekeras.scores.criteria import score_filters

    network = load_model(Path(model))
    data = _loaded(Data(source, values), network) if source else None
    results = {}
    for done, name in enumerate(names):
        if len(names) > 1:  # of one, there is no part to show
            write_progress(done, len(names))
        try:
            results[name] = _plain(score_filters(network, name, data, seed=0))
        except ValueError as error:
            results[name] = {"refused": str(error)}
    with open(target, "w", encoding="utf-8") as file:
        json.dump(results, file)


def _loaded(data, network):
    from firekeras.cli import classifier
    from firekeras.cli.files import load_data, load_images

    if data.source == data_sources.SYNTHETIC:
        return load_images(data.source, network, **data.scaling)
    dataset = load_data(data.source, network, limit=MOST_IMAGES, **data.scaling)
    classifier.prepare(network, None)
    return dataset.x_train, classifier.labels_for(network, dataset.y_train)


def _plain(scores):
    values = {name: [v if np.isfinite(v) else None for v in values.tolist()] for name, values in scores.items()}
    return {"values": values, "reasons": scores.reasons}


def read(path, l1) -> tuple[dict[str, FilterScores], dict[str, str]]:
    """Reads what `main` wrote: the scores by criterion, and why others have none.

    Args:
        path: The file.
        l1: The l1 norms of the filters of each layer, which break ties.
    """
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    refused = {name: result["refused"] for name, result in results.items() if "refused" in result}
    scores = {
        name: FilterScores(
            {layer: np.array(values, "float64") for layer, values in result["values"].items()},
            criterion=name,
            l1=l1,
            reasons=result["reasons"],
        )
        for name, result in results.items()
        if "values" in result
    }
    return scores, refused


if __name__ == "__main__":
    in_words.run(main)
