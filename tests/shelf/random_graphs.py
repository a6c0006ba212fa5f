"""Random channel graphs, plain and coupled, with scores: no Keras needed."""

import numpy as np

from firekeras.channels.graph import ChannelGraph, LayerInfo, Part, Product
from firekeras.scores.profile import FilterScores


def random_graph(rng, layers=6, shared=True, split=False):
    """Layers of random widths, each after the one before; some share all their units, some a part, some are split."""
    axes, next_unit = [], 0
    for number in range(layers):
        width = int(rng.integers(1, 12))
        if shared and number and rng.random() < 0.4:
            axes.append(axes[int(rng.integers(number))].copy())  # coupled with another
        elif shared and number and rng.random() < 0.2:
            other = axes[int(rng.integers(number))]
            axes.append(np.concatenate([other, np.arange(next_unit, next_unit + width)]))  # a part of it coupled
            next_unit += width
        else:
            axes.append(np.arange(next_unit, next_unit + width))
            next_unit += width
    infos = [_layer(number) for number in range(layers)]
    locks = {int(unit): "it is an output" for unit in np.unique(axes[-1])[:2]}
    parts = _split(rng, axes) if split else []
    return ChannelGraph(infos, axes, locks, parts=parts)


def _split(rng, axes):
    """Both parts of one layer; adds their axes."""
    whole = axes[int(rng.integers(len(axes)))]
    end = int(rng.integers(whole.size + 1))
    parts = [part for part in (whole[:end], whole[end:]) if part.size]
    axes.extend(parts)
    return [Part(f"split[{k}]", len(axes) - len(parts) + k) for k in range(len(parts))]


def _layer(number):
    products = (Product(9, (number - 1, number)) if number else Product(27, (number,)),)
    return LayerInfo(f"conv{number}", "Conv2D", (None, 4, 4, 1), number, products, products, True)


def random_scores(rng, graph):
    """Coarse scores, so that many are equal, and some missing."""
    values = {name: np.round(rng.random(width), 1) for name, width in graph.widths.items()}
    for scores in values.values():
        scores[rng.random(scores.size) < 0.1] = np.nan
    l1 = {name: np.round(rng.random(width), 1) for name, width in graph.widths.items()}
    return FilterScores(values, criterion="fire", l1=l1)
