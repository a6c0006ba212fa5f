"""`firekeras widths`: measures which `--round-to` suits the device."""

from __future__ import annotations

from typing import Annotated

import typer

from firekeras.cli import complete
from firekeras.cli.console import import_keras, show, show_text, silent_stderr
from firekeras.export.formats import format_named
from firekeras.export.formats.format import either, formats_with


def _names():
    return either(repr(known.name) for known in formats_with("sets_threads"))


def widths(
    around: Annotated[int, typer.Argument(metavar="WIDTH", min=9, help="A typical width of the pruned network.")] = 32,
    size: Annotated[int, typer.Option(min=1, help="Height and width of its feature maps, in pixels.")] = 16,
    kernel: Annotated[int, typer.Option(min=1, help="Height and width of its kernels.")] = 3,
    to: Annotated[str, typer.Option(metavar="NAME", autocompletion=complete.formats, help=f"{_names()}.")] = "litert",
    int8: Annotated[bool, typer.Option("--int8", help="Compute in 8-bit integers (LiteRT).")] = False,
    threads: Annotated[int, typer.Option(min=1, help="How many threads to use.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Timed passes of each width.")] = 50,
):
    """Shows how long convolutions of different widths take here, and which --round-to to use.

    Exports and times four convolutions for each width from 8 below to 8 above. Runtimes compute several filters at
    a time: just above a multiple of that number the MACs per second drop.

    Example: firekeras widths 32 --size 16 --int8
    """
    chosen = format_named(to)
    if not chosen.sets_threads:
        raise ValueError(f"--to is {_names()} here. Received: {to!r}.")
    if int8 and not chosen.has_int8:
        raise ValueError(
            f"--int8 is for {either(known.name for known in formats_with('has_int8'))}. Received: --to {to}."
        )
    import_keras()
    from firekeras.export.widths import chain_macs, latency_of_widths, suitable_round_to
    from firekeras.report.stages_report import widths_table

    near = range(around - 8, around + 9)
    with silent_stderr():  # converters print a lot
        latencies = latency_of_widths(
            near, size=size, kernel=kernel, to=chosen.name, int8=int8, threads=threads, runs=runs
        )
    show(widths_table(latencies, {width: chain_macs(width, size=size, kernel=kernel) for width in near}))
    step = suitable_round_to(latencies)
    if step > 1:
        show_text(f"MACs per second drop above every multiple of {step}: pass --round-to {step} to prune or compress.")
    else:
        show_text("MACs per second drop above no multiple of 2, 4, 8 or 16: --round-to gains nothing here.")
