"""Finds what registers itself: a file that is dropped into a folder needs no entry anywhere."""

from __future__ import annotations

import importlib
import pkgutil


def import_all(package: str, path: list[str]):
    """Imports every module that lies in a package, so that each registers what it has.

    Args:
        package: The package's `__name__`.
        path: Its `__path__`.
    """
    for module in pkgutil.iter_modules(path, f"{package}."):
        importlib.import_module(module.name)
