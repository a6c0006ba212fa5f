"""The command line, one file per command.

Keras is imported inside the commands, so help appears at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from firekeras.cli.channels import channels
from firekeras.cli.compare import compare
from firekeras.cli.compress import compress
from firekeras.cli.console import show_text
from firekeras.cli.convert import convert
from firekeras.cli.demo import demo
from firekeras.cli.export import export
from firekeras.cli.latency import latency
from firekeras.cli.measure import measure
from firekeras.cli.methods import methods
from firekeras.cli.parsing import prepared
from firekeras.cli.program import OneCommand, Program
from firekeras.cli.prune import prune
from firekeras.cli.report import report
from firekeras.cli.sensitivity import sensitivity
from firekeras.cli.stop import stop
from firekeras.cli.widths import widths
from firekeras.version import __version__

app = typer.Typer(
    name="firekeras",
    cls=Program,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(demo, measure, channels, prune, sensitivity, compress, methods, compare, report, stop),
    *(export, latency, widths, convert),
):
    app.command(cls=OneCommand)(prepared(command))


def _show_version(show: bool):
    if show:
        show_text(f"firekeras {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
):
    """Makes trained Keras CNNs smaller: removes whole filters, and keeps accuracy within a tolerance.

    Start with **firekeras demo**, which needs no files. KERAS_BACKEND is respected.
    """
