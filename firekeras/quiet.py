"""What libraries write to standard error that nobody asked for, kept from it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

CHATTER = re.compile(
    rb"^(INFO: |WARNING: All log messages before absl|[IW]\d{4} |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
    rb"|fully_quantize: )"
)
RETRACING = "triggered tf.function retracing"
_FILES = threading.RLock()  # standard error is the process's: one block at a time holds it


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
def without_chatter() -> Iterator[None]:
    """Keeps log lines of compiled libraries off standard error inside the block; everything else is written after it.

    Converters and runtimes write them past Python, and past their own settings.
    """
    with _FILES, tempfile.TemporaryFile() as written:
        try:
            kept = os.dup(2)
        except OSError:  # the process has no standard error
            yield
            return
        _flush()
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, 2)
            os.close(kept)
            _write_back(written)


def _flush():
    with contextlib.suppress(Exception):
        sys.stderr.flush()


def _write_back(written):
    written.seek(0)
    for line in written:
        if not CHATTER.match(line):
            with contextlib.suppress(OSError):
                os.write(2, line)
