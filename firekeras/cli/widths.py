"""`firekeras widths`: what `--round-to` suits the device, by measuring."""

from __future__ import annotations

from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, import_keras, show, show_text, silent_stderr
from firekeras.export.formats.format import either, formats_with


def _names():
    return either(repr(known.name) for known in formats_with("sets_threads"))


@errors_in_words()
def widths(
    around: Annotated[int, typer.Argument(min=9, help="A typical width of the pruned network.")] = 32,
    size: Annotated[int, typer.Option(min=1, help="Height and width of its feature maps, in pixels.")] = 16,
    kernel: Annotated[int, typer.Option(min=1, help="Height and width of its kernels.")] = 3,
    to: Annotated[str, typer.Option(metavar="NAME", help=f"{_names()}.")] = "litert",
    int8: Annotated[bool, typer.Option("--int8", help="In 8-bit whole numbers (LiteRT).")] = False,
    threads: Annotated[int, typer.Option(min=1, help="How many threads it takes.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Timed passes of each width.")] = 50,
):
    """Shows how long convolutions of different widths take here, and what to give as --round-to.

    Exports and times four convolutions for each width from 8 below to 8 above. Runtimes compute several filters at
    a time: behind a multiple of that number the MACs per second fall.

    Example: firekeras widths 32 --size 16 --int8
    """
    import_keras()
    from firekeras.export.widths import chain_macs, latency_of_widths, suitable_round_to
    from firekeras.report.stages_report import widths_table

    chosen = range(around - 8, around + 9)
    with silent_stderr():  # converters chat
        found = latency_of_widths(chosen, size=size, kernel=kernel, to=to, int8=int8, threads=threads, runs=runs)
    show(widths_table(found, {width: chain_macs(width, size=size, kernel=kernel) for width in chosen}))
    step = suitable_round_to(found)
    if step > 1:
        show_text(f"MACs per second fall behind every multiple of {step}: give --round-to {step} to prune or compress.")
    else:
        show_text("MACs per second fall behind no multiple of 2, 4, 8 or 16: --round-to gains nothing here.")
