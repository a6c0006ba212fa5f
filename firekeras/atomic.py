"""Files appear whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil


@contextlib.contextmanager
def whole_file(path):
    """Gives a temporary path beside `path`; what is written there appears at `path` in one step.

    Args:
        path: Where the file shall be. Its folder must exist.

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
    """Has the new name survive a power cut too, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path, text):
    """Writes a text file: whole, or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save_model(model, path):
    """Saves a Keras model: whole, or not at all."""
    with whole_file(path) as temporary:
        model.save(temporary)


@contextlib.contextmanager
def whole_folder(path):
    """Gives a temporary path beside `path` for a new folder; it appears at `path` in one step.

    Args:
        path: Where the folder shall be. It must not exist.

    Raises:
        ValueError: If the folder that it shall lie in does not exist.
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
