"""Layers that `keras.applications` brings along."""

from firekeras.channels.call import Count
from firekeras.channels.registry import rule
from firekeras.channels.rules.elementwise import combine
from firekeras.keras_models.internals import CustomScaleLayer, LayerScale, StochasticDepth


@rule(LayerScale)
def layer_scale(call, x):
    """ConvNeXt's scale per channel."""
    labels = call.vector(x, -1)
    call.weight(call.layer.gamma, labels)
    call.setting(projection_dim=Count(labels))
    return call.passed_on(x)


@rule(StochasticDepth)
def stochastic_depth(call, x, **kwargs):
    """ConvNeXt's dropping of whole branches: nothing at inference."""
    return call.passed_on(x)


@rule(CustomScaleLayer)
def custom_scale(call, inputs):
    """Inception-ResNet's scaled residual."""
    return combine(call, inputs)
