"""Paths as a user gives them, checked: an existing file, or an error that says what is wrong."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from firekeras.refusals import shortened


def as_path(path) -> Path:
    """A user's path as a `Path`.

    Raises:
        ValueError: If it is not a string or a path.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path) or "\0" in str(path):
        raise ValueError(f"Expected the path of a file. Received: {path!r}.")
    return Path(path)


def existing_file(path) -> Path:
    """The path of a file that exists.

    Raises:
        ValueError: If it is not a path, there is no such file, or it is not an ordinary one: reading a pipe or a
            device might never end.
    """
    path = as_path(path)
    _check_length(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Expected a file.")
    if not path.exists():
        raise ValueError(f"There is no file {path}.")
    if not path.is_file():
        raise ValueError(f"{path} is a pipe or a device. Expected a file.")
    return path


def _check_length(path):
    try:
        path.exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ValueError(f"{shortened(str(path))} is too long for the name of a file.") from error


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


def read_bytes(path: str | os.PathLike, most: int) -> bytes:
    """The contents of an ordinary file.

    Args:
        path: The file.
        most: The number of bytes that it may have, for files are read into memory.

    Raises:
        ValueError: If there is no such file, it is not an ordinary one, or it is larger.
    """
    path = existing_file(path)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size  # a sparse file takes no room on the disk, and all of it in memory
        data = file.read(most + 1) if size <= most else b""
    size = max(size, len(data))
    if size > most:
        raise ValueError(f"{path} is too large: at least {size:,} bytes. Files of its kind have at most {most:,}.")
    return data
