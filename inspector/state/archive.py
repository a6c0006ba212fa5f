"""One file inside a zip archive, read in place, since models are large and a picture needs only one kernel."""

from __future__ import annotations

import io
import zipfile

HEADER = 30  # bytes of a local header, before the name and what comes with it


class Part(io.RawIOBase):
    """A section of a file, as a file.

    Args:
        path: The file.
        start: Where the stretch begins.
        size: How long it is.
    """

    def __init__(self, path, start, size):
        self._file = open(path, "rb")  # noqa: SIM115 (closed by `close`)
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
        read = self._file.readinto(memoryview(buffer)[: max(0, self._size - self._at)])
        self._at += read
        return read

    def close(self):
        if not self.closed:
            self._file.close()
        super().close()


def member(archive: zipfile.ZipFile, path, name: str) -> io.IOBase:
    """A file of the archive at a path: in place if it is stored uncompressed, else unpacked into memory.

    Raises:
        KeyError: If there is none of this name.
    """
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(archive.read(name))
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        header = file.read(HEADER)
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return Part(path, info.header_offset + HEADER + lengths, info.file_size)
