"""Layers over time: those of images of height 1, between two changes of shape."""

from __future__ import annotations

from keras import layers

from firekeras.channels.lite.drafts import FOLDS
from firekeras.channels.lite.lowering import becomes
from firekeras.channels.lite.steps.activations import ends_with
from firekeras.channels.lite.steps.sums import kernel_and_bias


@becomes(layers.Conv1D)
def conv1d(lowering, ran):
    """Convolutions over time: those of images of height 1, between two changes of shape."""
    kernel = ran.layer.kernel
    _as_image(lowering, ran, "CONV_2D", lambda: kernel_and_bias(lowering, ran, kernel, "Conv1D"))


@becomes(layers.DepthwiseConv1D)
def depthwise1d(lowering, ran):
    """Depthwise convolutions over time."""
    kernel = ran.layer.kernel
    _as_image(
        lowering,
        ran,
        "DEPTHWISE_CONV_2D",
        lambda: kernel_and_bias(lowering, ran, kernel, "depthwise"),
    )


@becomes(layers.MaxPooling1D, layers.AveragePooling1D)
def pool1d(lowering, ran):
    """Pooling over time."""
    kind = "MAX_POOL_2D" if isinstance(ran.layer, layers.MaxPooling1D) else "AVERAGE_POOL_2D"
    _as_image(lowering, ran, kind, list)


def _as_image(lowering, ran, kind, constants):
    x, out = ran.inputs[0], ran.outputs[0]
    image, made = lowering.like(x), lowering.like(out)
    lowering.step(ran, "RESHAPE", [lowering.tensor(x)], image, names=("ExpandDims",), constants=[_shape(lowering)])
    names = ("BiasAdd", "convolution/Squeeze", "Squeeze", "convolution") if kind in FOLDS else (kind,)
    core = lowering.step(ran, kind, [image], made, names=names, constants=constants())

    def back(make):
        squeezed = lowering.step(ran, "RESHAPE", [made], make, names=names[:3], constants=[_shape(lowering)])
        squeezed.behind = core

    ends_with(lowering, ran, back)


def _shape(lowering):
    return lowering.whole_numbers(4)
