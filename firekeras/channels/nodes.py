"""The graph inside a model as Keras stores it: nodes, each one call of a layer or operation."""

from __future__ import annotations

import keras

from firekeras.keras_models.internals import calls_by_depth, graph_of_sequential


def graph_inside(model):
    """The functional graph inside a model, whether or not it is what the model runs."""
    if isinstance(model, keras.Sequential):
        return graph_of_sequential(model)
    return model if hasattr(model, "_nodes_by_depth") and isinstance(model, keras.Model) else None


def calls_in_order(graph):
    """The calls of a functional graph in the order in which Keras runs them, inputs left out."""
    by_depth = calls_by_depth(graph)
    for depth in sorted(by_depth, reverse=True):
        yield from (node for node in by_depth[depth] if node.operation and not node.is_input)
