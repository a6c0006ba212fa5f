"""Files appear whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`; what is written there appears at `path` in one step.

    Args:
        path: The final path of the file. Its folder must exist.

    Raises:
        ValueError: If its folder does not exist.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"Cannot write {path}: there is no folder {path.parent}. Create it first.")
    temporary = path.with_name(f".{os.getpid()}.{path.name}")  # keeps the ending, which Keras looks at
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


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
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"Cannot write {path}: there is no folder {path.parent}. Create it first.")
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _flush_folder(file)
        os.rename(temporary, path)
        _flush_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
