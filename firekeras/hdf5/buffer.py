"""The bytes of a file, each read within bounds and paid from a budget, so whatever they say, reading them ends."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator

NOWHERE = 2**64 - 1  # the address of what is not in the file
DEAREST, CHEAPEST, FREE = 8, 64, 1 << 20  # reads per byte of the file, bytes per read, bytes for any file
MOST_UNPACKED, RATIO = 1 << 28, 64  # bytes of gzipped arrays together: whichever is more, of these or times the file


def most_unpacked(size: int) -> int:
    """How many bytes the compressed arrays of a file may have together, unpacked."""
    return max(MOST_UNPACKED, RATIO * size)


class DamagedError(ValueError):
    """A file is damaged, or not one of ours; completes "cannot be read: ..."."""


@dataclasses.dataclass(frozen=True)
class Leaf:
    """What a B-tree points to, and the key before it."""

    key: memoryview
    address: int


class Buffer:
    """The bytes of a file.

    Args:
        data: All of them.
    """

    def __init__(self, data: bytes):
        self._view, self._size = memoryview(data), len(data)
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        self.allow(len(data))

    def allow(self, size: int) -> None:
        """Sets what reading may cost, by the size of the file."""
        self._budget = FREE + DEAREST * size
        self._unpacked = most_unpacked(size)

    def take(self, offset: int, size: int) -> memoryview:
        """A stretch of bytes."""
        if offset + size > self._size:
            raise DamagedError("it is cut off, or points beyond its end")
        self._budget -= max(CHEAPEST, size)
        if self._budget < 0:
            raise DamagedError("it points to the same places again and again")
        return self._bytes(offset, size)

    def _bytes(self, offset, size):
        return self._view[offset : offset + size]

    def numbers(self, form: str, offset: int) -> tuple:
        """Numbers at an offset; see `struct`."""
        return struct.unpack(form, self.take(offset, struct.calcsize(form)))

    @staticmethod
    def unpack(form: str, message) -> tuple:
        """The numbers that a message begins with."""
        size = struct.calcsize(form)
        if len(message) < size:
            raise DamagedError("a header is cut off")
        return struct.unpack(form, message[:size])

    def until_zero(self, offset: int, most: int) -> bytes:
        """The bytes before the next zero."""
        name = bytes(self.take(offset, min(most, 1024)))
        if b"\0" not in name:
            raise DamagedError("a name in it does not end")
        return name[: name.index(b"\0")]

    def pay_for_unpacking(self, size: int) -> None:
        """Raises `DamagedError` if arrays that are compressed would unpack to too much."""
        self._unpacked -= size
        if self._unpacked < 0:
            raise DamagedError("its arrays would unpack to far more than a file of its size holds")

    def leaves(self, address: int, kind: int, key: int, level: int | None = None) -> Iterator[Leaf]:
        """Yields what a B-tree, of version 1, points to.

        Args:
            address: Where its node lies.
            kind: 0 for groups, 1 for chunks of arrays.
            key: The size of its keys, in bytes.
            level: How many levels of nodes the node must have below it. Defaults to any number.
        """
        if address == NOWHERE:
            return
        signature, found, height, count = self.numbers("<4sBBH16x", address)
        if signature != b"TREE" or found != kind or height != (height if level is None else level):
            raise DamagedError("an index in it is damaged")
        entries = self.take(address + 24, count * (key + 8) + key)
        for start in range(0, count * (key + 8), key + 8):
            below = int.from_bytes(entries[start + key : start + key + 8], "little")
            if height:
                yield from self.leaves(below, kind, key, height - 1)
            else:
                yield Leaf(entries[start : start + key], below)

    def from_heap(self, address: int, index: int, size: int) -> bytes:
        """A text in a global heap."""
        if address not in self._heaps:
            self._heaps[address] = dict(self._heap(address))
        place, length = self._heaps[address].get(index, (0, -1))
        if length != size:
            raise DamagedError("a text in it is lost")
        return bytes(self.take(place, size))

    def _heap(self, address):
        signature, size = self.numbers("<4s4xQ", address)
        if signature != b"GCOL":
            raise DamagedError("a text in it is lost")
        place, end = address + 16, address + size
        while place + 16 <= end:
            index, length = self.numbers("<H6xQ", place)
            if not index:
                return _check_rest(place, length, end)
            yield index, (place + 16, length)
            place += 16 + -(-length // 8) * 8
        if place > end:
            raise DamagedError("a heap of texts in it is damaged")


def _check_rest(place, length, end):
    """The rest of a heap is free, and says how long it is: HDF5's own library never ends if that is nothing."""
    if place + length != end:
        raise DamagedError("a heap of texts in it is damaged")
