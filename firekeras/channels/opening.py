"""Opens composite layers: finds the functional graph that their `call` runs.

A composite layer, such as an MBConv block or a feature pyramid, hides the weights of the layers inside it. Its `call`
is run on symbolic tensors, and the layers that it calls become a graph. A layer is opened only if that graph is
proven to do everything that the layer does; else it stays closed, with a reason.
"""

from __future__ import annotations

import functools
import inspect
import re
import weakref

import keras
import numpy as np

from firekeras.channels.nodes import calls_in_order, graph_inside
from firekeras.channels.registry import find_rule
from firekeras.channels.saving import why_not_saved
from firekeras.keras_models.inference import at_inference
from firekeras.keras_models.internals import (
    Functional,
    calls_of,
    holds_layers,
    is_masked,
    losses_kept,
    own_variables,
    run_graph,
    seed_generators,
    structures,
)

OPEN_SIZE = 32  # replaces open sizes when a layer is tested
_KNOWN: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class ClosedError(Exception):
    """Why a layer cannot be opened; completes "NAME (TYPE) ..."."""


def opened(layer) -> Functional | None:
    """The graph that a composite layer runs, made of its own layers; None for any other operation."""
    found = _found(layer) if _is_composite(layer) else None
    return found if isinstance(found, Functional) else None


def why_closed(layer) -> str | None:
    """Why a composite layer cannot be opened; None for any other operation, and for one that can."""
    found = _found(layer) if _is_composite(layer) else None
    return found if isinstance(found, str) else None


def unsaved(graph) -> dict:
    """Why some layers of a graph could not be loaded from a file, by layer.

    A composite layer or a custom class makes its layers itself and needs no configs of them; a plain graph does.
    """
    return {
        node.operation: reason
        for node in _calls(graph)
        if (reason := why_not_saved(node.operation, functools.partial(_random_arguments, node)))
    }


def _calls(graph):
    """The calls in a graph and in those nested in it."""
    for node in calls_in_order(graph):
        inner = graph_inside(node.operation)
        yield from [node] if inner is None else _calls(inner)


def _is_composite(layer) -> bool:
    """Whether an operation is a layer that contains layers with weights, and has no rule."""
    if not isinstance(layer, keras.Layer) or not holds_layers(layer) or not layer.weights:
        return False
    from firekeras.channels import rules  # noqa: F401  (registers the rules)

    if isinstance(layer, (Functional, keras.Sequential)):
        return False
    return find_rule(layer) is None or _wraps_model(layer)


def _wraps_model(layer):
    return type(layer) is keras.layers.TimeDistributed and isinstance(layer.layer, (Functional, keras.Sequential))


def _found(layer):
    """The graph, or why there is none; determined once for the same variables and calls."""
    state = [id(part) for part in (*layer.variables, *calls_of(layer))]
    known = _KNOWN.get(layer)
    if known is None or known[0] != state:
        known = state, _graph_or_reason(layer)
        _KNOWN[layer] = known
    return known[1]


def _graph_or_reason(layer):
    try:
        return _graph(layer)
    except ClosedError as closed:
        return f"is made of layers, but {closed}"


def _graph(layer):
    _check_own(layer)
    node = _only_way_of_calling(layer)
    if _wraps_model(layer):
        graph = _with_steps_as_samples(layer, node)
        _check_equal(layer, node, graph)
        return graph
    graph = _followed(layer, node, training=None)
    if _takes_training(layer) and _shape_of(_followed(layer, node, training=True)) != _shape_of(graph):
        raise ClosedError("it does not compute the same in training as at inference")
    _check_complete(layer, graph)
    _check_equal(layer, node, graph)
    _check_saved(graph)
    return graph


def _check_own(layer):
    """Refuses what a graph could not preserve."""
    if own_variables(layer) or seed_generators(layer):
        raise ClosedError("it has weights or random numbers of its own besides them")
    if getattr(layer, "activity_regularizer", None) is not None:
        raise ClosedError("it has an activity regulariser of its own")


def _only_way_of_calling(layer):
    """The first call; all others must match it."""
    if not calls_of(layer):
        raise ClosedError("it is not part of a graph")
    first, *others = calls_of(layer)
    for node in others:
        if _way(node) != _way(first):
            raise ClosedError("it is called in several ways")
    if is_masked(first):
        raise ClosedError("it receives a mask")
    return first


def _way(node):
    def shown(x):
        return (tuple(x.shape[1:]), x.dtype) if isinstance(x, keras.KerasTensor) else repr(x)

    kwargs = {name: value for name, value in node.arguments.kwargs.items() if name != "training"}
    return repr(keras.tree.map_structure(shown, (node.arguments.args, kwargs)))


def _takes_training(layer):
    return "training" in inspect.signature(layer.call).parameters


def _followed(layer, node, training):
    """The graph of one call on symbolic tensors."""
    inputs = [_input_like(tensor, layer, k) for k, tensor in enumerate(node.input_tensors)]
    args, kwargs = _arguments(layer, node, inputs, training)
    variables = len(layer.variables)
    try:
        with losses_kept(layer) as added:
            outputs = layer.call(*args, **kwargs)
            graph = _without_lambdas(Functional(inputs if len(inputs) > 1 else inputs[0], outputs, name=layer.name))
    except Exception as error:
        raise ClosedError(f"its call cannot be followed: {_in_short(error)}") from error
    if added or len(layer.variables) != variables:
        raise ClosedError("its call adds losses or weights")
    return graph


def _without_lambdas(graph):
    """The graph with Lambdas replaced by what they compute: by default Keras refuses to load a Lambda."""
    if not any(type(layer) is keras.layers.Lambda for layer in graph.layers):
        return graph
    outputs = run_graph(graph, graph.inputs, _function_of)
    return Functional(structures(graph)[0], outputs, name=graph.name)


def _function_of(operation):
    if type(operation) is not keras.layers.Lambda:
        return operation
    return lambda x, **_: operation.function(x, **operation.arguments)


def _with_steps_as_samples(layer, node):
    """The graph of a model applied at each step: all steps of all samples become samples of the model."""
    sequence, steps = node.input_tensors[0], node.input_tensors[0].shape[1]
    if None in sequence.shape[1:] or len(node.input_tensors) > 1 or len(node.outputs) > 1:
        raise ClosedError("its number of steps is open, or it receives several tensors")
    if layer.layer.non_trainable_variables:
        raise ClosedError("in training each step has its own statistics")
    image = _input_like(sequence, layer, 0)
    x = layer.layer(keras.ops.reshape(image, (-1, *sequence.shape[2:])))
    return Functional(image, keras.ops.reshape(x, (-1, steps, *x.shape[1:])), name=layer.name)


def _input_like(tensor, layer, number):
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{layer.name}_input_{number}")


def _arguments(layer, node, values, training):
    """The arguments of a call, with these values instead of its tensors."""
    waiting = iter(values)
    args, kwargs = keras.tree.map_structure(
        lambda x: next(waiting) if isinstance(x, keras.KerasTensor) else x, (node.arguments.args, node.arguments.kwargs)
    )
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    return args, {**kwargs, "training": training} if _takes_training(layer) else kwargs


def _shape_of(graph):
    """The structure of a graph, regardless of training mode: its operations and their inputs."""
    nodes = list(calls_in_order(graph))
    tensors = [*graph.inputs, *(tensor for node in nodes for tensor in node.outputs)]
    place = {id(tensor): k for k, tensor in enumerate(tensors)}
    return [_shape_of_call(node, place) for node in nodes]


def _shape_of_call(node, place):
    operation = node.operation
    kwargs = {name: value for name, value in node.arguments.kwargs.items() if name != "training"}
    shown = keras.tree.map_structure(
        lambda x: place.get(id(x)) if isinstance(x, keras.KerasTensor) else repr(x), (node.arguments.args, kwargs)
    )
    return type(operation), _identity(operation), repr(shown)


def _identity(operation):
    """The identity of a layer; for one without variables, which each call may create, its settings."""
    if not isinstance(operation, keras.Layer) or operation.variables:
        return id(operation) if isinstance(operation, keras.Layer) else None
    try:
        return repr({key: value for key, value in operation.get_config().items() if key != "name"})
    except NotImplementedError:  # a custom layer, which is always the same object
        return id(operation)


def _check_complete(layer, graph):
    """Refuses a graph that leaves out weights of the layer, or changes dtypes."""
    missing = {id(variable): variable for variable in layer.variables}
    for variable in graph.variables:
        missing.pop(id(variable), None)
    if missing:
        names = ", ".join(sorted({variable.path for variable in missing.values()})[:3])
        raise ClosedError(f"it holds weights that its call does not reach through layers: {names}")
    outputs = calls_of(layer)[0].outputs
    if any(tensor.dtype != other.dtype for tensor, other in zip(outputs, graph.outputs, strict=True)):
        raise ClosedError("it changes the dtype of its inputs")


def _check_equal(layer, node, graph):
    """Compares layer and graph on the same random numbers."""
    args, kwargs = _random_arguments(node)
    values = [x for x in keras.tree.flatten((args, kwargs)) if keras.ops.is_tensor(x)]
    try:
        expected = keras.tree.flatten(at_inference(lambda: layer(*args, **kwargs)))
        outputs = keras.tree.flatten(graph(values if len(values) > 1 else values[0], training=False))
    except Exception as error:
        raise ClosedError(f"it fails when it is tested: {_in_short(error)}") from error
    for tensors in zip(expected, outputs, strict=True):
        of_layer, of_graph = map(keras.ops.convert_to_numpy, tensors)
        if not np.allclose(of_layer, of_graph, rtol=1e-4, atol=1e-5, equal_nan=True):
            raise ClosedError("it does not compute what the layers compute that its call calls")


def _check_saved(graph):
    """Refuses a graph with layers that only the composite layer can build, unless these can be opened in turn."""
    for layer, reason in unsaved(graph).items():
        if opened(layer) is None:
            raise ClosedError(f"{layer.name} ({type(layer).__name__}) in it {reason}")


def _random_arguments(node):
    rng = np.random.default_rng(0)
    return _arguments(node.operation, node, [_random(rng, tensor) for tensor in node.input_tensors], False)


def _in_short(error):
    """The type of an error, and its first informative line."""
    lines = re.sub("\x1b\\[[0-9;]*m", "", str(error)).splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("Exception encountered")]
    return f"{type(error).__name__}: {said[0][:120] if said else ''}"


def _random(rng, tensor):
    shape = [2 if k == 0 and size is None else size or OPEN_SIZE for k, size in enumerate(tensor.shape)]
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if "float" in dtype:
        return keras.ops.cast(rng.uniform(-1, 1, shape), dtype)
    return keras.ops.cast(rng.integers(0, 2, shape), dtype)
