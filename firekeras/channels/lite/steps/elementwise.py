"""What combines tensors, or works on each number."""

from __future__ import annotations

from keras import layers

from firekeras.channels.lite.drafts import BATCH_NORM
from firekeras.channels.lite.lowering import becomes, becomes_one
from firekeras.channels.program import Product
from firekeras.channels.unchanged import UNCHANGED
from firekeras.keras_models.internals import numpy_ops

IN_TRAINING = (
    layers.RandomBrightness,
    layers.RandomContrast,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
)


@becomes(*UNCHANGED, *IN_TRAINING, layers.InputLayer)
def nothing(lowering, ran):
    """What leaves values as they are, at least at inference."""
    lowering.nothing(ran)


@becomes(layers.BatchNormalization)
def batch_norm(lowering, ran):
    """Normalization by fixed statistics: part of the layer before it, or a product and a sum."""
    layer, x = ran.layer, ran.inputs[0]
    count = lowering.channels(x, layer.axis if isinstance(layer.axis, int) else layer.axis[0])
    constants = [lowering.constant(count, name=lowering.length(ran, "batchnorm/mul")) for _ in range(2)]
    names = ("batchnorm/add_1", "batchnorm/mul_1", "batchnorm/mul", "batchnorm/sub")
    lowering.step(
        ran, BATCH_NORM, [lowering.tensor(x)], lowering.tensor(ran.outputs[0]), names=names, constants=constants
    )


@becomes(
    layers.Add,
    layers.Multiply,
    layers.Subtract,
    layers.Maximum,
    layers.Minimum,
    numpy_ops.Add,
    numpy_ops.Multiply,
    numpy_ops.Subtract,
    numpy_ops.Divide,
    numpy_ops.TrueDivide,
    numpy_ops.Maximum,
    numpy_ops.Minimum,
)
def combined(lowering, ran):
    """Sums, products and the like, of two at a time."""
    kinds = {"Add": "ADD", "Multiply": "MUL", "Subtract": "SUB", "Divide": "DIV", "TrueDivide": "DIV"}
    name = type(ran.layer).__name__
    kind = kinds.get(name, name.upper())
    first, *others = map(lowering.tensor, ran.inputs)
    if not others:
        constants = [lowering.constant(Product(1))]
        lowering.step(ran, kind, [first], lowering.tensor(ran.outputs[0]), names=(name,), constants=constants)
        return
    for x in others[:-1]:
        y = lowering.like(ran.outputs[0])
        lowering.step(ran, kind, [first, x], y, names=(name,))
        first = y
    lowering.step(ran, kind, [first, others[-1]], lowering.tensor(ran.outputs[0]), names=(name,))


@becomes(layers.Average)
def average(lowering, ran):
    """A sum and a product."""
    first, *others = map(lowering.tensor, ran.inputs)
    for x in others:
        y = lowering.like(ran.outputs[0])
        lowering.step(ran, "ADD", [first, x], y, names=("Add",))
        first = y
    constants = [lowering.constant(Product(1))]
    lowering.step(ran, "MUL", [first], lowering.tensor(ran.outputs[0]), names=("mul",), constants=constants)


@becomes(layers.Rescaling)
def rescaling(lowering, ran):
    """A product, and a sum if something is added."""
    x, out = lowering.tensor(ran.inputs[0]), ran.outputs[0]
    number = [lowering.constant(Product(1))]
    if not _is_zero(ran.layer.offset):
        between = lowering.like(out)
        lowering.step(ran, "MUL", [x], between, names=("mul",), constants=number)
        lowering.step(ran, "ADD", [between], lowering.tensor(out), names=("add",), constants=number)
    else:
        lowering.step(ran, "MUL", [x], lowering.tensor(out), names=("mul",), constants=number)


def _is_zero(value):
    return isinstance(value, (int, float)) and not value


@becomes(layers.Normalization)
def normalization(lowering, ran):
    """A difference and a product."""
    x, out = lowering.tensor(ran.inputs[0]), ran.outputs[0]
    between = lowering.like(out)
    count = [lowering.constant(lowering.channels(out))]
    lowering.step(ran, "SUB", [x], between, names=("sub",), constants=count)
    lowering.step(ran, "MUL", [between], lowering.tensor(out), names=("mul",), constants=count)


becomes_one("CONCATENATION", layers.Concatenate, numpy_ops.Concatenate)
