"""`firekeras report` and `firekeras stop`: what a run in a folder has come to, and how to end it early."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import errors_in_words, show, show_text

RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run, as compress --run-dir began it.")]


@errors_in_words()
def report(
    folder: RunFolder,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with plots too; it opens without a network.")
    ] = None,
):
    """Shows what a run has come to, finished or still running.

    Example: firekeras report runs/a --html a.html
    """
    from firekeras.report.run_report import show_run

    show(*show_run(folder, html))
    if html:
        show_text(f"Written: {html}")


@errors_in_words()
def stop(folder: RunFolder):
    """Has a run end after the round in progress; it can be resumed.

    Example: firekeras stop runs/a
    """
    from firekeras.rounds.run_directory import RunDirectory

    RunDirectory.open(folder).ask_to_stop()
    show_text(
        f"The run in {folder} ends after the round in progress. Go on later: firekeras compress --resume {folder}"
    )
