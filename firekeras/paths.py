"""Paths as a user gives them, checked: an existing file, or an error that says what is wrong."""

from __future__ import annotations

import os
import stat
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
        ValueError: If it is not a path, there is no such file, or it is not an ordinary one: reading a pipe or a
            device might never end.
    """
    path = as_path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Expected a file.")
    if not path.exists():
        raise ValueError(f"There is no file {path}.")
    if not path.is_file():
        raise ValueError(f"{path} is a pipe or a device. Expected an ordinary file.")
    return path


def read_bytes(path, most: int) -> bytes:
    """The contents of an ordinary file.

    Args:
        path: The file.
        most: The number of bytes that it may have, for files are read into memory.

    Raises:
        ValueError: If there is no such file, it is not an ordinary one, or it is larger.
    """
    path = existing_file(path)
    # non-blocking, for a pipe may have taken the file's place since it was looked at
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is a pipe or a device. Expected an ordinary file.")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{path} is too large: at least {len(data):,} bytes. Files of its kind have at most {most:,}.")
    return data
