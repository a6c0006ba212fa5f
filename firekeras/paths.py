"""Paths as a user gives them, checked: an existing file, or an error that says what is wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


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
    if not path.is_file():
        raise ValueError(f"{path} is a pipe or a device. Expected a file.")
    return path


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Opens a file of a stranger for reading: never waits on a pipe, and never reads a device without an end.

    Raises:
        OSError: If it cannot be opened, or is not a regular file.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("it is a folder, a pipe or a device, not a regular file")
    return os.fdopen(handle, "rb")
