"""Whole files: in memory, sealed, then on disk; and back."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterator

import h5py
import numpy as np

from firekeras.atomic import whole_file
from firekeras.hdf5.buffer import DamagedError, most_unpacked
from firekeras.hdf5.node import Node
from firekeras.hdf5.parsing import parse
from firekeras.paths import read_bytes
from firekeras.refusals import cause

LARGEST = 1 << 31  # bytes of a file
SEAL = b"\nfirekeras sha256 "
SEAL_SIZE = len(SEAL) + 64 + 1


def write(path: str | os.PathLike, fill: Callable[[h5py.File, str | None], None]) -> None:
    """Writes an HDF5 file, whole or not at all.

    HDF5 crashes if the disk is full, so the file is made in memory.

    Args:
        path: The file.
        fill: Called with the open, empty `h5py.File`, and the compression of its large arrays, `"gzip"` or None.

    Raises:
        ValueError: If its folder does not exist, or the file would be larger than `read` reads.
    """
    content, unpacked = _made(fill, "gzip")
    if unpacked > most_unpacked(len(content)):  # a reader would take it for a bomb
        content, _ = _made(fill, None)
    if len(content) > LARGEST - SEAL_SIZE:
        raise ValueError(
            f"{path} would have {len(content):,} bytes. Files have at most {LARGEST:,}: leave out the maps."
        )
    with whole_file(path) as temporary:
        temporary.write_bytes(sealed(content))


def _made(fill, compression):
    """The bytes of a file, and the size of what is compressed in it."""
    buffer, packed = io.BytesIO(), []
    with h5py.File(buffer, "w", libver="earliest") as file:  # the layout that the parser knows
        fill(file, compression)
        file.visititems(lambda _, one: packed.append(one.nbytes if getattr(one, "compression", None) else 0))
    return buffer.getvalue(), sum(packed)


def read(path: str | os.PathLike) -> tuple[Node, bool]:
    """Reads an HDF5 file that `write`, or an earlier release, wrote.

    Returns:
        The root group, and whether the file has a seal, which then is whole.

    Raises:
        ValueError: If there is no such file, or it is too large.
        DamagedError: If it is not HDF5, damaged, or holds something that `write` never writes; says what.
    """
    data = read_bytes(path, LARGEST)
    content, seal = data[:-SEAL_SIZE], data[-SEAL_SIZE:]
    if not seal.startswith(SEAL):
        return parse(data), False
    if sealed(content) != data:
        raise DamagedError("its checksum does not match what it holds")
    return parse(content), True


@contextlib.contextmanager
def refused(path: str | os.PathLike, what: str, advice: str) -> Iterator[None]:
    """Puts the path, what was expected and what to do around the reasons why a file is damaged.

    Args:
        path: The file.
        what: What was expected: `"a whole .fire.h5 file"`.
        advice: What to do, in whole sentences.
    """
    try:
        yield
    except DamagedError as error:
        raise ValueError(f"{path} is not {what}: {cause(error, 400)}. {advice}") from error


def check_sealed(sealed: bool) -> None:
    """Raises `DamagedError` if a file has no seal."""
    if not sealed:
        raise DamagedError("its checksum is missing: it was cut off, or another program has written to it")


def texts(values):
    """Texts as h5py writes them, each as long as it is."""
    return np.array(values, h5py.string_dtype())


def sealed(content: bytes) -> bytes:
    """The bytes of a file with their seal."""
    return content + SEAL + hashlib.sha256(content).hexdigest().encode() + b"\n"
