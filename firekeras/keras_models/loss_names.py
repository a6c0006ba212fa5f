"""The names of the losses that models are compiled with; Keras is not needed for them."""

from __future__ import annotations

BINARY = ("binarycrossentropy", "binaryfocalcrossentropy", "bce")
ONE_HOT = ("categoricalcrossentropy", "categoricalfocalcrossentropy", "categoricalhinge", "kldivergence")
REGRESSION = (
    *("meansquarederror", "mse", "meanabsoluteerror", "mae", "huber", "logcosh"),
    *("meansquaredlogarithmicerror", "msle", "meanabsolutepercentageerror", "mape"),
)


def loss_name(loss) -> str:
    """The name of a compiled loss: the string that was passed, or that of the function or the class."""
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


def is_loss(loss, name: str) -> bool:
    """Whether a compiled loss, a string or an object, has this name, in lower case without underscores."""
    return loss_name(loss).replace("_", "").lower() == name


def has_binary_loss(loss) -> bool:
    """Whether a loss is one of two classes, whose one score says how much speaks for class 1."""
    return any(is_loss(loss, name) for name in BINARY)


def has_one_hot_loss(loss) -> bool:
    """Whether a loss is one of classes that takes a vector per sample."""
    return any(is_loss(loss, name) for name in ONE_HOT)


def has_regression_loss(loss) -> bool:
    """Whether a loss is one of numbers, not of classes."""
    return any(is_loss(loss, name) for name in REGRESSION)
