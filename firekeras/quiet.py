"""Silence on standard error, also of compiled code, which writes there whatever Python does."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

_LOCK = threading.Lock()
_inside, _kept = 0, -1


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Hides standard error of the whole process meanwhile; may be nested, and used in several threads."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter():
    global _inside, _kept
    with _LOCK:
        _inside += 1
        if _inside > 1:
            return
        try:
            _kept = os.dup(2)
        except OSError:  # a program without a standard error, such as one of windows only
            _kept = -1
            return
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)


def _leave():
    global _inside, _kept
    with _LOCK:
        _inside -= 1
        if _inside or _kept < 0:
            return
        os.dup2(_kept, 2)
        os.close(_kept)
        _kept = -1
