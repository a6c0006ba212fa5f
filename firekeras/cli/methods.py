"""`firekeras methods`: the methods of compress, and the options of each."""

from __future__ import annotations

import inspect
import re
from typing import Annotated

import typer
from rich.text import Text

from firekeras.cli import checks, complete
from firekeras.cli.console import import_keras, show

DEFAULT = re.compile(r"Defaults to ((?:`[^`]*`|[^:;.`]|\.(?=\d))*)([:;.])\s*(\w?)")


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A method or criterion.", autocompletion=complete.methods)
    ] = None,
):
    """Lists the methods of compress, or the options of one, for `compress --option NAME=VALUE`.

    Of a method from a paper it also shows, beside our own defaults, what `compress --protocol paper` sets.

    Example: firekeras methods l1
    """
    if name is not None:
        checks.check_method(name)
    import_keras()
    for table in _methods() if name is None else _options(name):
        show(table)


def _methods():
    from firekeras import methods as known
    from firekeras.report.fitting import FittingTable

    table = FittingTable("Methods and criteria", ("name", "what it does"), sentences="what it does")
    for each in known.names():
        table.add_row(Text(each), Text(plain(known.summary_of(each))))
    return [table]


def _options(name):
    from firekeras import methods as known
    from firekeras.report.fitting import FittingTable

    protocols = known.protocols_of(name)
    table = FittingTable(f"Options of {name}", ("option", "default", *protocols, "meaning"), sentences="meaning")
    meanings = argument_texts(known.documentation_of(name))
    for option, parameter in known.options_of(name).items():
        published = (_published(protocol.options, option) for protocol in protocols.values())
        table.add_row(*map(Text, (option, _default(parameter), *published, plain(meanings.get(option, "")))))
    return [table, *_settings(protocols)]


def _settings(protocols) -> list:
    """What protocols set beside the options of their method, and the remarks on them."""
    from firekeras.report.fitting import FittingTable
    from firekeras.rounds.settings import RunSettings

    if not protocols:
        return []
    table = FittingTable("Settings of a run", ("setting", "default", *protocols))
    defaults = RunSettings().to_dict()
    for setting in dict.fromkeys(name for protocol in protocols.values() for name in protocol.settings):
        published = (_published(protocol.settings, setting) for protocol in protocols.values())
        table.add_row(*map(Text, (setting, str(defaults[setting]), *published)))
    return [table, *(Text(f"{name}: {protocol.remark}") for name, protocol in protocols.items())]


def _published(values, name):
    return str(values[name]) if name in values else ""


def _default(parameter):
    return "needed" if parameter.default is inspect.Parameter.empty else str(parameter.default)


def plain(text: str) -> str:
    """A text of a docstring without its markup, and without a default, which has a column of its own.

    Example:
    >>> from firekeras.cli.methods import plain
    >>> plain("How often `x` is drawn. Defaults to `None`: never.")
    'How often x is drawn. None: never.'
    >>> plain("From 0 to 1. Defaults to 0.8 (section 4.1); not used if `soft`.")
    'From 0 to 1. Not used if soft.'
    """
    return DEFAULT.sub(_beyond_the_default, text).replace("`", "").strip()


def _beyond_the_default(found):
    """What a sentence on a default says beside it: what it means, or what another value does."""
    value, mark, letter = found.groups()
    return f"{value}: {letter}" if mark == ":" else letter.upper()


def argument_texts(documentation: str) -> dict[str, str]:
    """What a docstring says of each argument, in one line.

    Example:
    >>> from firekeras.cli.methods import argument_texts
    >>> argument_texts("Makes.\\n\\nArgs:\\n    a, b: Two\\n        lines.\\n    c: One.\\n\\nReturns:\\n    d: No.")
    {'a': 'Two lines.', 'b': 'Two lines.', 'c': 'One.'}
    """
    block = re.search(r"^Args:\n((?:(?: .*)?\n?)*)", inspect.cleandoc(documentation), re.MULTILINE)
    entries = re.findall(r"^ {4}([\w, ]+): (.*(?:\n {5,}.*)*)", block[1] if block else "", re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}
