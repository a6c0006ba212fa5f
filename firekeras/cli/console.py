"""The output of all commands: results on standard output, errors as one line on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import os

import typer
from rich.console import Console

from firekeras.quiet import silent_stderr
from firekeras.refusals import printable


@contextlib.contextmanager
def errors_as_lines():
    """Ends the program with one red line instead of a traceback if the library raises an error for the user."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(printable(" ".join(str(error).split())), style="red", markup=False)
        raise typer.Exit(1) from error


def show(*renderables):
    """Shows tables."""
    console = Console(highlight=False)
    for renderable in renderables:
        console.print(renderable)


def show_text(text):
    """Shows a line as it is, however long."""
    Console(highlight=False).print(printable(text), markup=False, soft_wrap=True)


def warn(text):
    """Shows a warning on standard error; None is none."""
    if text:
        Console(stderr=True, highlight=False).print(printable(text), style="yellow", markup=False, soft_wrap=True)


def write_event(event: str, **fields):
    """Writes an event for programs: one JSON object on a line."""
    typer.echo(json.dumps({"event": event, **fields}))


def write_progress(done: int, total: int | None):
    """Writes how far a command is, for programs."""
    write_event("progress", done=done, total=total)


def chosen_options(context: typer.Context) -> list[str]:
    """The names of the options that were set on the command line rather than left at their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def import_keras():
    """Imports Keras without TensorFlow's start-up messages, unless the user has set its log level."""
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr() if quiet else contextlib.nullcontext():
        import keras

        keras.backend.backend()
    if quiet:
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras
