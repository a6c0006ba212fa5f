"""Finds what registers itself: a file that is dropped into a folder needs no entry anywhere."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path


def import_all(package: str, path: list[str]):
    """Imports every module that lies in a package, so that each registers what it has.

    Args:
        package: The package's `__name__`.
        path: Its `__path__`.
    """
    for module in pkgutil.iter_modules(path, f"{package}."):
        importlib.import_module(module.name)


def registered(folder: str, decorator: str) -> dict[str, dict]:
    """What files of firekeras register, read off their decorators: nothing is imported, and so no Keras.

    Args:
        folder: A folder of firekeras, such as `"methods"`.
        decorator: The decorator's name, such as `"register"`.

    Returns:
        The keywords of the decorator for each name.

    Example:
    >>> from firekeras.discovery import registered
    >>> registered("scores/criteria", "criterion")["taylor"]
    {'needs': 'data'}
    """
    files = sorted((Path(__file__).parent / folder).glob("*.py"))
    parsed = (ast.parse(file.read_text(encoding="utf-8")) for file in files)
    return {name: keywords for module in parsed for name, keywords in _decorated(module, decorator)}


def _decorated(module, decorator):
    """The first argument and the keywords of a decorator above functions and classes of a module."""
    for node in module.body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == decorator:
                yield ast.literal_eval(call.args[0]), {k.arg: ast.literal_eval(k.value) for k in call.keywords}
