"""Temporary folders: removed with the work, or at the next start if that was cut short."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from PySide6 import QtCore

PREFIX, LOCK = "firekeras-inspector-", "in-use"


class Scratch:
    """A folder that exists until `remove` is called.

    Attributes:
        path: The folder.
    """

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
        self.path = Path(self._folder.name)
        self._lock = _lock(self.path)
        self._lock.tryLock(0)

    def remove(self):
        """Deletes the folder and its contents."""
        self._lock.unlock()
        self._folder.cleanup()


def remove_forgotten():
    """Deletes the folders of processes that were killed and could not delete them themselves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, which is not ours to look into
            _remove_if_forgotten(folder)


def _remove_if_forgotten(folder):
    lock = _lock(folder)
    if (folder / LOCK).exists() and lock.tryLock(0):
        lock.unlock()
        shutil.rmtree(folder, ignore_errors=True)


def _lock(folder):
    lock = QtCore.QLockFile(str(folder / LOCK))
    lock.setStaleLockTime(0)  # however old, it counts as long as its process is there
    return lock
