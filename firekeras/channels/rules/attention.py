"""Attention: its inputs can lose channels; what goes on between its heads stays as it is."""

import math

import numpy as np
from keras import layers, ops

from firekeras.channels.call import Count
from firekeras.channels.labels import FIXED
from firekeras.channels.registry import rule


@rule(layers.MultiHeadAttention)
def multi_head_attention(call, query, value, key=None, **kwargs):
    """Reads channels of query, value and key; puts out as many as the query has."""
    layer = call.layer
    if kwargs or len(call.output_shapes) > 1 or getattr(layer, "_use_gate", False):
        fixed = [np.full(x.shape[-1], FIXED) for x in (query, value, query if key is None else key)]
        _count(call, query, value, fixed, np.full(call.output_shape[-1], FIXED))
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
    asked, given = (math.prod(x.shape[1:-1]) for x in (query, value))
    attended = math.prod(value.shape[axis] for axis in layer._attention_axes)
    keys, values = layer.num_heads * layer.key_dim, layer.num_heads * layer.value_dim
    for positions, width, labels in ((asked, keys, read[0]), (given, values, read[1]), (given, keys, read[2])):
        call.cost(positions * width, labels)
    if getattr(layer, "_use_gate", False):
        call.cost(asked * values, read[0])
    call.cost(asked * attended * (keys + values))
    call.cost(asked * values, made)


@rule(layers.GroupQueryAttention)
def group_query_attention(call, query, value, key=None, **kwargs):
    """Several query heads to each head of keys and values."""
    layer = call.layer
    asked, given = query.shape[1], value.shape[1]
    queries, pairs = (heads * layer.head_dim for heads in (layer.num_query_heads, layer.num_key_value_heads))
    reads = (value if key is None else key).shape[-1] + value.shape[-1]
    call.cost(asked * queries * (query.shape[-1] * (2 if layer.use_gate else 1) + call.output_shape[-1]))
    call.cost(given * pairs * reads + 2 * asked * given * queries)
    return call.refuse((query, value, key), kwargs, "shares keys and values among heads, which surgery does not follow")


@rule(layers.Attention, layers.AdditiveAttention)
def attention(call, inputs, mask=None, **kwargs):
    """Attention without projections: products of queries and keys, channel by channel, and sums of values."""
    query, value = inputs[:2]
    pairs = query.shape[-2] * math.prod(value.shape[1:-1])
    scored = isinstance(call.layer, layers.AdditiveAttention) and not call.layer.use_scale
    scored = scored or getattr(call.layer, "score_mode", "dot") == "concat"  # sums, without a product
    call.cost(pairs * ((0 if scored else query.shape[-1]) + value.shape[-1]))
    return call.refuse((inputs,), kwargs, "pairs queries with keys, which surgery does not follow")
