"""Attributes in strangers' HDF5 that HDF5's own library has to read, since Keras reads it: looked at before it does.

The library believes the length of a text: it takes gigabytes of memory for one that a few bytes declare, and reads a
heap of texts with a lost block for ever, which nothing interrupts. So each attribute is found by its object's header,
byte by byte, and a text must lie in a heap that ends, and be as long there as the attribute says. Its arrays are left
alone.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from firekeras.hdf5.arrays import Shape
from firekeras.hdf5.buffer import NOWHERE, Buffer, DamagedError
from firekeras.hdf5.headers import ATTRIBUTE, ELSEWHERE, attribute_parts, is_newer, messages, newer_messages

MANY = 21  # the kind of message that says where an index of attributes lies
WHOLE, FLOAT, TEXT, ENUM, VARIABLE = 0, 1, 3, 8, 9  # classes of types; the others may hold texts inside
SIZES = (WHOLE, FLOAT, TEXT, ENUM)


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
    read = newer_messages if is_newer(buffer, address) else messages
    for kind, message, flags in read(buffer, address):
        if kind == MANY and _index_of(message) != NOWHERE:
            raise DamagedError("it keeps attributes in an index, which Keras never writes")
        if kind == ATTRIBUTE:
            if flags & ELSEWHERE:
                raise DamagedError("it shares attributes between objects, which Keras never does")
            _check(buffer, message)


def _index_of(message) -> int:
    (flags,) = Buffer.unpack("<xB", message)
    return Buffer.unpack("<Q", message[2 + 2 * (flags & 1) :])[0]


def _check(buffer, message):
    _, kind, space, data = attribute_parts(message)
    shape = Shape.of(space)
    head, order, size = Buffer.unpack("<BB2xI", kind)
    if head & 15 == VARIABLE and order & 15 == 1 and size == 16:
        _check_texts(buffer, data, shape.size)
    elif head & 15 not in SIZES or size * shape.size > len(data):
        raise DamagedError("an attribute is neither numbers nor text, or is cut off")


def _check_texts(buffer, data, count):
    if 16 * count > len(data):
        raise DamagedError("an attribute is cut off")
    for start in range(0, 16 * count, 16):
        size, address, index = Buffer.unpack("<IQI", data[start:])
        if size:
            buffer.from_heap(address, index, size)
