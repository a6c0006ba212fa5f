"""The options that are targets: one for each cost, and for the latencies."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

GOAL = "Target and metric"  # a panel of the help
# Spelled here again, since --help must not wait for NumPy; a test holds them equal to the registered ones.
COSTS = {
    "conv_macs": "the convolutions' MACs",
    "macs": "all MACs",
    "params": "the parameters",
    "ram": "the RAM of the tensors in int8, inputs too (export --int8-inputs)",
    "flash": "the size of the .tflite file in int8",
    "ram_float32": "the RAM of the tensors in float32",
    "flash_float16": "the size of the .tflite file in float16",
    "flash_float32": "the size of the .tflite file in float32",
    "latency": "the time of a forward pass, by --latency-table; compress without one measures it here",
}
LATENCIES = {
    "litert_latency": "the time of a forward pass in LiteRT, measured here",
}


def with_targets(*names: str) -> Callable[[Callable], Callable]:
    """Gives a command an option for each target; it gets them as its keywords `**targets`.

    Args:
        names: The names of the targets.
    """

    def decorate(command):
        hints = typing.get_type_hints(command, include_extras=True)
        options = {name: Annotated[str | None, _option(name)] for name in names}

        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return command(*args, **kwargs)

        declared = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        own = [p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY) for p in declared]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in options.items()
        ]
        wrapped.__signature__ = inspect.Signature([*own[:3], *added, *own[3:]])  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
        return wrapped

    return decorate


def _option(name):
    """The option of a target, for Typer."""
    what = {**COSTS, **LATENCIES}[name]
    units = {"ram": "so many bytes, such as 256kB", "flash": "so many bytes, such as 256kB"}
    units |= {"latency": "so much time, such as 2ms", "litert": "so much time, such as 2ms"}
    amount = units.get(name.partition("_")[0], "this amount")
    return typer.Option(
        rich_help_panel=GOAL,
        metavar="SHARE|AMOUNT",
        help=f"Reach this share of {what}, above 0, up to 1; or {amount}.",
    )
