"""The methods, one file per paper: each decides, round by round, which filters go next."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from firekeras.arguments import typed
from firekeras.discovery import import_all
from firekeras.methods.by_score import ByScore
from firekeras.methods.fire import FirePruning
from firekeras.methods.fppmo import FPPMO
from firekeras.methods.l1 import L1Pruning
from firekeras.methods.play_and_prune import PlayAndPrune
from firekeras.refusals import suggestion, unknown
from firekeras.rounds.method import METHODS, Method, Protocol, register
from firekeras.scores.criteria import CRITERIA

import_all(__name__, __path__)

__all__ = [
    "FPPMO",
    "METHODS",
    "ByScore",
    "FirePruning",
    "L1Pruning",
    "Method",
    "PlayAndPrune",
    "Protocol",
    "get",
    "names",
    "options_of",
    "protocols_of",
    "register",
    "seeded",
]


@typed
def get(identifier: str | Method | type[Method], *, protocol: str | None = None, **options: Any) -> Method:
    """Makes a method from a name; a method object is returned as it is.

    Args:
        identifier: The name of a method, such as `"fire"`, or of a criterion, such as `"l2"`; a class derived from
            `Method`; or a method object.
        protocol: The name of a protocol, such as `"paper"`, whose options are used unless others are given. Defaults
            to None. A method object keeps its own options.
        **options: Arguments for the method's constructor.

    Returns:
        The method.

    Raises:
        ValueError: If there is no method or protocol of that name (the message suggests the nearest one), or an object
            is not a `Method`.

    Example:
    >>> method = firekeras.methods.get("fire", mode="measured")
    """
    if protocol is not None:
        options = {**protocol_of(identifier, protocol).options, **options}
    if isinstance(identifier, str):
        check_options(identifier, options)
        return _maker(identifier)(**options)
    method = identifier(**options) if isinstance(identifier, type) else identifier
    if not isinstance(method, Method):
        raise ValueError(
            f"Expected a method: one of {names()}, or an object of a class derived from firekeras.methods.Method. "
            f"Received: {identifier!r}."
        )
    return method


def _maker(name):
    if name in METHODS:
        return METHODS[name]
    if name in CRITERIA:
        return partial(ByScore, name)
    raise unknown("method", name, names())


@typed
def protocols_of(method: str | Method | type[Method]) -> Mapping[str, Protocol]:
    """The protocols of a method: how it is used as it was published.

    Args:
        method: As `get` takes it.

    Returns:
        A `Protocol` for each name; none if the method has only our own defaults.

    Raises:
        ValueError: If there is no method of that name; suggests the nearest one.

    Example:
    >>> firekeras.methods.protocols_of("l1")["paper"].settings["epochs"]
    40
    """
    maker = _maker(method) if isinstance(method, str) else method
    maker = getattr(maker, "of", getattr(maker, "func", maker))
    return getattr(maker, "protocols", {})


@typed
def protocol_of(method: str | Method | type[Method], name: str) -> Protocol:
    """The protocol of a method by name.

    Raises:
        ValueError: If the method has none of that name.
    """
    known = protocols_of(method)
    if name in known:
        return known[name]
    if known:
        raise unknown("protocol", name, list(known))
    title = repr(method) if isinstance(method, str) else getattr(method, "__qualname__", type(method).__qualname__)
    raise ValueError(f"The method {title} has no protocol {name!r}: it has only the defaults of firekeras.")


def published(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run, with those of its protocol for all that is not given, and the method made by it.

    Args:
        settings: What was given, as `firekeras.compress` takes it: `protocol`, `method`, ... With a target no ratio is
            added, since the target sizes the cuts.

    Raises:
        ValueError: If the method has no such protocol.
    """
    name, method = settings.get("protocol"), settings.get("method", "fire")
    if name is None:
        return dict(settings)
    added = dict(protocol_of(method, name).settings)
    if settings.get("target") is not None:
        added.pop("pruning_ratio", None)
    return {**added, **settings, "method": get(method, protocol=name) if isinstance(method, str) else method}


@typed
def seeded(name: str, seed: int, **options: Any) -> Method:
    """Makes a method from a name, seeded if it draws at random.

    Args:
        name: As `get` takes it.
        seed: Seeds everything that the method draws at random.
        **options: Arguments for the method's constructor, and `protocol`.

    Returns:
        The method.

    Raises:
        ValueError: If there is no method of that name; suggests the nearest one.

    Example:
    >>> firekeras.methods.seeded("random", seed=3).seed
    3
    """
    return get(name, **{**({"seed": seed} if "seed" in options_of(name) else {}), **options})


@typed
def options_of(name: str) -> dict[str, inspect.Parameter]:
    """The options of a method, from the signature of the class or function that makes it.

    Args:
        name: The name of a method or criterion.

    Returns:
        A parameter for each option, by its name.

    Raises:
        ValueError: If there is no method of that name; suggests the nearest one.

    Example:
    >>> firekeras.methods.options_of("l1")["selection"].default
    'independent'
    """
    return dict(inspect.signature(_maker(name)).parameters)


def documentation_of(name: str) -> str:
    """The docstring of the class whose options a method takes."""
    maker = _maker(name)
    documented = getattr(maker, "of", getattr(maker, "func", maker))
    return inspect.getdoc(documented) or ""


def summary_of(name: str) -> str:
    """The first line about a method or criterion."""
    described = METHODS.get(name) or CRITERIA[name].score
    return (inspect.getdoc(described) or "").split("\n")[0]


def check_options(name: str, options: Iterable[str]) -> None:
    """Raises `ValueError` if a method has no option of such a name."""
    known = options_of(name)
    if any(each.kind is each.VAR_KEYWORD for each in known.values()):
        return  # what it takes, only it knows
    for option in options:
        if option not in known:
            raise ValueError(
                f"The method {name!r} has no option {option!r}.{suggestion(option, known)} It takes {', '.join(known)}."
            )


def names() -> list[str]:
    """Lists the names that `get` knows.

    Returns:
        The methods, then the criteria that are not themselves methods, each in alphabetical order.

    Example:
    >>> "fire" in firekeras.methods.names()
    True
    """
    return [*sorted(METHODS), *(name for name in sorted(CRITERIA) if name not in METHODS)]
