"""What a comparison compares: methods by name, with options or as published, and controls."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from firekeras import methods
from firekeras.rounds.method import Method, Protocol

PUBLISHED = ":"  # between a method and its protocol: "fire:paper"
OF_A_RUN = ("recovery", "distill", "epochs_per_round")  # what a protocol may set here; all else is the same for all


@dataclasses.dataclass(frozen=True)
class Scratch:
    """The control that starts untrained: the shape of a pruned network, with fresh weights.

    Args:
        epochs: Epochs of training, at least 1. Defaults to None: as many as the pruned networks get, which were
            already trained before.
        learning_rate: The rate to begin with, above 0. Defaults to None: as for the pruned networks, which may be
            too low for an untrained network.
    """

    epochs: int | None = None
    learning_rate: float | None = None


@dataclasses.dataclass(frozen=True)
class Unpruned:
    """The control that loses nothing: the network that all runs begin with, trained for as many more epochs."""


CONTROLS: dict[str, type[Scratch] | type[Unpruned]] = {"scratch": Scratch, "unpruned": Unpruned}


@dataclasses.dataclass(frozen=True)
class ByName:
    """A method by name; called with a seed, it makes a new one.

    Args:
        name: A method or criterion.
        protocol: The name of one of its protocols. Defaults to None: our own defaults.
        options: Options of the method, which count before those of the protocol. Defaults to none.

    Raises:
        ValueError: If there is no such method, protocol or option; suggests the nearest name.

    Example:
    >>> from firekeras.studies.compare import ByName
    >>> ByName("fire", options={"mode": "measured"})(seed=3).mode
    'measured'
    """

    name: str
    protocol: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        methods.get(self.name, protocol=self.protocol, **self.options)

    def __call__(self, seed: int) -> Method:
        return methods.seeded(self.name, seed, protocol=self.protocol, **self.options)

    @property
    def settings(self) -> dict[str, Any]:
        """What the protocol sets for the runs of this method alone."""
        return {name: self._protocol.settings[name] for name in OF_A_RUN if name in self._protocol.settings}

    @property
    def _protocol(self) -> Protocol:
        return Protocol() if self.protocol is None else methods.protocol_of(self.name, self.protocol)

    @property
    def term(self) -> str:
        """What of its protocol these runs follow, for the terms of a comparison; empty without a protocol."""
        if self.protocol is None:
            return ""
        chosen = {**self._protocol.options, **self.options, **self.settings}
        sets = ", ".join(f"{name}={value!r}" for name, value in chosen.items())
        return f"as published, with {sets}; target, epochs and learning rates are those of all runs."


def factories(
    names: str | Iterable[str], options: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Callable[[int], Method] | Scratch | Unpruned]:
    """For each name, a function of the seed that makes the method, or the control as an object.

    Args:
        names: Methods, criteria and controls; `"fire:paper"` is the method `"fire"` as published.
        options: Options of methods, by these names.

    Raises:
        ValueError: If there is no such method, protocol or option, or options are for none of the methods.
    """
    names = [names] if isinstance(names, str) else list(names)
    given = dict(options or {})
    entries = {name: _entry(name, given) for name in names}
    if given:
        raise ValueError(
            f"There are options for {next(iter(given))!r}, which is not among the methods: {', '.join(entries)}."
        )
    return entries


def _entry(name, options):
    """The control of a name, or else what makes its method, with its options taken out of those given."""
    if not isinstance(name, str):
        raise ValueError(
            f"methods are names, or functions of the seed by name, since each run needs a fresh method: "
            f"{{'mine': lambda seed: {type(name).__name__}(...)}}. Received an object instead."
        )
    if name in CONTROLS:
        return CONTROLS[name]()
    method, _, protocol = name.partition(PUBLISHED)
    return ByName(method, protocol or None, options.pop(name, {}))
