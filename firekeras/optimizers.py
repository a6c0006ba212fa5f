"""Optimizers that Keras 3 loads from `.h5` files: they say that they are built, but know none of the weights."""

from __future__ import annotations

NOTE = (
    "The optimizer is a new one with the same settings: Keras loads that of an .h5 file in a state in which it cannot "
    "train."
)


def is_broken(model) -> bool:
    """Whether a model has an optimizer that was built for no weight at all, so that its first step fails."""
    optimizer = getattr(model, "optimizer", None)
    known = getattr(optimizer, "_trainable_variables", None)
    return bool(model.compiled and getattr(optimizer, "built", False) and known == [] and model.trainable_variables)


def fresh_if_broken(model) -> str | None:
    """Gives a model a new optimizer if its own cannot train; a note in words, None if there was no need."""
    if not is_broken(model):
        return None
    model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    model.optimizer.build(model.trainable_variables)
    return NOTE
