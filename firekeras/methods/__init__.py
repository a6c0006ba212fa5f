"""The methods, one file per paper: each says, round by round, which filters go next."""

from __future__ import annotations

from typing import Protocol

from firekeras.methods.fire import FirePruning
from firekeras.names import nearest
from firekeras.plan import PruningPlan

METHODS = {"fire": FirePruning}


class Method(Protocol):
    """What the round engine asks of a method."""

    def plan(self, model, data, *, layer_caps, original_widths) -> PruningPlan:
        """Says what goes next.

        Args:
            model: The network as it is now.
            data: The training data, as `fit` takes them.
            layer_caps: As in `plan_pruning`.
            original_widths: The widths that the run began with, by layer.
        """


def get(identifier: str | Method | type, **options) -> Method:
    """A method by its name, `"fire"`, with its options; a method object as it is.

    Raises:
        ValueError: If there is no method of that name; names the nearest.
    """
    if not isinstance(identifier, str):
        return identifier(**options) if isinstance(identifier, type) else identifier
    if identifier not in METHODS:
        near = nearest(identifier, METHODS)
        raise ValueError(f"Unknown method {identifier!r}. Expected one of {sorted(METHODS)}. Did you mean {near!r}?")
    return METHODS[identifier](**options)


def register(name: str):
    """Registers a method class under a name, for `compress` and the command line."""

    def decorate(method):
        METHODS[name] = method
        return method

    return decorate


__all__ = ["METHODS", "FirePruning", "Method", "get", "register"]
