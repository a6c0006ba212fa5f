"""One walk over the functional graph, with a function for what to do at each operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

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


class Visit(NamedTuple):
    """One call of a layer or operation, as a walk comes to it.

    Args:
        path: The path of what is called: `"backbone/conv1"`.
        nodes: Keras's nodes of the calls of the models around it, outermost first, and of its own.
    """

    path: str
    nodes: tuple

    @property
    def node(self):
        """Keras's node of the call."""
        return self.nodes[-1]

    @property
    def operation(self):
        """The layer or operation that is called."""
        return self.node.operation

    @property
    def key(self) -> tuple:
        """Identifies the call: a layer of a nested model that is called twice is visited under two keys."""
        return tuple(map(id, self.nodes))

    @property
    def at_inference(self) -> bool:
        """Whether the model calls it, or a model around it, with `training=False`."""
        return any(node.arguments.kwargs.get("training") is False for node in self.nodes)

    @property
    def is_nested(self) -> bool:
        """Whether it is a model with calls of its own inside, or a layer that can be opened."""
        return functional_graph(self.operation) is not None


def _visits_in(model, around: Visit | None) -> Iterator[Visit]:
    prefix, nodes = (f"{around.path}/", around.nodes) if around else ("", ())
    for node in nodes_in_order(model):
        yield Visit(prefix + node.operation.name, (*nodes, node))


def visits(model, around: Visit | None = None) -> Iterator[Visit]:
    """Yields a `Visit` for every call in a model; nested models' own calls come before those inside them."""
    for visit in _visits_in(model, around):
        yield visit
        if visit.is_nested:
            yield from visits(visit.operation, visit)


def walk(model, inputs: list, call: Callable, enter: Callable | None = None, *, nested: bool = True) -> list:
    """Runs `call(visit, args, kwargs)` at each operation, and returns what reaches the outputs.

    Args:
        model: A Functional or Sequential model.
        inputs: The values at its inputs: a flat list, like `model.inputs`.
        call: A function that does one operation's work: it takes the `Visit` and the arguments, with the
            walk's values instead of tensors, and returns the output value or values.
        enter: Called as `enter(visit, values)` with the inputs of each nested model before the walk
            goes through it. Defaults to nothing.
        nested: Whether to go through nested models; otherwise they are passed as one operation. Defaults to True.

    Returns:
        The values at the model's outputs: a flat list, like `model.outputs`.
    """

    def through(model, inputs, around):
        graph = graph_of(model)
        values = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
        for visit in _visits_in(model, around):
            node = visit.node
            if any(id(tensor) not in values for tensor in node.input_tensors):
                continue  # Keras keeps nodes that its inputs do not reach, and skips them too
            outputs = within(visit, values) if nested and visit.is_nested else at(visit, values)
            values.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
        return [values[id(tensor)] for tensor in graph.outputs]

    def within(visit, values):
        inputs = [values[id(tensor)] for tensor in visit.node.input_tensors]
        if enter is not None:
            enter(visit, inputs)
        return through(visit.operation, inputs, visit)

    def at(visit, values):
        args, kwargs = visit.node.arguments.fill_in(values)
        return call(visit, args, kwargs)

    return through(model, inputs, None)


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
