"""Rules: what each operation does with the labels of its inputs. A new layer type needs one new rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

HARMLESS = {"get_config", "from_config"}  # what a subclass may override without changing what it computes
_RULES: dict[type, object] = {}


def rule(*operations: type) -> Callable[[F], F]:
    """Registers a function as the rule of these layer (or operation) classes.

    A rule gets the `Call` (the layer, with helpers that declare which weights, settings and costs
    depend on which channels) and the call's arguments with a `Channels` in place of each tensor; it
    returns the `Channels` of the outputs. It applies to subclasses too, unless they override a
    method: then it is unknown what they compute.

    Args:
        operations: Subclasses of `keras.Layer` or of `keras.Operation`.

    Returns:
        A decorator that registers a function and returns it.

    Example:
    >>> class Squared(keras.Layer):
    ...     def call(self, x):
    ...         return x * x
    >>> @firekeras.channels.rule(Squared)      # works channel by channel, but not linearly
    ... def squared(call, x):
    ...     return call.fresh_like(x)
    """

    def register(function: F) -> F:
        _RULES.update(dict.fromkeys(operations, function))
        return function

    return register


def known_rules() -> dict:
    """All registered rules, by class."""
    return dict(_RULES)


def find_rule(operation):
    """The rule of an operation; None if none is certain to apply."""
    return find_in(_RULES, operation)


def find_in(table: Mapping[type, T], operation) -> T | None:
    """What a table has for the class of an operation, or one above it that computes the same; None without any."""
    for base in type(operation).__mro__:
        if base in table:
            same = _computes_the_same(type(operation), base) and not _has_own_methods(operation)
            return table[base] if same else None
    return None


def _has_own_methods(operation):
    """Whether a method of its class was replaced on this one object; Keras itself wraps two."""
    return any(
        name not in ("build", "quantize") and isinstance(getattr(type(operation), name, None), FunctionType)
        for name in vars(operation)
    )


def _computes_the_same(derived, base):
    """Whether no class from `base` down to `derived` overrides anything that `base` computes with."""
    between = derived.__mro__[: derived.__mro__.index(base)]
    overridden = {name for cls in between for name in vars(cls) if hasattr(base, name)}
    return all(name in HARMLESS or (name.startswith("__") and name != "__call__") for name in overridden)
