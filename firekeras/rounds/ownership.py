"""One owner per run directory: a lock of the operating system's, which ends with the process that holds it.

`flock` rather than a file that says who is there, since a killed process would leave that behind; and in our own hands
rather than in `filelock`'s, which empties the file, so that nobody could read who the owner is. It holds between the
containers of one machine, and on NFS between machines, if the server gives locks. If a file system has none, the run
says so; two processes then still notice each other by the length of `events.jsonl` (see `run_directory`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import sys
import time
import weakref
from pathlib import Path

from firekeras.refusals import printable

LOCK = "lock"
NOBODY = ""  # owns it
PATIENCE = 0.5  # seconds: a killed owner may still be ending, and a reader holds the lock for an instant
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
LONGEST = 300  # bytes of the file that are read

_OWNED: weakref.WeakValueDictionary[tuple, Ownership] = weakref.WeakValueDictionary()  # by the lock's device and inode

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle):
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # behind the text, which stays readable
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(handle):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Ownership:
    """Holds a run directory until `release`, or until the process ends in whichever way.

    Rounds that nobody iterates at the moment let go if the same process continues their run with others: `busy` says
    whether they are at work.

    Args:
        folder: The run directory, or another folder that one process at a time writes to; it must exist.
        what: What is in it, for errors. Defaults to `"run"`.

    Attributes:
        locks: Whether its file system has locks at all.

    Raises:
        ValueError: If another process, or rounds at work in this one, own the folder; says who.
        OSError: If the folder cannot be written to.
    """

    _handle: int | None = None

    def __init__(self, folder: Path, what: str = "run"):
        self.busy = True
        self._handle = handle = _opened(folder / LOCK)
        try:
            self.locks = _lock(handle, folder, what)
            _sign(handle)
        except BaseException:
            self.release()
            raise
        _OWNED[_identity(handle)] = self

    @property
    def held(self) -> bool:
        """Whether the folder is still owned."""
        return self._handle is not None

    def release(self):
        """Lets others own the folder."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    __del__ = release


def owner_of(folder: Path) -> str | None:
    """Who owns a run directory, such as `"process 4711 on a since ..."`; None if nobody does, or no lock says."""
    return _owner(folder) or None


def is_free(folder: Path) -> bool:
    """Whether there is a lock, and nobody holds it: nobody is at work on the run, for certain."""
    return _owner(folder) == NOBODY


def _owner(folder) -> str | None:
    """Who holds the lock of a folder, or NOBODY; None if there is no lock that says."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | _NO_LINK)
    except OSError:
        return None
    try:
        _try_lock(handle)
    except OSError as error:
        return None if error.errno in NO_LOCKS else _signature(handle)
    finally:
        os.close(handle)
    return NOBODY


def check_free(folder: Path):
    """Raises `ValueError` if somebody is at work on the run in a folder; says who."""
    owner = owner_of(folder)
    if owner:
        raise ValueError(_taken(folder, owner))


_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _opened(path):
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{path} is a link. The files of a run are never links: remove it.") from error
        raise OSError(error.errno, f"Cannot write {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{path} is not an ordinary file. Remove it.")
    return handle


def _lock(handle, folder, what) -> bool:
    """Locks the file; returns whether the file system has locks at all."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            _try_lock(handle)
            return True
        except OSError as error:
            if error.errno in NO_LOCKS:
                return False
            if not _let_go(handle) and time.monotonic() > until:
                raise ValueError(_taken(folder, _signature(handle), what)) from error
        time.sleep(0.01)


def _let_go(handle) -> bool:
    """Has rounds of this process that nobody iterates let go of the file; returns whether there were any."""
    other = _OWNED.get(_identity(handle))
    if other is None or other.busy or not other.held:
        return False
    other.release()
    return True


def _taken(folder, owner, what="run"):
    taken = f"The {what} in {folder} belongs to {owner}, which is at work on it. Wait until that ends"
    return f"{taken}, or end it after its round: firekeras stop {folder}" if what == "run" else f"{taken}."


def _sign(handle):
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%H:%M on %d %b %Y")}
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, (json.dumps(owner) + "\n").encode())


def _signature(handle) -> str:
    """Who signed the file; it may be damaged, or a stranger's."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        os.lseek(handle, 0, os.SEEK_SET)
        owner = json.loads(os.read(handle, LONGEST))
        here = owner["pid"] == os.getpid() and owner["host"] == socket.gethostname()
        words = f"process {int(owner['pid'])}{' (this one)' if here else ''} on {owner['host']} since {owner['since']}"
        return printable(words)
    return "another process"


def _identity(handle):
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def _forget_in_child():
    """A forked child holds no lock: it may live longer than the owner."""
    for owned in list(_OWNED.values()):
        owned.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
