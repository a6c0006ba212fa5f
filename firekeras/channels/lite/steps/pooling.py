"""Pooling, padding and resizing."""

from __future__ import annotations

import dataclasses

from keras import layers

from firekeras.channels.lite.lowering import becomes, becomes_one
from firekeras.channels.program import Product
from firekeras.keras_models.internals import nn_ops, numpy_ops


@becomes(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, numpy_ops.Mean)
def mean(lowering, ran):
    """Means over positions: sums of four bytes each before they become int8."""
    size = lowering.size(ran.outputs[0])
    scratch = dataclasses.replace(size, factor=4 * size.factor)
    lowering.single(ran, "MEAN", [lowering.whole_numbers(2)], scratch)


@becomes(layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D, numpy_ops.Max)
def largest(lowering, ran):
    """The largest over positions."""
    lowering.single(ran, "REDUCE_MAX", [lowering.whole_numbers(2)])


@becomes(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D, numpy_ops.Pad)
def pad(lowering, ran):
    """Padding of its own copies; that of a convolution does not."""
    lowering.single(ran, "PAD", [lowering.whole_numbers(8)])


@becomes(layers.UpSampling2D)
def up_sampling(lowering, ran):
    """Each position repeated, along one axis after the other; or a resizing."""
    if ran.layer.interpolation != "nearest":
        lowering.single(ran, f"RESIZE_{ran.layer.interpolation.upper()}", [lowering.whole_numbers(2)])
        return
    x, size = lowering.tensor(ran.inputs[0]), lowering.size(ran.inputs[0])
    for axis, times in enumerate(ran.layer.size):
        grown = dataclasses.replace(size, factor=size.factor * times)
        out = lowering.tensor(ran.outputs[0]) if axis else lowering.new(grown)
        _repeated(lowering, ran, x, size, grown, out)
        x, size = out, grown


def _repeated(lowering, ran, x, size, grown, out):
    wider, tiled = lowering.new(size, 5), lowering.new(grown, 5)
    shape, batch, wanted = (lowering.new(Product(count), 1, 4) for count in (4, 2, 4))
    some = lowering.whole_numbers
    lowering.step(ran, "EXPAND_DIMS", [x], wider, names=("Repeat/ExpandDims",), constants=[some(1, 15)])
    lowering.step(ran, "TILE", [wider], tiled, names=("Repeat/Tile",), constants=[some(5, 44)])
    lowering.step(ran, "SHAPE", [x], shape, names=("Repeat/Shape",))
    lowering.step(ran, "STRIDED_SLICE", [shape], batch, names=("Repeat/strided_slice",), constants=[some(1, 15)] * 2)
    lowering.step(ran, "CONCATENATION", [batch], wanted, names=("Repeat/concat",), constants=[some(1, 15), some(2, 45)])
    lowering.step(ran, "RESHAPE", [tiled, wanted], out, names=("Repeat/Reshape_1",))


becomes_one("MAX_POOL_2D", layers.MaxPooling2D, nn_ops.MaxPool)
becomes_one("AVERAGE_POOL_2D", layers.AveragePooling2D, nn_ops.AveragePool)
