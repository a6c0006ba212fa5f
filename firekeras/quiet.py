"""What libraries write to standard error that nobody asked for, kept from it; of compiled code too."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator

RETRACING = "triggered tf.function retracing"
END_OF_DATA = "Your input ran out of data"
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


class _WithoutRetracing(logging.Filter):
    """Drops TensorFlow's warnings that many functions are compiled: each smaller network is a new one."""

    def filter(self, record):
        return RETRACING not in str(record.msg)


@contextlib.contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """Drops TensorFlow's warnings about retracing inside the block; imports no TensorFlow."""
    logger, dropped = logging.getLogger("tensorflow"), _WithoutRetracing()
    logger.addFilter(dropped)
    try:
        yield
    finally:
        logger.removeFilter(dropped)


@contextlib.contextmanager
def without_end_warnings() -> Iterator[None]:
    """Drops what Keras says at the end of any data of unknown length, that training is interrupted: nothing is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=END_OF_DATA)
        yield
