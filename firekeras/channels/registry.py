"""Rules: what each operation does with the labels of its inputs. Adding a layer type is adding one."""

from __future__ import annotations

from types import FunctionType

HARMLESS = {"get_config", "from_config"}  # what a subclass may override without computing something else
_RULES: dict[type, object] = {}


def rule(*operations: type):
    """Registers a function as the rule of these layer (or operation) classes.

    A rule gets the `Call` (what is called, with helpers that declare which weights, settings and
    costs depend on which channels) and the call's arguments with a `Channels` in place of each
    tensor; it returns the `Channels` of what the call gives. It holds for subclasses too, unless
    they override a method: then nobody knows any more what they compute.

    Args:
        operations: Subclasses of `keras.Layer`, or of `keras.Operation`.

    Example:
    >>> class Squared(keras.Layer):
    ...     def call(self, x):
    ...         return x * x
    >>> @firekeras.channels.rule(Squared)      # each channel by itself, so the labels stay the same
    ... def squared(call, x):
    ...     return x
    """

    def register(function):
        _RULES.update(dict.fromkeys(operations, function))
        return function

    return register


def known_rules() -> dict:
    """All rules that there are now, by class."""
    return dict(_RULES)


def find_rule(operation):
    """The rule of an operation; None where there is none that surely holds."""
    for base in type(operation).__mro__:
        if base in _RULES:
            return _RULES[base] if _computes_alike(type(operation), base) and not _has_own_methods(operation) else None
    return None


def _has_own_methods(operation):
    """Whether a method of its class was replaced on this one object; Keras itself wraps two."""
    return any(
        name not in ("build", "quantize") and isinstance(getattr(type(operation), name, None), FunctionType)
        for name in vars(operation)
    )


def _computes_alike(derived, base):
    """Whether nothing that `base` computes with is overridden on the way down to `derived`."""
    between = derived.__mro__[: derived.__mro__.index(base)]
    overridden = {name for cls in between for name in vars(cls) if hasattr(base, name)}
    return all(name in HARMLESS or (name.startswith("__") and name != "__call__") for name in overridden)
