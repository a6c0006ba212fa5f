"""How commands end: a mistake is one line on standard error, with exit code 2; what could not be done, with 1."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from firekeras.cli.console import say, write_warning
from firekeras.cli.parsing import without_types
from firekeras.cli.words import in_options

ERROR_NUMBER = re.compile(r"^\[\w+ \d+\] ")  # of the operating system: its sentence comes after it
MISTAKE, FAILURE, INTERRUPTED = 2, 1, 130
_USAGE: Any = typer.BadParameter.__base__  # Typer's own, or click's: which one depends on its version
_SHOWN: Any = _USAGE.__base__


class NothingDoneError(Exception):
    """The command was right, but it came to nothing."""


class _EndedError(Exception):
    """A command that ended early.

    Args:
        message: What to say.
        code: The exit code.
    """

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class OneCommand(TyperCommand):
    """A command whose errors are put in the words of its options."""

    def get_params(self, ctx):
        return without_types(super().get_params(ctx))

    def invoke(self, ctx):
        options = {each.name for each in self.params if each.param_type_name == "option"}
        try:
            with _warnings_as_lines(options):
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except (ValueError, OSError, ImportError, NothingDoneError) as error:
            code = MISTAKE if isinstance(error, ValueError) else FAILURE
            said = ERROR_NUMBER.sub("", " ".join(str(error).split()))
            raise _EndedError(in_options(said, options), code) from error


class Program(TyperGroup):
    """All commands; shows each mistake in the same way, whoever finds it."""

    def get_params(self, ctx):
        return without_types(super().get_params(ctx))

    def main(
        self, args=None, prog_name=None, complete_var=None, standalone_mode=True, windows_expand_args=True, **extra
    ):
        parse = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return parse()
        try:
            code = parse()
        except _EndedError as error:
            say(str(error), style="red")
            code = error.code
        except typer.Abort:
            code = FAILURE
        except _SHOWN as error:
            code = _show_usage(error)
        sys.exit(code if isinstance(code, int) else 0)


def _show_usage(error):
    """Shows an error of the parser of the command line; returns the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its text is the help
        error.show()
    else:
        context = getattr(error, "ctx", None)
        hint = f" See {context.command_path} --help." if context else ""
        said = error.format_message()
        say(f"{said if said[-1:] in '.?' else f'{said}.'}{hint}", style="red")
    return error.exit_code


@contextlib.contextmanager
def _warnings_as_lines(options):
    """Shows warnings as lines, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, category, *place: write_warning(in_options(str(message), options))
        yield
