"""Layers that wrap another one."""

from keras import layers

from firekeras.channels.call import Call, Inner
from firekeras.channels.labels import Channels
from firekeras.channels.registry import find_rule, rule


class Wrapped(Call):
    """A wrapper's call of the layer inside it; the filters are listed under the wrapper's name."""

    def __init__(self, outer: Call, layer, output_shape):
        self.tracer, self.node, self.key, self.name = outer.tracer, outer.node, outer.key, outer.name
        self.layer, self.where = layer, outer.where
        self.output_shapes = [output_shape]
        self.steps, self.axes_before = 1, 0

    def reads(self, axis, *kernels, back=(), strengths=None, linear=False):
        """Reads like the layer inside, behind the axis of steps; never linear, since it is not built on its own."""
        axis += self.axes_before if axis > 0 else 0
        super().reads(axis, *kernels, back=back, strengths=strengths)

    def relu(self, x):
        """Not counted as a ReLU: what happens inside a wrapper is invisible from outside."""
        return self.fresh_like(x, f"meets a ReLU inside {self.where}, where it cannot be counted")

    def cost(self, factor, *axes, conv=False):
        """Costs of all steps."""
        super().cost(factor * self.steps, *axes, conv=conv)


@rule(layers.TimeDistributed)
def time_distributed(call, x, **kwargs):
    """TimeDistributed: the inner layer at each step."""
    apply = find_rule(call.layer.layer)
    if kwargs or apply is None or 1 in x.axes():
        return call.refuse((x,), kwargs, "wraps a layer without a rule, or uses channels as steps")[0]
    shape = call.output_shape
    inner = Wrapped(call, call.layer.layer, (shape[0], *shape[2:]))
    inner.steps, inner.axes_before = shape[1], 1
    step = apply(inner, Channels((x.shape[0], *x.shape[2:]), x.labels.squeeze(1)))
    step = step[0] if isinstance(step, list) else step
    call.setting(layer=Inner(call.layer.layer))
    return Channels(shape, step.labels[:, None])


@rule(layers.SpectralNormalization)
def spectral_normalization(call, x, **kwargs):
    """SpectralNormalization: the inner layer, and a vector with one number per filter."""
    apply = find_rule(call.layer.layer)
    if kwargs or apply is None:
        return call.refuse((x,), kwargs, "wraps a layer without a rule")[0]
    inner = Wrapped(call, call.layer.layer, call.output_shape)
    outputs = apply(inner, x)
    axes = call.tracer.weights.get(id(call.layer.kernel))
    if axes is not None:
        call.weight(call.layer.vector_u, None, axes[-1])
    call.setting(layer=Inner(call.layer.layer))
    return outputs
