"""One walk over the functional graph, with a function for what to do at each operation."""

from __future__ import annotations

import keras

from firekeras.channels.nodes import calls_in_order, graph_inside
from firekeras.channels.opening import opened
from firekeras.keras_models.internals import Functional


def functional_graph(model):
    """The functional graph that a model runs, or that a composite layer can be opened to; None for any other object.

    A class that overrides `call` computes something other than its graph, so it counts as having none.
    """
    graph = graph_inside(model)
    if graph is None:
        return opened(model)
    return graph if _runs_its_graph(model) else None


def _runs_its_graph(model):
    plain = keras.Sequential if isinstance(model, keras.Sequential) else Functional
    names = [name for name in ("call", "__call__", "_run_through_graph") if hasattr(plain, name)]
    return all(getattr(type(model), name) is getattr(plain, name) and name not in vars(model) for name in names)


def graph_of(model):
    """The graph that a walk visits, whether or not it is all that the model does."""
    graph = graph_inside(model)
    return opened(model) if graph is None else graph


def layers_of(model):
    """The layers of a model, or of a composite layer that can be opened."""
    return model.layers if graph_inside(model) is not None else graph_of(model).layers


def nodes_in_order(model):
    """The calls of a functional graph in the order in which Keras runs them, inputs left out."""
    return calls_in_order(graph_of(model))


def walk(model, inputs, call):
    """Runs `call(node, args, kwargs)` at each operation, and returns what reaches the outputs.

    Args:
        model: A Functional or Sequential model.
        inputs: The values at its inputs: a flat list, like `model.inputs`.
        call: A function that does one operation's work: it takes the Keras node and its arguments, with
            the walk's values instead of tensors, and returns the output value or values. Nested models
            are passed as one operation.

    Returns:
        The values at the model's outputs: a flat list, like `model.outputs`.
    """
    graph = graph_of(model)
    values = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
    for node in nodes_in_order(model):
        if any(id(tensor) not in values for tensor in node.input_tensors):
            continue  # Keras keeps nodes that the inputs do not reach, and skips them too
        args, kwargs = node.arguments.fill_in(values)
        outputs = call(node, args, kwargs)
        values.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
    return [values[id(tensor)] for tensor in graph.outputs]


def leaf_layers(model, prefix=""):
    """Yields (path, layer) of every layer that is not a nested functional model, each once."""
    seen = set()
    for layer in layers_of(model):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if functional_graph(layer) is not None:
            yield from leaf_layers(layer, f"{prefix}{layer.name}/")
        else:
            yield prefix + layer.name, layer
