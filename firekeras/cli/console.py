"""The output of all commands: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import os

import typer

from firekeras.quiet import silent_stderr
from firekeras.terminal import Terminal, write_line


def show(*renderables):
    """Shows tables."""
    console = Terminal(highlight=False)
    for renderable in renderables:
        console.print(renderable)


def show_text(text):
    """Shows a line: broken between words on a terminal, whole in a pipe."""
    _print_line(Terminal(highlight=False), text)


def say(text: str, style: str | None = None):
    """The same on standard error."""
    _print_line(Terminal(stderr=True, highlight=False), text, style)


def _print_line(console, text, style=None):
    console.print(text, style=style, markup=False, soft_wrap=not console.file.isatty())


def write_warning(text: str):
    """Shows a warning."""
    say(f"Warning: {' '.join(text.split())}", style="yellow")


def write_event(event: str, **fields):
    """Writes an event for programs: one JSON object on a line."""
    write_line(json.dumps({"event": event, **fields}))


def write_progress(done: int, total: int | None):
    """Writes how far a command is, for programs."""
    write_event("progress", done=done, total=total)


def chosen_options(context: typer.Context) -> list[str]:
    """The names of the options that were set on the command line rather than left at their defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def import_keras():
    """Imports Keras without TensorFlow's start-up messages, unless the user has asked for them by its log level.

    Raises:
        ImportError: If Keras or its backend is not installed; says how to install it.
    """
    quiet = os.environ.get("TF_CPP_MIN_LOG_LEVEL") in (None, "", "3")
    if quiet:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with silent_stderr() if quiet else contextlib.nullcontext():
        keras = _imported()
    if quiet:
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


def _imported():
    try:
        import keras

        # beside another backend Keras imports TensorFlow, if it is installed, when it first writes a config
        keras.saving.serialize_keras_object(keras.dtype_policies.DTypePolicy("float32"))
    except ImportError as error:
        missing = (error.name or "Keras").partition(".")[0]
        raise ImportError(
            f'{missing} is not installed. Keras needs a backend: pip install "firekeras[tensorflow]", or [jax] or '
            "[torch] and KERAS_BACKEND=jax or torch."
        ) from error
    return keras
