"""`firekeras latency`: measures how long the layers of a model take on this device, and writes a table for plans."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli import complete
from firekeras.cli.console import show, show_text, silent_stderr, write_progress
from firekeras.cli.files import check_output, load_model
from firekeras.cli.options import ModelFile
from firekeras.cli.words import in_options
from firekeras.export.formats import format_named
from firekeras.export.formats.format import either, formats_with
from firekeras.terminal import activity, written

KERAS = "keras"


def _names():
    return either(repr(name) for name in (*(known.name for known in formats_with("sets_threads")), KERAS))


def latency(
    model: ModelFile,
    output: Annotated[
        Path | None,
        typer.Option(metavar="TABLE.json", show_default="MODEL.latency.json", help="The file to write."),
    ] = None,
    runtime: Annotated[
        str, typer.Option(metavar="NAME", autocompletion=complete.formats, help=f"What runs the layers: {_names()}.")
    ] = "litert",
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Samples per pass.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, show_default="1", help="How many threads to use.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed passes of each layer.")] = 30,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="the processor", help="A name for this device.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print the progress as JSON, one object per line, and no table.")
    ] = False,
):
    """Measures how long the layers of a model take on this device, at several widths, for --latency-table.

    Run it on the device that the model is for; prune and compress then plan for it anywhere. Each layer is exported
    and timed alone, and so is the whole network, as it is and with fewer filters: that takes some minutes for a large
    network.

    Example: firekeras latency model.keras --output board.json

    Example: firekeras prune model.keras --latency 0.5 --latency-table board.json
    """
    output = output or Path(f"{model.stem}.latency.json")
    check_output(output, model, ".json")
    chosen = runtime if runtime == KERAS else format_named(runtime).name
    network = load_model(model, compile=False)
    import firekeras
    from firekeras.report.stages_report import layers_table

    with silent_stderr(), _reporting(events) as on_progress:  # converters print a lot
        table = firekeras.latency_table(
            network,
            runtime=chosen,
            batch_size=batch,
            runs=runs,
            threads=threads,
            device=device,
            on_progress=on_progress,
        )
    replaced = output.exists()
    table.save(output)
    if events:
        return
    show(layers_table(model.name, {name: times.seconds[0] for name, times in table.layers.items()}))
    show_text(f"A pass takes {1e3 * table.seconds[0]:.4g} ms in {table.runtime}. {written(output, replaced)}")
    for note in table.notes(1):
        show_text(in_options(note, {"round_to"}))


@contextlib.contextmanager
def _reporting(events):
    """A function that reports each step: as an event, or on a line that changes."""
    if events:
        yield write_progress
        return
    with activity("Measuring layer by layer") as status:
        yield lambda done, of: status.update(f"Measuring layer by layer: {done / of:.0%}")
