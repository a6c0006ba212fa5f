"""Operations on files that can be counted, and one of which can be the last: the process is killed before it."""

import io
import os


class Killed(BaseException):
    """The process is gone."""


def writes(how="r"):
    """Whether a file is opened to write, by its mode or its flags."""
    return how & (os.O_WRONLY | os.O_RDWR) if isinstance(how, int) else "r" not in how


class Operations:
    """Counts the operations on files, and has one of them fail: for good, as in a process that is killed, or once."""

    def __init__(self, monkeypatch):
        self.count, self.fails_at, self.dead = 0, None, False
        changing = ("replace", "rename", "link", "unlink", "open", "mkdir", "rmdir")
        for owner, name in (*((os, name) for name in changing), (io, "open")):
            monkeypatch.setattr(owner, name, self.watched(getattr(owner, name)))
        monkeypatch.setattr(os, "fsync", lambda file: self.step("fsync"))

    def watched(self, function):
        def watching(*given, **named):
            if function.__name__ != "open" or writes(*given[1:2]):
                self.step(function.__name__)
            return function(*given, **named)

        return watching

    def step(self, name):
        self.count += 1
        if self.dead or self.count == self.fails_at:
            self.fail(name)

    def fail(self, name):
        self.dead = True
        raise Killed

    def run(self, work, *given, fails_at=None):
        self.count, self.fails_at, self.dead = 0, fails_at, False
        try:
            work(*given)
        finally:
            self.fails_at, self.dead = None, False
