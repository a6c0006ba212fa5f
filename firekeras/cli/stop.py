"""`firekeras stop`: ends a run early and cleanly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firekeras.cli.console import show_text


def stop(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run, from compress --run-dir.")],
):
    """Ends a run after the round in progress; it can be resumed.

    Example: firekeras stop runs/a
    """
    from firekeras.rounds.run_directory import RunDirectory

    run = RunDirectory.open(folder)
    how = run.ending()
    if how:
        show_text(f"The run in {folder} has ended already ({how}): there is nothing to stop.")
        return
    run.ask_to_stop()
    show_text(
        f"The run in {folder} ends after the round in progress. Continue later: firekeras compress --resume {folder}"
    )
