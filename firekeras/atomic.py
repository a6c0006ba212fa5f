"""Files appear whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator

TEMPORARY = re.compile(r"\.firekeras-[0-9a-f]{16}(\.\w+)?|\.\d+\..+")  # the second as earlier releases named them
LONGEST_ENDING = 16  # characters; a name of the full length that a disk allows has to fit too
DAY = 24 * 60 * 60  # seconds


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`; what is written there appears at `path` in one step.

    Args:
        path: The final path of the file. Its folder must exist.

    Raises:
        ValueError: If its folder does not exist.
        OSError: If it cannot be written, as on a full disk; names the file.
    """
    path = pathlib.Path(path)
    temporary = beside(path)
    try:
        with _named(path, temporary):
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        _flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: pathlib.Path) -> pathlib.Path:
    """A temporary path of its own for each call, in whichever thread, process or container."""
    if not path.name:
        raise ValueError(f"Expected the path of a file. Received: {str(path)!r}.")
    if not path.parent.is_dir():
        raise ValueError(f"Cannot write {path}: there is no folder {path.parent}. Create it first.")
    ending = path.suffix[:LONGEST_ENDING]  # which Keras looks at
    return path.with_name(f".firekeras-{secrets.token_hex(8)}{ending}")


def is_temporary(path: pathlib.Path) -> bool:
    """Whether a file is a temporary one, of a process that is writing or was killed, judging by its name."""
    return bool(TEMPORARY.fullmatch(path.name))


@contextlib.contextmanager
def _named(path, temporary=None):
    """Puts the file into errors of the operating system that are about it, or about no file at all."""
    try:
        yield
    except OSError as error:
        if error.strerror and error.filename in (None, temporary, str(temporary), path, str(path)):
            raise OSError(error.errno, f"Cannot write {path}: {error.strerror}") from error
        raise


def naming(path: str | os.PathLike) -> contextlib.AbstractContextManager:
    """A context in which errors of the operating system, as on a full disk, say which file was written."""
    return _named(pathlib.Path(path))


def check_can_write(path: str | os.PathLike) -> None:
    """Raises `OSError`, which names the file, if it could not be written; tries it with an empty temporary file."""
    path = pathlib.Path(path)
    temporary = beside(path)
    with _named(path, temporary):
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # a name may be too long
        temporary.touch(exist_ok=False)
        temporary.unlink()


def remove_stale(folder: pathlib.Path) -> None:
    """Removes temporary files that processes left behind in a folder when they were killed, more than a day ago."""
    for file in folder.glob(".firekeras-*"):
        with contextlib.suppress(OSError):
            if is_temporary(file) and file.is_file() and time.time() - file.lstat().st_mtime > DAY:
                file.unlink()


def _flush_folder(folder):
    """Makes the rename durable, where the OS supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save_model(model, path):
    """Saves a Keras model, whole or not at all."""
    with whole_file(path) as temporary:
        model.save(temporary)


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path` for a new folder, which appears at `path` in one step.

    Args:
        path: The final path of the folder. It must not exist.

    Raises:
        ValueError: If its parent folder does not exist.
        OSError: If it cannot be written; names the folder.
    """
    path = pathlib.Path(path)
    temporary = beside(path)
    try:
        with _named(path, temporary):
            yield temporary
            for file in temporary.rglob("*"):
                _flush_folder(file)
            os.rename(temporary, path)
        _flush_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
