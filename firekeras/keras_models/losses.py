"""The losses that models are compiled with: what they are called, and whether they expect logits."""

from __future__ import annotations

from firekeras.keras_models.internals import maker


def loss_name(loss) -> str:
    """What a compiled loss is called: as it was given, or by its class."""
    return loss if isinstance(loss, str) else type(loss).__name__


def is_loss(loss, name: str) -> bool:
    """Whether a compiled loss, as text or as an object, is the one of this name, in small letters alone."""
    return loss_name(loss).replace("_", "").lower() == name


def gives_logits(network) -> bool:
    """Whether the last layer gives logits, not probabilities, by its activation."""
    last = maker(network.outputs[0])
    while getattr(last, "outputs", None) and hasattr(last, "layers"):
        last = maker(last.outputs[0])
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    return activation not in ("softmax", "sigmoid")
