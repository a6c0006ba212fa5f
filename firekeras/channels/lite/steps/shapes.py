"""Changes of shape, which copy."""

from __future__ import annotations

from keras import layers

from firekeras.channels.lite.lowering import becomes
from firekeras.channels.program import Product
from firekeras.keras_models.internals import numpy_ops


@becomes(layers.Flatten, layers.Reshape, numpy_ops.Reshape)
def reshape(lowering, ran):
    """A change of shape copies, to a shape that is put together while the network runs."""
    x, out = ran.inputs[0], ran.outputs[0]
    wanted = put_together(lowering, ran, lowering.tensor(x), len(x.shape), len(out.shape))
    lowering.step(ran, "RESHAPE", [lowering.tensor(x), wanted], lowering.tensor(out), names=("Reshape",))


def put_together(lowering, ran, x, rank, wanted_rank, name="Reshape/shape"):
    """Adds the steps that make a shape while the network runs, for its batch is open; returns the tensor."""
    shape, batch = lowering.new(Product(rank), 1, 4), lowering.new(Product(1), 0, 4)
    wanted = lowering.new(Product(wanted_rank), 1, 4)
    ones = [lowering.whole_numbers(1, 37), lowering.whole_numbers(1, 14)]
    lowering.step(ran, "SHAPE", [x], shape, names=("Shape",))
    lowering.step(ran, "STRIDED_SLICE", [shape], batch, names=("strided_slice",), constants=ones)
    sizes = [lowering.whole_numbers(1, 33) for _ in range(wanted_rank - 1)][:2]
    lowering.step(ran, "PACK", [batch], wanted, names=(name,), constants=sizes)
    return wanted
