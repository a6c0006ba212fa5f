"""Attention: heads are filters that can be removed, and so are the channels that it reads and outputs."""

import math

import numpy as np
from keras import layers

from firekeras.channels.call import Count
from firekeras.channels.labels import FIXED, Channels
from firekeras.channels.registry import rule
from firekeras.channels.rules.mixing import array


@rule(layers.MultiHeadAttention)
def multi_head_attention(call, query, value, key=None, **kwargs):
    """MultiHeadAttention: as many output channels as the query has, unless `output_shape` says otherwise."""
    layer = call.layer
    heads = Heads(call, layer.num_heads, (query, value, value if key is None else key), layer._attention_axes)
    reason = heads.why_all_stay(kwargs)
    if reason:
        return heads.refused(kwargs, reason)
    call.setting(num_heads=Count(heads.follow()))
    if layer._output_shape is not None:
        call.setting(output_shape=(*layer._output_shape[:-1], Count(heads.made)))
    else:
        heads.put_out_as_the_query()
    return heads.outputs()


@rule(layers.GroupQueryAttention)
def group_query_attention(call, query, value, key=None, **kwargs):
    """GroupQueryAttention: several query heads per head of keys and values, with which they are removed."""
    layer = call.layer
    heads = Heads(call, layer.num_key_value_heads, (query, value, value if key is None else key))
    reason = heads.why_all_stay(kwargs)
    if reason:
        return heads.refused(kwargs, reason)
    call.setting(num_key_value_heads=Count(heads.follow()), num_query_heads=Count(heads.of(layer._query_dense)))
    reads = [call.vector(x, -1) for x in (query, value)]
    call.tie(*reads, "takes as many channels of values as of queries, which are fixed")
    heads.put_out_as_the_query()
    return heads.outputs()


class Heads:
    """One call of an attention layer with projections: its heads are the filters of "NAME/heads".

    The filters of its last projection are listed under the layer's own name.

    Args:
        call: The `Call`.
        count: The number of heads that can be removed separately: those of keys and values.
        tensors: Query, value and key.
        axes: Those that it attends over.

    Attributes:
        made: The labels of its output channels, once `follow` was called.
    """

    def __init__(self, call, count, tensors, axes=(1,)):
        self.call, self.count, self.tensors, self.axes = call, count, tensors, axes
        layer = call.layer
        self.output = layer._output_dense
        self.projections = [(layer._query_dense, 0), (layer._value_dense, 1), (layer._key_dense, 2)]
        if hasattr(layer, "_gate_dense"):
            self.projections.append((layer._gate_dense, 0))
        self.labels, self.made = np.full(count, FIXED), np.full(self.output.kernel.shape[-1], FIXED)

    def why_all_stay(self, kwargs):
        """Why nothing of the layer may be removed with these masks; None if it may."""
        masks = {name: mask for name, mask in kwargs.items() if hasattr(mask, "shape")}
        if any(isinstance(mask, Channels) and not mask.is_fixed for mask in masks.values()):
            return "receives a mask that depends on channels"
        by_head = getattr(masks.get("attention_mask"), "shape", ())
        if len(by_head) == self.tensors[0].rank + len(self.axes) and by_head[self._axis_of_heads] != 1:
            return "receives a mask for each head"
        return None

    @property
    def _axis_of_heads(self):
        """The axis of heads in attention scores: behind the axes that it does not attend over."""
        return self.tensors[0].rank - 1 - len(self.axes)

    def refused(self, kwargs, reason):
        """The outputs if nothing may be removed."""
        self._count([np.full(x.shape[-1], FIXED) for x in self.tensors])
        return self.call.refuse(self.tensors, kwargs, reason)

    def follow(self):
        """Declares filters, weights and costs; returns the labels of the heads."""
        call, output = self.call, self.output
        self.made = call.filters(self.made.size, lambda: array(output.kernel).reshape(1, -1, self.made.size))
        self.labels = call.filters(self.count, self._weights_by_head, part="heads", needs_cap=True)
        read = [call.consume(x, -1) for x in self.tensors]
        for dense, tensor in self.projections:
            call.weight(dense.kernel, read[tensor], self.of(dense), None)
            call.weight(dense.bias, self.of(dense), None)
        between = (None,) * (len(output.kernel.shape) - 3)
        call.weight(output.kernel, self._of_queries, None, *between, self.made)
        call.weight(output.bias, *between, self.made)
        call.reads(-1, *((dense.kernel, 0) for dense, _ in self.projections), (output.kernel, 0))
        self._count(read)
        return self.labels

    def of(self, dense):
        """The labels along the heads of a projection."""
        return np.repeat(self.labels, dense.kernel.shape[1] // self.count)

    @property
    def _of_queries(self):
        return self.of(self.call.layer._query_dense)

    def _weights_by_head(self):
        shares = [np.moveaxis(array(dense.kernel), 1, 0) for dense, _ in self.projections]
        shares.append(array(self.output.kernel))
        return np.concatenate([share.reshape(self.count, -1) for share in shares], axis=1).T

    def put_out_as_the_query(self):
        """Ties the output channels to the channels of the query."""
        read = self.call.vector(self.tensors[0], -1)
        self.call.tie(self.made, read, "has as many output channels as its query, whose channels are fixed")

    def outputs(self):
        """The outputs, with attention scores if they were requested."""
        call = self.call
        reason = f"is weighed by the softmax of {call.where}, and has no ReLU of its own"
        call.tracer.mark_unscored(Channels.along((None, self.count), -1, self.labels), reason)
        scores = call.tracer.space.new(self._of_queries.size)
        call.tie(scores, self._of_queries)
        others = [Channels.along(shape, self._axis_of_heads, scores) for shape in call.output_shapes[1:]]
        return [call.output(-1, self.made), *others]

    def _count(self, read):
        query, value, _ = self.tensors
        queries, keys = (math.prod(x.shape[1:-1]) for x in (query, value))
        attended = math.prod(value.shape[axis] for axis in self.axes)
        for dense, tensor in self.projections:
            self.call.cost((keys if tensor else queries) * dense.kernel.shape[2], read[tensor], self.of(dense))
        value_dim, *between, _ = self.output.kernel.shape[1:]
        key_dim = self.call.layer._query_dense.kernel.shape[2]
        self.call.cost(queries * attended * (key_dim + value_dim), self._of_queries)
        self.call.cost(queries * value_dim * math.prod(between), self._of_queries, self.made)


@rule(layers.Attention, layers.AdditiveAttention)
def attention(call, inputs, mask=None, **kwargs):
    """Attention without projections: products of queries and keys, channel by channel, and sums of values."""
    query, value = inputs[:2]
    pairs = query.shape[-2] * math.prod(value.shape[1:-1])
    scored = isinstance(call.layer, layers.AdditiveAttention) and not call.layer.use_scale
    scored = scored or getattr(call.layer, "score_mode", "dot") == "concat"  # sums, without products
    call.cost(pairs * ((0 if scored else query.shape[-1]) + value.shape[-1]))
    return call.refuse((inputs,), kwargs, "pairs queries with keys, which surgery does not track")
