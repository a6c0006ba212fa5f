"""The part of HDF5 that we write, read byte by byte; see the HDF5 File Format Specification, version 3.0."""

from __future__ import annotations

import struct
from typing import Any

from firekeras.hdf5.arrays import Array, Shape, Type, unpacked
from firekeras.hdf5.buffer import NOWHERE, Buffer, DamagedError
from firekeras.hdf5.headers import ATTRIBUTE, ELSEWHERE, attribute_parts, messages
from firekeras.hdf5.node import Node

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEEPEST = 4  # groups within groups: we write three
NIL, SPACE, TYPE, OLD_FILL, FILL, LAYOUT, FILTERS, TABLE = (0, 1, 3, 4, 5, 8, 11, 17)
IGNORED = (NIL, OLD_FILL, FILL, 14, 18)  # the last two are dates
FOREIGN = {
    2: "a link",
    6: "a link",
    7: "external storage",
    10: "a newer kind of group",
    21: "a newer kind of attribute",
}


def parse(data: bytes) -> Node:
    """The contents of an HDF5 file.

    Raises:
        DamagedError: If it is damaged, or holds what we never write.
    """
    buffer = Buffer(data)
    if not data.startswith(SIGNATURE):
        raise DamagedError("it is empty" if not data else "it does not begin as HDF5 does")
    version, offsets, lengths = data[8:9], data[13:14], data[14:15]
    if version != b"\0":
        raise DamagedError("it is in a layout of HDF5 that firekeras does not write")
    base, end = buffer.numbers("<Q8xQ", 24)
    if offsets != b"\x08" or lengths != b"\x08" or base or end > len(data):
        raise DamagedError(f"it should have {end:,} bytes, and has {len(data):,}")
    root = _Object(buffer, buffer.numbers("<Q", 64)[0])
    if root.is_group:
        return _group(root, 0)
    raise DamagedError("it has no groups")


def _group(group, depth):
    if depth > DEEPEST:
        raise DamagedError("its groups are nested too deeply")
    members: dict[str, Any] = {}
    for name, address in _links(group.buffer, group.table):
        if name in members:
            raise DamagedError(f"it holds {name!r} twice")
        below = _Object(group.buffer, address)
        members[name] = _group(below, depth + 1) if below.is_group else below.array()
    return Node(group.attributes, members)


class _Object:
    """A group or an array: what the messages in its header say."""

    def __init__(self, buffer, address):
        self.buffer = buffer
        self.attributes: dict[str, Any] = {}
        self.parts: dict[int, memoryview] = {}
        for kind, message, flags in messages(buffer, address):
            if kind not in IGNORED:
                self._message(kind, message, flags)
        self.is_group = TABLE in self.parts
        self.table = struct.unpack("<QQ", self.parts[TABLE][:16]) if self.is_group else None

    def _message(self, kind, message, flags):
        if kind in FOREIGN or flags & ELSEWHERE or kind not in (SPACE, TYPE, LAYOUT, FILTERS, ATTRIBUTE, TABLE):
            raise DamagedError(f"it holds {FOREIGN.get(kind, 'a structure')} that firekeras does not write")
        if kind == ATTRIBUTE:
            name, value = self._attribute(message)
            if name in self.attributes:
                raise DamagedError(f"it holds the attribute {name!r} twice")
            self.attributes[name] = value
        elif kind in self.parts:
            raise DamagedError("a header says the same twice")
        else:
            self.parts[kind] = message

    def _attribute(self, message):
        name, kind, space, data = attribute_parts(message, versions=(1, 3))
        value = Array(Type.of(kind), Shape.of(space), self.buffer).of_bytes(data)
        if not isinstance(value, str) and value.ndim:
            raise DamagedError("an attribute is an array")
        return _text(bytes(name).rstrip(b"\0")), value if isinstance(value, str) else value.item()

    def array(self):
        """The array, or the text, that it holds."""
        if not {TYPE, SPACE, LAYOUT} <= set(self.parts):
            raise DamagedError("an array lacks its type, its shape or its place")
        array = Array(Type.of(self.parts[TYPE]), Shape.of(self.parts[SPACE]), self.buffer)
        return unpacked(array, self.parts[LAYOUT], self.parts.get(FILTERS))


def _links(buffer, table):
    """Yields (name, address) of what is in a group."""
    tree, heap = table
    signature, size, names = buffer.numbers("<4s4xQ8xQ", heap)
    if signature != b"HEAP":
        raise DamagedError("the names of a group are lost")
    for node in buffer.leaves(tree, 0, key=8):
        signature, count = buffer.numbers("<4s2xH", node.address)
        if signature != b"SNOD":
            raise DamagedError("a group is damaged")
        for place in range(node.address + 8, node.address + 8 + 40 * count, 40):
            name, address, kind = buffer.numbers("<QQI", place)
            if kind not in (0, 1) or address == NOWHERE or name >= size:
                raise DamagedError("it holds a link that firekeras does not write")
            yield _text(buffer.until_zero(names + name, size - name)), address


def _text(data):
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError("a text in it is not UTF-8") from error
