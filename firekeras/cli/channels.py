"""`firekeras channels`: which layers lose filters together, and which filters must stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import show, show_text
from firekeras.cli.files import check_output, load_model
from firekeras.cli.options import ModelFile


def channels(
    model: ModelFile,
    output: Annotated[
        Path | None,
        typer.Option(metavar="NAME.json", show_default="none", help="Also write the graph as JSON, for programs."),
    ] = None,
):
    """Shows which layers lose filters together, which filters must stay, and why.

    Needs only a model: nothing is measured, and nothing is changed. A unit is what goes in one step: a single filter,
    or one filter of each layer whose outputs are added.

    Example: firekeras channels model.keras
    """
    if output:
        check_output(output, model, ".json")
    network = load_model(model, compile=False)
    import firekeras
    from firekeras.atomic import write_text
    from firekeras.report import tables

    graph = firekeras.channel_graph(network)
    if output:
        write_text(output, json.dumps(graph.to_dict()))
    show(tables.channels_table(graph))
    for note in graph.notes:
        show_text(note)
