"""Paths that somebody gave: a file that is there, or words."""

from __future__ import annotations

import os
from pathlib import Path


def as_path(path) -> Path:
    """What somebody gave as a path.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"Expected the path of a file. Received: {path!r}.")
    return Path(path)


def existing_file(path) -> Path:
    """The path of a file.

    Raises:
        ValueError: If it is no path, or there is no such file.
    """
    path = as_path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Expected a file.")
    if not path.exists():
        raise ValueError(f"There is no file {path}.")
    return path
