"""The archive of a `.keras` file of a stranger, checked before anything in it is unpacked, built or read.

Keras writes a config, weights in HDF5 and assets, uncompressed. What is unlike that is refused: links, other
compressions, contents many times as large as the file, data sets that lie elsewhere.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import h5py

from firekeras.hdf5.attributes import FileBuffer, check_attributes
from firekeras.paths import open_regular
from firekeras.refusals import cause

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
FLOOR, EXPANSION = 64 * 2**20, 20  # what is unpacked may be as large as the floor, and so many times the file
LARGEST_CONFIG = 32 * 2**20
DEEPEST_CONFIG = 250  # lists and dicts within each other; a model ten times nested has 90
MOST_MEMBERS = 5000  # vocabularies and the like; each is unpacked into a file
HEADER = 30  # bytes of a local header, before the name and what comes with it
NUMBERS = "biufcV"  # bfloat16 is stored as two bytes without a type


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, BinaryIO]]:
    """Opens an archive whose members are those of a `.keras` file, and no larger than the file explains.

    Raises:
        ValueError: If it is not a regular file, not an archive, or holds anything else.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            _check_members(archive, file.seek(0, io.SEEK_END))
            yield archive, file
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    except Exception as error:  # zipfile and HDF5 raise anything on damaged contents
        raise ValueError(
            f"{path} cannot be loaded, it may be damaged: {cause(error)}. Save or copy it again."
        ) from error


def read_config(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The config of the model in an archive.

    Raises:
        ValueError: If it is missing, too large, too deep, or does not describe a model.
    """
    if archive.getinfo(CONFIG).file_size > LARGEST_CONFIG:
        raise ValueError(f"its {CONFIG} is larger than {LARGEST_CONFIG >> 20} MiB, and no model needs that")
    try:
        config = json.loads(archive.read(CONFIG))
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    except ValueError as error:
        raise ValueError(f"its {CONFIG} is not JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"its {CONFIG} does not describe a model. Save the model again: model.save('NAME.keras')")
    if _depth(config) > DEEPEST_CONFIG:
        raise ValueError(_too_deep())
    return config


def count_stored(archive: zipfile.ZipFile, file: BinaryIO) -> int:
    """How many numbers the weights in an archive hold; none of them is read.

    Raises:
        ValueError: If they are more than the file's size explains, or lie in other files or places.
    """
    return count_values(cast(BinaryIO, member(archive, file, WEIGHTS)), file.seek(0, io.SEEK_END))


def count_values(content: BinaryIO, size: int) -> int:
    """How many numbers an HDF5 file of weights holds; none of them is read.

    Args:
        content: The open file.
        size: The size in bytes of the file that it is in.

    Raises:
        ValueError: If they are more than its size explains, or lie in other files or places, or an attribute is none
            that HDF5's own library, with which Keras reads it, can be trusted with.
    """
    with h5py.File(content, "r") as file:
        found = [(one.shape, one.dtype) for one in _datasets(file, FileBuffer(content))]
    declared = sum(math.prod(shape) * dtype.itemsize for shape, dtype in found)
    if declared > FLOOR + EXPANSION * size:
        raise ValueError(f"its weights are declared to take {declared:,} bytes, and the file holds only {size:,}")
    return sum(math.prod(shape) for shape, _ in found)


def _datasets(file, buffer):
    """All data sets, each once. Links within the file could lead in circles, links to others anywhere."""
    if file.userblock_size:
        raise ValueError("its weights begin with something that is not HDF5")
    groups, seen = [file], set()
    check_attributes(buffer, _place(file))
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{group.name}/{name} in its weights is a link")
            one = group[name]
            place = _place(one)
            if place in seen:
                continue
            seen.add(place)
            check_attributes(buffer, place)
            if isinstance(one, h5py.Group):
                groups.append(one)
            else:
                yield _checked(one)


def _place(one) -> int:
    """Where the header of a group or a data set lies in its file."""
    return h5py.h5o.get_info(one.id).addr


def _checked(dataset):
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None or dataset.dtype.kind not in NUMBERS:
        raise ValueError(f"{dataset.name} in its weights is not an array of numbers")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{dataset.name} in its weights takes its numbers from another place or file")
    return dataset


def _check_members(archive, size):
    infos = archive.infolist()
    missing = {CONFIG, WEIGHTS} - {info.filename for info in infos}
    if missing:
        raise ValueError(f"it is an archive without {' and '.join(sorted(missing))}, so it holds no model")
    if len(infos) > MOST_MEMBERS:
        raise ValueError(f"it holds {len(infos):,} files, and no model needs more than {MOST_MEMBERS:,}")
    if len({info.filename for info in infos}) < len(infos):
        raise ValueError("it holds several files of one name")
    for info in infos:
        _check_member(info)
    unpacked = sum(info.file_size for info in infos)
    if unpacked > FLOOR + EXPANSION * size:
        raise ValueError(
            f"its {size:,} bytes unpack to {unpacked:,}, more than {EXPANSION} times as many: it is not unpacked. "
            "Keras writes its files uncompressed"
        )


def _check_member(info):
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ValueError(f"it holds a file that belongs elsewhere, {info.filename!r}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"{info.filename!r} in it is a link or a device, not a file")
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename!r} in it is encrypted, or compressed in a way that Keras does not use")


def _depth(config) -> int:
    """How deep lists and dicts lie within each other, at most; without recursion."""
    level, depth = [config], 0
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return depth


def _too_deep():
    return f"its {CONFIG} has more than {DEEPEST_CONFIG} lists and dicts within each other, and no model needs that"


# One file inside an archive, read in place, since models are large and a picture needs only one kernel.


class Part(io.RawIOBase):
    """A section of a file, as a file.

    Args:
        file: The file, which stays open.
        start: Where the section begins.
        size: How long it is.
    """

    def __init__(self, file: BinaryIO, start: int, size: int):
        self._file = file
        self._start, self._size, self._at = start, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer):
        self._file.seek(self._start + self._at)
        content = self._file.read(min(len(buffer), max(0, self._size - self._at)))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def member(archive: zipfile.ZipFile, file: BinaryIO, name: str) -> io.IOBase:
    """A file of an archive: in place if it is stored uncompressed, else unpacked into memory.

    Args:
        archive: The archive.
        file: The open file that it is read from.
        name: The file in it.

    Raises:
        KeyError: If there is none of this name.
    """
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(archive.read(name))
    file.seek(info.header_offset)
    header = file.read(HEADER)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return Part(file, info.header_offset + HEADER + lengths, info.file_size)
