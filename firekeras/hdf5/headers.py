"""Headers of groups and arrays in an HDF5 file: their messages, and the parts of an attribute.

See the HDF5 File Format Specification, version 3.0, sections IV.A.1 and IV.A.2.m.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from typing import NamedTuple

from firekeras.hdf5.buffer import Buffer, DamagedError

ATTRIBUTE, CONTINUED = 12, 16  # kinds of messages
ELSEWHERE = 2  # a flag: what a message says lies in another place
CHECKSUM = 4  # bytes at the end of a newer block


class Message(NamedTuple):
    """A message of a header."""

    kind: int
    content: memoryview
    flags: int


class AttributeParts(NamedTuple):
    """What the message of an attribute consists of."""

    name: memoryview
    kind: memoryview
    space: memoryview
    data: memoryview


def messages(buffer: Buffer, address: int) -> Iterator[Message]:
    """Yields what a header of the older layout says."""
    version, size = buffer.numbers("<B7xI4x", address)
    if version != 1:
        raise DamagedError("a header is of an unknown version")
    yield from _of_blocks(buffer, (address + 16, address + 16 + size), "<HHB3x", 0)


def newer_messages(buffer: Buffer, address: int) -> Iterator[Message]:
    """Yields what a header of the newer layout says, in which each block has a name and a checksum around it."""
    flags = buffer.numbers("<5xB", address)[0]
    place = address + 6 + 16 * bool(flags & 32) + 4 * bool(flags & 16)
    width = 1 << (flags & 3)
    size = int.from_bytes(buffer.take(place, width), "little")
    form = "<BHB2x" if flags & 4 else "<BHB"
    yield from _of_blocks(buffer, (place + width, place + width + size), form, CHECKSUM)


def is_newer(buffer: Buffer, address: int) -> bool:
    """Whether a header is of the newer layout."""
    return bytes(buffer.take(address, 4)) == b"OHDR"


def _of_blocks(buffer, first, form, around):
    """Yields the messages of a block and of those in which it continues, which have so many bytes around theirs."""
    head, blocks = struct.calcsize(form), [first]
    for place, end in blocks:  # grows with each continuation
        while place + head <= end:
            kind, size, flags = buffer.numbers(form, place)
            if place + head + size > end:
                raise DamagedError("a header is cut off")
            content = buffer.take(place + head, size)
            place += head + size
            if kind == CONTINUED:
                start, length = Buffer.unpack("<QQ", content)
                blocks.append((start + around, start + length - around))
            else:
                yield Message(kind, content, flags)


def attribute_parts(message: memoryview, versions: Collection[int] = (1, 2, 3)) -> AttributeParts:
    """Takes the message of an attribute apart.

    Args:
        message: The message.
        versions: Those that are known. Defaults to all.

    Raises:
        DamagedError: If it is of another version, or its type lies elsewhere.
    """
    version, elsewhere, *sizes = Buffer.unpack("<BBHHH", message)
    if version not in versions or elsewhere:
        raise DamagedError("an attribute is of an unknown version, or its type lies elsewhere")
    place, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(message[place : place + size])
        place += -(-size // 8) * 8 if version == 1 else size
    name, kind, space = parts
    return AttributeParts(name, kind, space, message[place:])
