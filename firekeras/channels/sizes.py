"""The output shapes of a call, as exact as possible: from Keras, or by running the call once."""

from __future__ import annotations

import keras

from firekeras.channels.labels import Channels


def output_shapes(node, args, kwargs) -> list[tuple]:
    """The output shapes of one call, batch included.

    Args:
        node: Keras's node of the call.
        args, kwargs: Its arguments, with `Channels` instead of tensors: their sizes may differ from the node's, whose
            inputs may have open sizes.
    """
    known = [tuple(tensor.shape) for tensor in node.outputs]
    inputs = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, Channels)]
    if [x.shape for x in inputs] != [tensor.shape for tensor in node.input_tensors]:
        known = _merged(known, _by_keras(node, args, kwargs, inputs))
    if any(None in shape[1:] for shape in known):
        known = _merged(known, _by_running(node, args, kwargs, inputs))
    return known


def _merged(known, others):
    """Shapes determined another way, if they are of the same tensors."""
    same = len(known) == len(others) and all(len(a) == len(b) for a, b in zip(known, others, strict=True))
    return [(a[0], *b[1:]) for a, b in zip(known, others, strict=True)] if same else known


def _by_keras(node, args, kwargs, inputs):
    """What Keras computes for these sizes; nothing if it fails: nominal values of open sizes may not fit."""
    symbols = [keras.KerasTensor(x.shape, tensor.dtype) for x, tensor in zip(inputs, node.input_tensors, strict=True)]
    args, kwargs = _filled((args, kwargs), symbols)
    try:
        return [tuple(spec.shape) for spec in keras.tree.flatten(node.operation.compute_output_spec(*args, **kwargs))]
    except Exception:
        return []


def _by_running(node, args, kwargs, inputs):
    """The shapes for a sample of zeros; nothing if it cannot be run, or an output is empty."""
    try:
        zeros = [keras.ops.zeros((1, *x.shape[1:]), t.dtype) for x, t in zip(inputs, node.input_tensors, strict=True)]
        args, kwargs = _filled((args, {name: value for name, value in kwargs.items() if name != "training"}), zeros)
        shapes = [tuple(value.shape) for value in keras.tree.flatten(node.operation(*args, **kwargs))]
    except Exception:  # strings, for instance, have no zeros
        return []
    return shapes if all(all(shape[1:]) for shape in shapes) else []


def _filled(arguments, values):
    """Arguments with these values instead of `Channels`, in order."""
    left = iter(values)
    return keras.tree.map_structure(lambda x: next(left) if isinstance(x, Channels) else x, arguments)
