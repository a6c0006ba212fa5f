"""Numbers and texts in an HDF5 file: their types, shapes, and the bytes that they are made of."""

from __future__ import annotations

import dataclasses
import math
import zlib

import numpy as np

from firekeras.hdf5.buffer import Buffer, DamagedError

MOST_AXES, LARGEST = 8, 1 << 40  # elements
IEEE = {4: (0, 32, 23, 8, 0, 23, 127), 8: (0, 64, 52, 11, 0, 52, 1023)}
COMPACT, CONTIGUOUS, CHUNKED = 0, 1, 2
GZIP = 1


@dataclasses.dataclass(frozen=True)
class Type:
    """The type of each element: a NumPy type; texts of any length are 16 bytes that say where they lie."""

    dtype: np.dtype
    is_text: bool = False

    @classmethod
    def of(cls, message) -> Type:
        """The type that a message describes."""
        head, order, _, _, size = Buffer.unpack("<BBBBI", message)
        sign = "<>"[order & 1]
        kind, more = head & 15, message[8:]
        if kind == 0 and size in (1, 2, 4, 8) and Buffer.unpack("<HH", more) == (0, 8 * size):
            return cls(np.dtype(f"{sign}{'i' if order & 8 else 'u'}{size}"))
        if kind == 1 and size in IEEE and Buffer.unpack("<HHBBBBI", more) == IEEE[size] and not order & 64:
            return cls(np.dtype(f"{sign}f{size}"))
        if kind == 3 and 0 < size < 1 << 16:
            return cls(np.dtype(f"S{size}"))
        if kind == 9 and order & 15 == 1 and size == 16:
            return cls(np.dtype("V16"), is_text=True)
        raise DamagedError("it holds an array that is neither of numbers nor of text")


class Shape(tuple):
    """The shape of an array."""

    @classmethod
    def of(cls, message) -> Shape:
        """The shape that a message describes."""
        version, axes, _, kind = Buffer.unpack("<BBBB", message)
        if version not in (1, 2) or axes > MOST_AXES or (version == 2 and kind == 2):
            raise DamagedError("it holds an array of an unknown shape")
        shape = cls(Buffer.unpack(f"<{axes}Q", message[8 if version == 1 else 4 :]))
        if math.prod(filter(None, shape)) > LARGEST:
            raise DamagedError("it holds an array that is larger than any")
        return shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self)


@dataclasses.dataclass(frozen=True)
class Array:
    """An array whose bytes are still to be found."""

    type: Type
    shape: Shape
    buffer: Buffer

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.shape.size * self.type.dtype.itemsize

    def of_bytes(self, data):
        """The array, or for a single text the text, of some bytes."""
        if len(data) < self.size:
            raise DamagedError("an array is cut off")
        values = np.frombuffer(data[: self.size], self.type.dtype).reshape(self.shape)
        if self.type.is_text:
            values = np.array([self._text(bytes(one)) for one in values.reshape(-1)], object).reshape(self.shape)
        elif values.dtype.kind == "S":
            values = np.array([_decoded(one) for one in values.reshape(-1).tolist()], object).reshape(self.shape)
        else:
            return values.astype(values.dtype.newbyteorder("="))
        return values if values.ndim else values.item()

    def _text(self, place):
        size, address, index = Buffer.unpack("<IQI", place)
        return _decoded(self.buffer.from_heap(address, index, size)) if size else ""


def _decoded(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError("a text in it is not UTF-8") from error


def unpacked(array: Array, layout, filters):
    """The array that lies as a message says; see the specification, IV.A.2.i."""
    version, kind = Buffer.unpack("<BB", layout)
    if version != 3 or kind not in (COMPACT, CONTIGUOUS, CHUNKED):
        raise DamagedError("it holds an array that lies in other files or data sets, which firekeras never writes")
    if kind == CHUNKED:
        return _chunked(array, layout, filters)
    if filters is not None:
        raise DamagedError("it holds an array in an unknown layout")
    if kind == COMPACT:
        return array.of_bytes(layout[4:])
    address, size = Buffer.unpack("<QQ", layout[2:])
    if size != array.size:
        raise DamagedError("an array has another size than its shape says")
    return array.of_bytes(array.buffer.take(address, size) if size else b"")


def _chunked(array, layout, filters):
    axes, tree = Buffer.unpack("<BQ", layout[2:])
    *chunk, element = Buffer.unpack(f"<{axes}I", layout[11:])
    if len(chunk) != len(array.shape) or element != array.type.dtype.itemsize or not all(chunk) or array.type.is_text:
        raise DamagedError("the pieces of an array do not fit it")
    array.buffer.pay_for_unpacking(array.size)
    size, values = math.prod(chunk) * element, np.zeros(array.shape, array.type.dtype)
    array.buffer.pay_for_unpacking(size)
    found = set()
    gzipped = filters is not None and _is_gzip(filters)
    for leaf in array.buffer.leaves(tree, 1, key=8 + 8 * axes):
        stored, mask, *offset = Buffer.unpack(f"<II{axes}Q", leaf.key)
        place = tuple(offset[:-1])
        if place in found or any(p % c or p >= n for p, c, n in zip(place, chunk, array.shape, strict=True)):
            raise DamagedError("a piece of an array lies beyond it, or is there twice")
        found.add(place)
        data = array.buffer.take(leaf.address, stored)
        piece = _inflated(data, size) if gzipped and not mask & 1 else data
        _put(values, place, piece, chunk)
    if len(found) < math.prod(-(-n // c) for n, c in zip(array.shape, chunk, strict=True)):
        raise DamagedError("a piece of an array is lost")
    return values.astype(values.dtype.newbyteorder("="))


def _put(values, place, piece, chunk):
    if len(piece) != math.prod(chunk) * values.itemsize:
        raise DamagedError("a piece of an array has another size than it says")
    whole = np.frombuffer(piece, values.dtype).reshape(chunk)
    inside = tuple(slice(0, min(c, n - p)) for c, n, p in zip(chunk, values.shape, place, strict=True))
    values[tuple(slice(p, p + s.stop) for p, s in zip(place, inside, strict=True))] = whole[inside]


def _inflated(data, size):
    unzip = zlib.decompressobj()
    try:
        piece = unzip.decompress(data, size)
    except zlib.error as error:
        raise DamagedError("a piece of an array cannot be unpacked") from error
    if not (unzip.eof or not unzip.decompress(unzip.unconsumed_tail, 1)):
        raise DamagedError("a piece of an array unpacks to more than it should")
    return piece


def _is_gzip(filters):
    version, count = Buffer.unpack("<BB", filters)
    if version not in (1, 2) or count != 1 or Buffer.unpack("<H", filters[8 if version == 1 else 2 :]) != (GZIP,):
        raise DamagedError("an array is packed in a way that firekeras does not use")
    return True
