"""Paths as a user gives them, checked: an existing file, or an error that says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path


def as_path(path) -> Path:
    """A user's path as a `Path`.

    Raises:
        ValueError: If it is not a string or a path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"Expected the path of a file. Received: {path!r}.")
    return Path(path)


def existing_file(path) -> Path:
    """The path of a file that exists.

    Raises:
        ValueError: If it is not a path, or there is no such file.
    """
    path = as_path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Expected a file.")
    if not path.exists():
        raise ValueError(f"There is no file {path}.")
    return path
