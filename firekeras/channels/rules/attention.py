"""Attention: its inputs can lose channels; what goes on between its heads stays as it is."""

import numpy as np
from keras import layers, ops

from firekeras.channels.call import Count
from firekeras.channels.registry import rule


@rule(layers.MultiHeadAttention)
def multi_head_attention(call, query, value, key=None, **kwargs):
    """Reads channels of query, value and key; puts out as many as the query has."""
    layer = call.layer
    if kwargs or len(call.output_shapes) > 1 or getattr(layer, "_use_gate", False):
        return call.refuse((query, value, key), kwargs, "is called with masks, gates or scores")
    read = [call.consume(x, -1) for x in (query, value, value if key is None else key)]
    denses = (layer.query_dense, layer.value_dense, layer.key_dense)
    for dense, labels in zip(denses, read, strict=True):
        call.weight(dense.kernel, labels, None, None)
    output = layer.output_dense
    made = call.filters(call.output_shape[-1], lambda: _as_filters(output.kernel))
    call.weight(output.kernel, None, None, made)
    call.weight(output.bias, made)
    if layer._output_shape is None:
        call.tie(made, read[0], "puts out as many channels as its query has, which are fixed")
    else:
        call.setting(output_shape=Count(made))
    _count(call, query, value, read, made)
    return call.output(-1, made)


def _as_filters(kernel):
    value = ops.convert_to_numpy(kernel)
    return value.reshape(1, -1, value.shape[-1])


def _count(call, query, value, read, made):
    layer = call.layer
    asked, given = (int(np.prod(x.shape[1:-1])) for x in (query, value))
    keys, values = layer.num_heads * layer.key_dim, layer.num_heads * layer.value_dim
    for positions, width, labels in ((asked, keys, read[0]), (given, values, read[1]), (given, keys, read[2])):
        call.cost(positions * width, labels)
    call.cost(asked * given * (keys + values))
    call.cost(asked * values, made)
