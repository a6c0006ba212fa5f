"""The shapes of what a call gives, as exact as they can be had: as Keras knows them, or by running the call once."""

from __future__ import annotations

import keras

from firekeras.channels.labels import Channels


def output_shapes(node, args, kwargs) -> list[tuple]:
    """The shapes of what one call gives, batch included.

    Args:
        node: Keras's node of the call.
        args, kwargs: Its arguments, with `Channels` in place of tensors: their sizes may be others than the node's,
            whose inputs may be open.
    """
    known = [tuple(tensor.shape) for tensor in node.outputs]
    given = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, Channels)]
    if [x.shape for x in given] != [tensor.shape for tensor in node.input_tensors]:
        known = _merged(known, _by_keras(node, args, kwargs, given))
    if any(None in shape[1:] for shape in known):
        known = _merged(known, _by_running(node, args, kwargs, given))
    return known


def _merged(known, found):
    """Shapes found another way, if they are of the same tensors."""
    same = len(known) == len(found) and all(len(one) == len(other) for one, other in zip(known, found, strict=True))
    return [(one[0], *other[1:]) for one, other in zip(known, found, strict=True)] if same else known


def _by_keras(node, args, kwargs, given):
    """What Keras computes for these sizes; nothing if it cannot: open ones have been taken as some that do not fit."""
    symbols = [keras.KerasTensor(x.shape, tensor.dtype) for x, tensor in zip(given, node.input_tensors, strict=True)]
    args, kwargs = _filled((args, kwargs), symbols)
    try:
        return [tuple(spec.shape) for spec in keras.tree.flatten(node.operation.compute_output_spec(*args, **kwargs))]
    except Exception:
        return []


def _by_running(node, args, kwargs, given):
    """What comes out for a sample of zeros; nothing if it cannot be run, or nothing is left of such a sample."""
    try:
        zeros = [keras.ops.zeros((1, *x.shape[1:]), t.dtype) for x, t in zip(given, node.input_tensors, strict=True)]
        args, kwargs = _filled((args, {name: value for name, value in kwargs.items() if name != "training"}), zeros)
        shapes = [tuple(value.shape) for value in keras.tree.flatten(node.operation(*args, **kwargs))]
    except Exception:  # of texts, say, there are no zeros
        return []
    return shapes if all(all(shape[1:]) for shape in shapes) else []


def _filled(arguments, values):
    """Arguments with these values in place of `Channels`, one after the other."""
    left = iter(values)
    return keras.tree.map_structure(lambda x: next(left) if isinstance(x, Channels) else x, arguments)
