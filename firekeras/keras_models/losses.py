"""The losses that models are compiled with: their names, and whether models output logits."""

from __future__ import annotations

from firekeras.keras_models.internals import maker


def loss_name(loss) -> str:
    """The name of a compiled loss: the string that was passed, or its class."""
    return loss if isinstance(loss, str) else type(loss).__name__


def is_loss(loss, name: str) -> bool:
    """Whether a compiled loss, a string or an object, has this name, in lower case without underscores."""
    return loss_name(loss).replace("_", "").lower() == name


def gives_logits(network) -> bool:
    """Whether the last layer outputs logits, not probabilities, judging by its activation."""
    last = maker(network.outputs[0])
    while getattr(last, "outputs", None) and hasattr(last, "layers"):
        last = maker(last.outputs[0])
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    return activation not in ("softmax", "sigmoid")
