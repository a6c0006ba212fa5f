"""Activations, of their own or at the end of a layer."""

from __future__ import annotations

from keras import activations, layers

from firekeras.channels.labels import Channels
from firekeras.channels.lite.drafts import Ran
from firekeras.channels.lite.lowering import Lowering, becomes, becomes_one
from firekeras.keras_models.internals import nn_ops


def activate(lowering: Lowering, ran: Ran, x: int, activation, out: Channels):
    """Adds the steps of an activation of tensor `x`, whose output is `out`."""
    entered, steps = x, steps_of(activation)
    for place, (kind, reads_both) in enumerate(steps, 1):
        y = lowering.tensor(out) if place == len(steps) else lowering.like(out)
        lowering.step(ran, kind, [entered, x] if reads_both else [x], y, names=(kind.title(),))
        x = y


def steps_of(activation) -> list[tuple[str, bool]]:
    """The operations of an activation, and whether each also reads what went into the one before it."""
    known = {
        activations.relu: [("RELU", False)],
        activations.relu6: [("RELU6", False)],
        activations.softmax: [("SOFTMAX", False)],
        activations.sigmoid: [("LOGISTIC", False)],
        activations.tanh: [("TANH", False)],
        activations.silu: [("LOGISTIC", False), ("MUL", True)],
        activations.leaky_relu: [("LEAKY_RELU", False)],
        activations.elu: [("ELU", False)],
        activations.gelu: [("GELU", False)],
        activations.exponential: [("EXP", False)],
        activations.hard_sigmoid: [("ADD", False), ("RELU6", False), ("MUL", False)],
        activations.hard_silu: [("HARD_SWISH", False)],
    }
    name = getattr(activation, "__name__", type(activation).__name__)
    return known.get(activation, [(name.upper(), False)])


def ends_with(lowering, ran, make_step):
    """Adds the steps of a layer that may end with an activation: `make_step` gets the tensor that it makes."""
    activation = getattr(ran.layer, "activation", None) or activations.linear
    out = ran.outputs[0]
    if activation is activations.linear:
        make_step(lowering.tensor(out))
        return
    between = lowering.like(out)
    make_step(between)
    activate(lowering, ran, between, activation, out)


@becomes(layers.Activation)
def activation(lowering, ran):
    """The Activation layer."""
    if ran.layer.activation is activations.linear:
        lowering.nothing(ran)
    else:
        activate(lowering, ran, lowering.tensor(ran.inputs[0]), ran.layer.activation, ran.outputs[0])


@becomes(layers.ReLU)
def relu(lowering, ran):
    """ReLUs: LiteRT has one without a limit and one that ends at 6."""
    layer = ran.layer
    if layer.negative_slope:
        lowering.single(ran, "LEAKY_RELU")
    elif layer.threshold or layer.max_value not in (None, 6):
        lowering.single(ran, "RELU_0_TO_1" if layer.max_value == 1 else "MINIMUM")
    else:
        kind = "RELU" if layer.max_value is None else "RELU6"
        lowering.step(
            ran, kind, [lowering.tensor(ran.inputs[0])], lowering.tensor(ran.outputs[0]), names=(kind.title(),)
        )


@becomes(layers.PReLU)
def prelu(lowering, ran):
    """ReLUs with slopes that are learned."""
    size = [lowering.constant(lowering.weight(ran.layer.alpha))] if lowering.is_new(ran.layer) else []
    lowering.single(ran, "PRELU", size)


@becomes(nn_ops.Silu)
def silu_op(lowering, ran):
    """`keras.ops.silu`."""
    activate(lowering, ran, lowering.tensor(ran.inputs[0]), activations.silu, ran.outputs[0])


becomes_one("LEAKY_RELU", layers.LeakyReLU, nn_ops.LeakyRelu)
becomes_one("SOFTMAX", layers.Softmax, nn_ops.Softmax)
becomes_one("RELU", nn_ops.Relu)
becomes_one("RELU6", nn_ops.Relu6)
becomes_one("LOGISTIC", nn_ops.Sigmoid)
