"""Attributes in strangers' HDF5 that HDF5's own library has to read, since Keras reads it: looked at before it does.

The library believes the length of a text: it takes gigabytes of memory for one that a few bytes declare, and reads a
heap of texts with a lost block for ever, which nothing interrupts. So each attribute is found by its object's header,
byte by byte, and a text must lie in a heap that ends, and be as long there as the attribute says. Its arrays are left
alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import BinaryIO

from firekeras.hdf5.arrays import Shape
from firekeras.hdf5.buffer import NOWHERE, Buffer, DamagedError

ATTRIBUTE, CONTINUED, MANY = 12, 16, 21
WHOLE, FLOAT, TEXT, ENUM, VARIABLE = 0, 1, 3, 8, 9  # classes of types; the others may hold texts inside
SIZES = (WHOLE, FLOAT, TEXT, ENUM)
SHARED = 2  # a flag: the message lies elsewhere
CHECKSUM = 4  # bytes


class FileBuffer(Buffer):
    """The bytes of a file that is too large to be read at once.

    Args:
        file: The open file.
    """

    def __init__(self, file: BinaryIO):
        super().__init__(b"")
        self._file, self._size = file, file.seek(0, io.SEEK_END)
        self.allow(self._size)

    def _bytes(self, offset, size):
        self._file.seek(offset)
        return memoryview(self._file.read(size))


def check_attributes(buffer: Buffer, address: int) -> None:
    """Raises `DamagedError` if an attribute of an object is none that HDF5's own library can read safely.

    Args:
        buffer: The file.
        address: Where the header of the object lies.
    """
    for kind, message, flags in _messages(buffer, address):
        if kind == MANY and _index_of(message) != NOWHERE:
            raise DamagedError("it keeps attributes in an index, which Keras never writes")
        if kind == ATTRIBUTE:
            if flags & SHARED:
                raise DamagedError("it shares attributes between objects, which Keras never does")
            _check(buffer, message)


def _index_of(message) -> int:
    flags = message[1]
    return Buffer.unpack("<Q", message[2 + 2 * (flags & 1) :])[0]


def _messages(buffer, address) -> Iterator[tuple[int, memoryview, int]]:
    """Yields (kind, content, flags) of what a header says; see the specification, IV.A.1."""
    newer = bytes(buffer.take(address, 4)) == b"OHDR"
    blocks = [_newer_block(buffer, address) if newer else _older_block(buffer, address)]
    for place, end, head in blocks:  # grows with each continuation
        while place + head <= end:
            kind, size, flags = _head(buffer, place, newer)
            message = buffer.take(place + head, size)
            place += head + size
            if kind == CONTINUED:
                start, length = Buffer.unpack("<QQ", message)
                blocks.append((start + 4, start + length - CHECKSUM, head) if newer else (start, start + length, head))
            else:
                yield kind, message, flags


def _older_block(buffer, address):
    version, size = buffer.numbers("<B7xI4x", address)
    if version != 1:
        raise DamagedError("a header is of an unknown version")
    return address + 16, address + 16 + size, 8


def _newer_block(buffer, address):
    flags = buffer.numbers("<5xB", address)[0]
    place = address + 6 + 16 * bool(flags & 32) + 4 * bool(flags & 16)
    width = 1 << (flags & 3)
    size = int.from_bytes(buffer.take(place, width), "little")
    return place + width, place + width + size, 4 + 2 * bool(flags & 4)


def _head(buffer, place, newer):
    return buffer.numbers("<BHB", place) if newer else buffer.numbers("<HHB", place)


def _check(buffer, message):
    version, elsewhere, *sizes = Buffer.unpack("<BBHHH", message)
    if version not in (1, 2, 3) or elsewhere:
        raise DamagedError("an attribute is of an unknown version, or its type lies elsewhere")
    place = 9 if version == 3 else 8
    steps = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
    kind = message[place + steps[0] :][: sizes[1]]
    shape = Shape.of(message[place + steps[0] + steps[1] :][: sizes[2]])
    head, order, size = Buffer.unpack("<BB2xI", kind)
    data = message[place + sum(steps) :]
    if head & 15 == VARIABLE and order & 15 == 1 and size == 16:
        _check_texts(buffer, data, math.prod(shape))
    elif head & 15 not in SIZES or size * math.prod(shape) > len(data):
        raise DamagedError("an attribute is neither numbers nor text, or is cut off")


def _check_texts(buffer, data, count):
    if 16 * count > len(data):
        raise DamagedError("an attribute is cut off")
    for start in range(0, 16 * count, 16):
        size, address, index = Buffer.unpack("<IQI", data[start:])
        if size:
            buffer.from_heap(address, index, size)
