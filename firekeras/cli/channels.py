"""`firekeras channels`: which layers lose filters together, and what must stay."""

from __future__ import annotations

from firekeras.cli.console import errors_in_words, show, show_text
from firekeras.cli.files import load_model
from firekeras.cli.options import ModelFile


@errors_in_words()
def channels(model: ModelFile):
    """Shows which layers lose filters together, and what has to stay, and why.

    Needs a model alone: nothing is measured, and nothing is changed. A unit is what goes in one step: one filter, or
    one of each layer that are added up.

    Example: firekeras channels model.keras
    """
    network = load_model(model, compile=False)
    import firekeras
    from firekeras.report import tables

    graph = firekeras.channel_graph(network)
    show(tables.channels_table(graph))
    for note in graph.notes:
        show_text(note)
